/** What was decided when a container was created, as its row in the database keeps it. */
import type { Digest } from '../../shared/oci/digest.ts'
import type { ContainerOptions } from '../../shared/protocol/containers.ts'
import { noPorts } from './port-options.ts'
import type { SpecImageConfig } from '../runtime/spec.ts'
import type { ContainerRow } from '../state/containers.ts'

export interface ContainerRecord {
  image: {
    /** The name it was asked for by. */
    reference: string
    id: Digest
    manifestDigest: Digest
    platform: string
  }
  options: ContainerOptions
  /** What the image says of its process. */
  imageConfig: SpecImageConfig
  /** What runs, after the image's defaults were applied. */
  process: { args: string[]; env: string[]; workingDir: string; user: string }
  hostname: string
  /** The image's layers, lowest first. Kept here so that the container outlives the image's name. */
  chainIds: Digest[]
  runtime: string
  snapshotter: string
  /** Somebody took it out of its last network: it starts in none. */
  isDisconnected?: boolean
}

export interface Container extends Omit<ContainerRow, 'record'> {
  record: ContainerRecord
}

/** The row was written by kago itself, from a checked request. */
export function readContainer(row: ContainerRow): Container {
  const record = JSON.parse(row.record) as ContainerRecord
  // One of an older kagod knows of no ports.
  return { ...row, record: { ...record, options: { ...noPorts, ...record.options } } }
}
