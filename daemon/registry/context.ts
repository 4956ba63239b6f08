/** What the parts of a registry client share. */
import type { InsecureHosts } from './addresses.ts'
import type { Authenticator } from './auth.ts'
import type { Credentials } from './credentials.ts'
import type { RegistryMirrors } from './mirrors.ts'
import type { RetryPolicy } from './retry.ts'
import type { RegistryLog, Send, Timeouts } from './transport.ts'

export interface RegistryContext {
  send: Send
  insecure: InsecureHosts
  mirrors: RegistryMirrors
  authenticator: Authenticator
  /** The scheme that answered, of hosts that may be spoken to in either. */
  schemes: Map<string, 'https:' | 'http:'>
  timeouts: Timeouts
  retry: RetryPolicy
  /** Larger blobs are uploaded in pieces of this size. */
  uploadChunkBytes: number
  log: RegistryLog
}

/** What each call may be given. */
export interface CallOptions {
  /** Sent to the registry and its token server, never to a mirror. */
  credentials?: Credentials | undefined
  signal?: AbortSignal | undefined
}
