/** A descriptor points at bytes: their type, digest and size. OCI image spec, descriptor.md. */
import type { Digest } from './digest.ts'
import type { Platform } from './platform.ts'

export interface Descriptor {
  mediaType: string
  digest: Digest
  /** Bytes. */
  size: number
  platform?: Platform
  annotations?: Record<string, string>
  artifactType?: string
}
