/**
 * The contract of a snapshotter: where unpacked layers live and what a container's root file system is made of.
 *
 * Words
 *   layer      the file system after applying one image layer on those below it; named by the chainID of that stack.
 *   committed  complete, synced to disk, never changed again. A layer is committed or it is not there.
 *   prepared   a scratch directory in which a layer is being made. It belongs to whoever prepared it.
 *   writable   a container's own, private changes on top of a stack of layers.
 *   mount      data, not an act: what somebody (the shim, in its private namespace) has to mount to see a root file system.
 *
 * The life of a layer
 *   prepareLayer → somebody fills `directory` in the format it says → commitLayer (or discardLayer) → … → removeLayer.
 *   Layers may be prepared and filled in any order and at once (in format `overlay`; `tree` needs its parent committed), but
 *   are committed in the order of the stack: a layer's parent is committed before it.
 *
 * The life of a container's files
 *   createWritable → mounts, as often as wanted, made by the caller → … (unmounted by the caller) → removeWritable.
 *   A layer must not be removed while a stack with it is mounted or a writable rests on it: the caller keeps count.
 *
 * Formats of a prepared directory
 *   overlay    this layer alone; hidden names are character devices 0:0, hidden content is `trusted.overlay.opaque=y`.
 *   tree       begins as a copy of the parent's tree; what the layer hides is removed from it.
 *
 * Promises
 *   - Everything lies under one `root` directory, on one file system; nothing outside of it and of the given container
 *     directories is touched.
 *   - A crash or loss of power at any instruction leaves only committed layers and scratch that `recover` removes.
 *   - Two that commit the same chainID both succeed; one of the two trees stays.
 *   - Every failure is a KagoError (`exhausted` when the disk is full, `not_found` for a layer that is not committed).
 * The same suite, test/contract/snapshotter, holds both implementations to this.
 */
import type { Digest } from '../../shared/oci/digest.ts'

export interface PreparedLayer {
  chainId: Digest
  /** Absolute, mode 0700, root's; exists. Files beside it that begin with its name are scratch of its owner as well. */
  directory: string
  format: 'overlay' | 'tree'
}

/** One mount(2), in the order given. */
export interface Mount {
  /** `overlay`, or `bind` (then `options` are its flags and `source` is absolute). */
  type: string
  source: string
  /** Relative to the bundle: `rootfs`. */
  target: string
  /** As for mount(8): `lowerdir=…`, `ro`. */
  options: string[]
  /** The directory to be in while mounting: relative names in `options` begin there. */
  from?: string
}

export interface Snapshotter {
  readonly name: 'overlay' | 'copy'
  /** The folder that holds the layers; absolute. */
  readonly root: string
  hasLayer(chainId: Digest): Promise<boolean>
  /** @param parent the chainID below, already committed when the format is `tree`; none for the lowest layer */
  prepareLayer(options: { chainId: Digest; parent?: Digest | undefined }): Promise<PreparedLayer>
  /** Syncs and publishes; `directory` is gone afterwards. If another committed the chainID meanwhile, ours is dropped. */
  commitLayer(prepared: PreparedLayer): Promise<void>
  /** Removes the scratch; nothing there is success. */
  discardLayer(prepared: PreparedLayer): Promise<void>
  /** Gone at once for `hasLayer`; nothing there is success. */
  removeLayer(chainId: Digest): Promise<void>
  /** The chainIDs' folder names that are committed (`layerName`), for garbage collection. */
  listLayers(): Promise<string[]>
  /**
   * Makes what a container's root file system needs in `directory` (the container's own, absolute, existing).
   * @param chainIds of the stack, the lowest first (as `chainIds()` gives them); empty is an empty root
   */
  createWritable(directory: string, chainIds: readonly Digest[]): Promise<void>
  /** How to see a container's root file system at `rootfs` in its bundle. */
  mounts(directory: string, chainIds: readonly Digest[], options?: { readonly?: boolean }): Mount[]
  /** How to look at a container's root file system beside its own mount, or without one. Nothing can be written there. */
  view(directory: string, chainIds: readonly Digest[]): Mount[]
  /**
   * The directories that make up a container's root, the uppermost first, for `readFileInLayers` and `lookupInLayers`.
   * Without `directory`: the image's alone.
   */
  directories(directory: string | undefined, chainIds: readonly Digest[]): string[]
  removeWritable(directory: string): Promise<void>
  /** Bytes on disk of a layer, or of a container's own changes. */
  usage(of: { chainId: Digest } | { directory: string }): Promise<{ bytes: number }>
  /** Removes what a crash left: call once before anything else. A second call does nothing. */
  recover(): Promise<void>
}
