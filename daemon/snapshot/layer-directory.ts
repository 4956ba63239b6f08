/** The folder of layers that both snapshotters share: scratch, commit, removal. */
import { randomUUID } from 'node:crypto'
import { accessSync } from 'node:fs'
import { mkdir, open, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '../../shared/oci/digest.ts'
import { errnoCode, fileError, removeTree, runFileToolOutput, syncDirectory } from '../host/files.ts'
import { syncFileSystem } from '../host/syscalls.ts'
import { layerName } from './chain-id.ts'

const layerPattern = /^[0-9a-f]{28}$/
/** Scratch: layers being made, and layers being removed. */
const scratchPattern = /^\.(?:new|gone)-/

export class LayerDirectory {
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  path(chainId: Digest): string {
    return join(this.root, layerName(chainId))
  }

  async has(chainId: Digest): Promise<boolean> {
    try {
      accessSync(this.path(chainId))
      return true
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return false
      throw fileError(error, `cannot look for layer ${chainId}`)
    }
  }

  async prepare(): Promise<string> {
    const directory = join(this.root, `.new-${randomUUID()}`)
    try {
      await mkdir(this.root, { recursive: true, mode: 0o700 })
      await mkdir(directory, { mode: 0o700 })
    } catch (error) {
      throw fileError(error, `cannot make ${directory}`)
    }
    return directory
  }

  /** One sync for the whole layer, then the name: after a loss of power the layer is whole or not there. */
  async commit(chainId: Digest, directory: string): Promise<void> {
    try {
      const handle = await open(directory, 'r')
      try {
        await syncFileSystem(handle.fd)
      } finally {
        await handle.close()
      }
      if (await this.has(chainId)) await removeTree(directory)
      else await this.#publish(chainId, directory)
      await this.#removeBeside(directory)
    } catch (error) {
      throw fileError(error, `cannot commit layer ${chainId}`)
    }
  }

  async #publish(chainId: Digest, directory: string): Promise<void> {
    try {
      await rename(directory, this.path(chainId))
    } catch (error) {
      // Another committed it between the look and the rename.
      if (errnoCode(error) !== 'ENOTEMPTY' && errnoCode(error) !== 'EEXIST') throw error
      await removeTree(directory)
    }
    await syncDirectory(this.root)
  }

  async discard(directory: string): Promise<void> {
    await removeTree(directory)
    await this.#removeBeside(directory)
  }

  async #removeBeside(directory: string): Promise<void> {
    for (const name of await this.#names())
      if (join(this.root, name).startsWith(`${directory}.`)) await removeTree(join(this.root, name))
  }

  async remove(chainId: Digest): Promise<void> {
    const gone = join(this.root, `.gone-${randomUUID()}`)
    try {
      await rename(this.path(chainId), gone)
      await syncDirectory(this.root)
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return
      throw fileError(error, `cannot remove layer ${chainId}`)
    }
    await removeTree(gone)
  }

  async list(): Promise<string[]> {
    return (await this.#names()).filter((name) => layerPattern.test(name))
  }

  async recover(): Promise<void> {
    for (const name of await this.#names())
      if (scratchPattern.test(name)) await removeTree(join(this.root, name))
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.root)
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return []
      throw fileError(error, `cannot read ${this.root}`)
    }
  }
}

/** Bytes on disk below a path, each file once. */
export async function diskUsage(path: string): Promise<number> {
  const said = await runFileToolOutput('du', ['-s', '-x', '-B1', '--', path], `cannot measure ${path}`)
  return Number.parseInt(said, 10)
}
