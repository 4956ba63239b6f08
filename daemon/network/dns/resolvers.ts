/** The host's name servers: read again whenever its resolv.conf has changed. */
import { readFileSync, statSync } from 'node:fs'
import { parseResolvConf, type ResolvConf } from '../resolv-conf.ts'

export interface HostResolvers {
  /** As the file says now. Without a file, or without a server in it, the machine itself is asked (resolv.conf(5)). */
  read(): ResolvConf
}

const itself: ResolvConf = { nameServers: ['127.0.0.1'], search: [], options: [] }

export function createHostResolvers(path: string): HostResolvers {
  let known: { version: string; conf: ResolvConf } | undefined
  return {
    read() {
      // A stat costs microseconds, a watch would be lost when the file is replaced or is behind a link.
      const version = versionOf(path)
      if (version === undefined) return itself
      if (known?.version !== version) known = { version, conf: readConf(path) }
      return known.conf
    },
  }
}

function versionOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true })
  return stat && `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`
}

function readConf(path: string): ResolvConf {
  const conf = parseResolvConf(readFileSync(path, 'utf8'))
  return conf.nameServers.length > 0 ? conf : { ...conf, nameServers: itself.nameServers }
}
