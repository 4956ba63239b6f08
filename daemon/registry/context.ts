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
  log: RegistryLog
}

/** What each call may be given. */
export interface CallOptions {
  /** Sent to the registry and its token server, never to a mirror. */
  credentials?: Credentials | undefined
  signal?: AbortSignal | undefined
}

/** Somewhere to ask for a registry's content. */
export interface Endpoint {
  /** As the reference has it: `docker.io`. */
  registry: string
  /** As DNS has it, with a port if one is written: `registry-1.docker.io`. */
  host: string
  /** Asked first; undefined where both are allowed. */
  scheme: 'https:' | 'http:' | undefined
  /** Put before the repository: mirrors may keep a registry's content below a path. Empty or ending in a slash. */
  prefix: string
  isMirror: boolean
  isInsecure: boolean
}
