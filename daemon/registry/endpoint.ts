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
