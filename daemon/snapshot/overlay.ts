/** The snapshotter of overlayfs: each layer a folder, a container's root a stack of them with a writable one on top. */
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import { fileError, removeTree } from '../host/files.ts'
import { layerName } from './chain-id.ts'
import type { Mount, Snapshotter } from './contract.ts'
import { diskUsage, LayerDirectory } from './layer-directory.ts'

/** mount(2) takes one page of options, NUL included. */
const maxOptionBytes = 4095

/**
 * Never follow what a layer's or an upper directory's own xattrs would redirect to, and keep the upper directory readable
 * without mounting: `readFileInLayers` and `diff` depend on it.
 */
const fixedOptions = ['index=off', 'redirect_dir=nofollow', 'metacopy=off']

/** @param root the folder for layers, absolute */
export function overlaySnapshotter(root: string): Snapshotter {
  const layers = new LayerDirectory(root)
  const empty = join(root, '.empty')
  const topFirst = (chainIds: readonly Digest[]) => chainIds.toReversed().map(layerName)

  return {
    name: 'overlay',
    root,
    hasLayer: (chainId) => layers.has(chainId),
    async prepareLayer({ chainId }) {
      return { chainId, directory: await layers.prepare(), format: 'overlay' }
    },
    commitLayer: (prepared) => layers.commit(prepared.chainId, prepared.directory),
    discardLayer: (prepared) => layers.discard(prepared.directory),
    removeLayer: (chainId) => layers.remove(chainId),
    listLayers: () => layers.list(),
    // Four small calls on the path of every start: not worth a thread each.
    async createWritable(directory, chainIds) {
      for (const chainId of chainIds)
        if (!(await layers.has(chainId))) throw new KagoError('not_found', `layer ${chainId} is not unpacked`)
      try {
        if (chainIds.length === 0) mkdirSync(empty, { recursive: true, mode: 0o755 })
        mkdirSync(join(directory, 'upper'), { recursive: true, mode: 0o755 })
        mkdirSync(join(directory, 'work'), { recursive: true, mode: 0o700 })
        // What a mounted overlay shows as its root is the uppermost directory.
        const top = chainIds.at(-1)
        if (top !== undefined) copyOwnerAndMode(layers.path(top), join(directory, 'upper'))
      } catch (error) {
        throw fileError(error, `cannot make the writable layer in ${directory}`)
      }
    },
    mounts(directory, chainIds, options = {}): Mount[] {
      const own = shorter(relative(root, directory), directory)
      const lower = chainIds.length === 0 ? '.empty' : topFirst(chainIds).join(':')
      const data = [
        ...(options.readonly ? ['ro'] : []),
        `lowerdir=${lower}`,
        `upperdir=${escapeOption(join(own, 'upper'))}`,
        `workdir=${escapeOption(join(own, 'work'))}`,
        ...fixedOptions,
      ]
      if (Buffer.byteLength(data.join(',')) > maxOptionBytes)
        throw new KagoError('not_supported', `${chainIds.length} layers are more than one mount can take`)
      return [{ type: 'overlay', source: 'overlay', target: 'rootfs', options: data, from: root }]
    },
    view(directory, chainIds): Mount[] {
      const upper = join(shorter(relative(root, directory), directory), 'upper')
      const below = chainIds.length === 0 ? ['.empty'] : topFirst(chainIds)
      const data = [`lowerdir=${[escapeOption(upper), ...below].join(':')}`, ...fixedOptions]
      if (Buffer.byteLength(data.join(',')) > maxOptionBytes)
        throw new KagoError('not_supported', `${chainIds.length} layers are more than one mount can take`)
      return [{ type: 'overlay', source: 'overlay', target: 'rootfs', options: ['ro', ...data], from: root }]
    },
    directories(directory, chainIds) {
      const below = topFirst(chainIds).map((name) => join(root, name))
      return directory === undefined ? below : [join(directory, 'upper'), ...below]
    },
    async removeWritable(directory) {
      await removeTree(join(directory, 'upper'))
      await removeTree(join(directory, 'work'))
    },
    async usage(of) {
      const path = 'chainId' in of ? layers.path(of.chainId) : join(of.directory, 'upper')
      return { bytes: await diskUsage(path) }
    },
    recover: () => layers.recover(),
  }
}

function copyOwnerAndMode(from: string, to: string): void {
  const { uid, gid, mode } = statSync(from)
  chownSync(to, uid, gid)
  chmodSync(to, mode & 0o7777)
}

function shorter(a: string, b: string): string {
  return a.length < b.length ? a : b
}

/** overlayfs splits its options at commas and colons; a backslash takes their meaning. */
function escapeOption(path: string): string {
  return path.replace(/[\\,:]/g, '\\$&')
}
