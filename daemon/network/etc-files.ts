/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files of its own, bound over the image's. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'

export interface EtcFiles {
  hosts: string
  hostname: string
  resolvConf: string
}

export interface NameOptions {
  network: 'none' | 'host'
  hostname: string
  /** `name:address`. */
  extraHosts: readonly string[]
  dns: readonly string[]
}

/** Writes the three files into `directory`; their paths. With the host's network, the host's names are the base. */
export async function writeEtcFiles(directory: string, options: NameOptions): Promise<EtcFiles> {
  const files = {
    hosts: join(directory, 'hosts'),
    hostname: join(directory, 'hostname'),
    resolvConf: join(directory, 'resolv.conf'),
  }
  const [hosts, resolvConf] = await Promise.all([renderHosts(options), renderResolvConf(options)])
  await Promise.all([
    writeFile(files.hosts, hosts, { mode: 0o644 }),
    writeFile(files.hostname, `${options.hostname}\n`, { mode: 0o644 }),
    writeFile(files.resolvConf, resolvConf, { mode: 0o644 }),
  ])
  return files
}

const localNames = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`

async function renderHosts({ network, extraHosts }: NameOptions): Promise<string> {
  const base = network === 'host' ? await readHostFile('/etc/hosts', localNames) : localNames
  return base + extraHosts.map(renderExtraHost).join('')
}

function renderExtraHost(text: string): string {
  const at = text.search(/[:=]/)
  const name = text.slice(0, at)
  const address = text.slice(at + 1).replace(/^\[(.*)\]$/, '$1')
  if (at > 0 && /^[\w.-]+$/.test(name) && /^[0-9a-fA-F.:]+$/.test(address)) return `${address}\t${name}\n`
  throw new KagoError('invalid_argument', `not a host: ${JSON.stringify(text)}`, {
    hint: 'write NAME:ADDRESS',
  })
}

async function renderResolvConf({ network, dns }: NameOptions): Promise<string> {
  for (const server of dns) {
    if (!/^[0-9a-fA-F.:]+$/.test(server)) {
      throw new KagoError('invalid_argument', `not the address of a name server: ${JSON.stringify(server)}`)
    }
  }
  if (dns.length > 0) return dns.map((server) => `nameserver ${server}\n`).join('')
  return network === 'host' ? await readHostFile('/etc/resolv.conf', '') : ''
}

async function readHostFile(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise
    throw error
  }
}
