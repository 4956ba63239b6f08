/** What this daemon is. */
import os from 'node:os'
import { protocolVersion } from '../shared/protocol/endpoints.ts'
import type { Version } from '../shared/protocol/system.ts'

// The build writes these in; run from its sources, the daemon has none.
declare const __KAGO_VERSION__: string
declare const __KAGO_COMMIT__: string

export function daemonVersion(): Version {
  return {
    version: typeof __KAGO_VERSION__ === 'string' ? __KAGO_VERSION__ : 'source',
    commit: typeof __KAGO_COMMIT__ === 'string' ? __KAGO_COMMIT__ : 'unknown',
    protocol: protocolVersion,
    node: process.versions.node,
    os: os.platform(),
    architecture: os.arch(),
    kernel: os.release(),
  }
}
