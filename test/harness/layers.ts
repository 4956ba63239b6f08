/** Layers made on the spot and unpacked the way a pull does it: through the child process, into a snapshotter. */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type UnpackOptions, unpackLayers } from '../../daemon/image/unpack.ts'
import type { Mount, Snapshotter } from '../../daemon/snapshot/contract.ts'
import type { Digest } from '../../shared/oci/digest.ts'

export const childPath = join(import.meta.dirname, '../../daemon/image/unpack-layer.ts')

export function digestOf(bytes: Buffer): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** Archives, the lowest layer first, as committed layers. */
export async function unpackArchives(
  snapshotter: Snapshotter,
  directory: string,
  archives: readonly Buffer[],
  options: Partial<UnpackOptions> & { compress?: (bytes: Buffer) => Buffer } = {},
): Promise<Digest[]> {
  const { compress = (bytes) => gzipSync(bytes, { level: 1 }), ...rest } = options
  const layers = archives.map((archive) => {
    const bytes = compress(archive)
    const path = join(directory, `blob-${randomUUID()}`)
    writeFileSync(path, bytes)
    return { digest: digestOf(bytes), diffId: digestOf(archive), path }
  })
  const { chainIds } = await unpackLayers(layers, { snapshotter, childPath, ...rest })
  return chainIds
}

/** Mounts in a namespace of its own, runs a program of Node there (its exports: none; it prints JSON), and answers that. */
export function inMounts<T>(mounts: readonly Mount[], bundle: string, script: string): T {
  mkdirSync(join(bundle, 'rootfs'), { recursive: true })
  const commands = mounts.map((mount) => {
    const target = join(bundle, mount.target)
    const bind = mount.type === 'bind' ? ['--rbind'] : ['-t', mount.type, '-o', mount.options.join(',')]
    return { from: mount.from ?? '/', args: [...bind, '--', mount.source, target] }
  })
  const body = `
    import { spawnSync } from 'node:child_process'
    for (const { from, args } of ${JSON.stringify(commands)}) {
      const { status, stderr } = spawnSync('mount', args, { cwd: from, encoding: 'utf8' })
      if (status !== 0) throw new Error(stderr)
    }
    const rootfs = ${JSON.stringify(join(bundle, 'rootfs'))}
    const { describeTree, showTree } = await import(${JSON.stringify(join(import.meta.dirname, 'tree.ts'))})
    const fs = await import('node:fs')
    const answer = await (async () => { ${script} })()
    process.stdout.write(JSON.stringify(answer ?? null))`
  const args = ['--mount', '--propagation', 'private', process.execPath, '--input-type=module', '-e', body]
  const { status, stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (status !== 0) throw new Error(`in the namespace: ${stderr}`)
  return JSON.parse(stdout)
}

/** The tree a container of these layers would see. */
export async function mountedTree(
  snapshotter: Snapshotter,
  chainIds: readonly Digest[],
  directory: string,
  script = 'return showTree(rootfs)',
): Promise<Record<string, string>> {
  // As long as a real one: the options of the mount have to fit a page with it.
  const own = join(directory, 'containers', randomBytes(32).toString('hex'))
  mkdirSync(own, { recursive: true })
  await snapshotter.createWritable(own, chainIds)
  return inMounts(snapshotter.mounts(own, chainIds), own, script)
}
