/** Somewhere to ask for a registry's content. */
import type { Credentials } from './credentials.ts'

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
  /** Another kagod, asked for what has a digest; one of the mirrors in all else. */
  isPeer?: boolean
  /** A mirror's own; those of a registry are never sent to one. */
  credentials?: Credentials | undefined
  isInsecure: boolean
}
