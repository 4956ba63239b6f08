/** What the daemon and the program that works inside a container's root say to each other. */
import type { ErrorBody } from '../../../shared/errors.ts'
import type { FileStat } from '../../../shared/protocol/files.ts'
import type { Digest } from '../../../shared/oci/digest.ts'
import type { Mount } from '../../snapshot/contract.ts'

/** Where a container's root is, and how to get into it. */
export type Root =
  /** The container runs: its own view, with all its mounts. */
  | { by: 'process'; pid: number; pidStart: number }
  /** The container runs: its root without what is mounted in it, as its shim sees it. */
  | { by: 'shim'; pid: number; path: string; type: 'overlay' | 'same'; upper: string }
  /** It does not: mounted privately for this job. `at` is any directory that is not needed meanwhile. */
  | { by: 'mounts'; at: string; mounts: Mount[]; binds: Bind[] }

export interface Bind {
  source: string
  /** Only what has this name below the source; no link leads out of it. */
  part?: string
  target: string
  readOnly: boolean
}

/** Write a name as a tar archive to standard output; the first message is what it is. */
export interface PackJob {
  do: 'pack'
  root: Root
  /** Docker's rules: a trailing `/` or `/.` asks for a directory, `/.` for its content. */
  path: string
  /** A symbolic link as the last name is followed. */
  follow: boolean
  /** Only say what the name is. */
  statOnly?: boolean
  /** The names begin here, without an entry for the root: an export. */
  isWhole?: boolean
}

/** Extract the archive on standard input. */
export interface PlaceJob {
  do: 'place'
  root: Root
  path: string
  /** `into`: the path is a directory that is there. `copy`: what cp means, by what is at the path (`placeCopy`). */
  mode: 'into' | 'copy'
  /** What the archive says of its top directory holds for the one that its content goes into. */
  withTop?: boolean
  /** Owner of everything; without it each entry's own. */
  owner?: { uid: number; gid: number }
}

/** Compare a container's writable layer with what is below it: changes as JSON lines, or as the archive of a layer. */
export interface ChangesJob {
  do: 'changes' | 'layer'
  format: 'overlay' | 'tree'
  upper: string
  /** The nearest first. */
  lowers: string[]
  /** Names (relative) that the engine itself makes as places for mounts: not a change unless something is in them. */
  stubs: string[]
}

export type TreeJob = PackJob | PlaceJob | ChangesJob

export type TreeMessage =
  | { type: 'stat'; stat: FileStat }
  | { type: 'done'; bytes: number; diffId?: Digest }
  | { type: 'error'; error: ErrorBody }
