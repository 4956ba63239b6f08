/** What the daemon and the program that unpacks a layer say to each other. */
import type { ErrorBody } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import type { LayerLimits } from './extract-layer.ts'
import type { LayerFormat } from './layer-tree.ts'

/** Unpack standard input into a directory. */
export interface ExtractJob {
  do: 'extract'
  /** Absolute; becomes the process's root. */
  directory: string
  format: LayerFormat
  /** The layer's digest, for messages. */
  layer: string
  limits: LayerLimits
  /** Where `igzip` is, to be used for a gzipped file. */
  inflater?: string
  /** Where to write the LayerReport, for `settle`. */
  reportFile?: string
  /** What `settle` planted in the directory: Seed[]. */
  seedsFile?: string
}

/** Finish a layer of overlay format with the layers below it at hand; `settle-layer.ts` says what that means. */
export interface SettleJob {
  do: 'settle'
  directory: string
  layer: string
  /** The committed layers below, the nearest first. */
  lowers: string[]
  reportFile: string
  seedsFile: string
}

/** How much of a LayerReport there is, so that nobody has to read it to know. */
export interface LayerNeeds {
  /** What may come from the layers below: nothing, the root's owner and mode alone (most layers), or more. */
  fromLowers: 'nothing' | 'root' | 'more'
  /** Files must come from the layers below: an error if there are none. */
  targets: boolean
}

export type UnpackMessage =
  /** Compressed bytes consumed so far. */
  | { type: 'progress'; current: number }
  | { type: 'extracted'; diffId: Digest; archiveBytes: number; entries: number; needs: LayerNeeds }
  /** `isComplete` false: seeds were planted, the layer is to be extracted again. */
  | { type: 'settled'; isComplete: boolean }
  | { type: 'error'; error: ErrorBody }
