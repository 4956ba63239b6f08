/** The snapshotter that needs nothing of the kernel: each layer is a whole tree, each container's root a copy of one. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import { fileError, removeTree, runFileTool } from '../host/files.ts'
import type { Snapshotter } from './contract.ts'
import { diskUsage, LayerDirectory } from './layer-directory.ts'

/** @param root the folder for layers, absolute */
export function copySnapshotter(root: string): Snapshotter {
  const layers = new LayerDirectory(root)

  async function copyOf(chainId: Digest, to: string): Promise<void> {
    if (!(await layers.has(chainId))) throw new KagoError('not_found', `layer ${chainId} is not unpacked`)
    await copyTree(layers.path(chainId), to)
  }

  return {
    name: 'copy',
    root,
    hasLayer: (chainId) => layers.has(chainId),
    async prepareLayer({ chainId, parent }) {
      const directory = await layers.prepare()
      try {
        if (parent !== undefined) await copyOf(parent, directory)
      } catch (error) {
        await layers.discard(directory)
        throw error
      }
      return { chainId, directory, format: 'tree' }
    },
    commitLayer: (prepared) => layers.commit(prepared.chainId, prepared.directory),
    discardLayer: (prepared) => layers.discard(prepared.directory),
    removeLayer: (chainId) => layers.remove(chainId),
    listLayers: () => layers.list(),
    async createWritable(directory, chainIds) {
      const upper = join(directory, 'upper')
      const top = chainIds.at(-1)
      try {
        await mkdir(upper, { recursive: true, mode: 0o755 })
        if (top !== undefined) await copyOf(top, upper)
      } catch (error) {
        await removeTree(upper)
        throw fileError(error, `cannot make the root file system in ${directory}`)
      }
    },
    mounts(directory, _chainIds, options = {}) {
      const flags = options.readonly ? ['rbind', 'ro'] : ['rbind', 'rw']
      return [{ type: 'bind', source: join(directory, 'upper'), target: 'rootfs', options: flags }]
    },
    view: (directory) => [
      { type: 'bind', source: join(directory, 'upper'), target: 'rootfs', options: ['rbind', 'ro'] },
    ],
    directories(directory, chainIds) {
      if (directory !== undefined) return [join(directory, 'upper')]
      const top = chainIds.at(-1)
      return top === undefined ? [] : [layers.path(top)]
    },
    removeWritable: (directory) => removeTree(join(directory, 'upper')),
    async usage(of) {
      const path = 'chainId' in of ? layers.path(of.chainId) : join(of.directory, 'upper')
      return { bytes: await diskUsage(path) }
    },
    recover: () => layers.recover(),
  }
}

/** The content of one directory into another, with everything a file has; blocks are shared where the file system can. */
async function copyTree(from: string, to: string): Promise<void> {
  await runFileTool('cp', ['-a', '--reflink=auto', '--', `${from}/.`, to], `cannot copy ${from}`)
}
