/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files of its own, bound over the image's. */
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type HostFiles, localNames, type NameOptions, renderHosts, renderResolvConfFor } from './etc-text.ts'
import { parseResolvConf } from './resolv-conf.ts'

export interface EtcFiles {
  hosts: string
  hostname: string
  resolvConf: string
}

/** Where a container's files are: in the directory of its data. */
export function etcFilesIn(directory: string): EtcFiles {
  return {
    hosts: join(directory, 'hosts'),
    hostname: join(directory, 'hostname'),
    resolvConf: join(directory, 'resolv.conf'),
  }
}

/**
 * Writes the three files into `directory`; their paths. Synchronous: a few lines, not synced, on the path of every start.
 * @throws invalid_argument for names that cannot be written.
 */
export function writeEtcFiles(directory: string, options: NameOptions): EtcFiles {
  const files = etcFilesIn(directory)
  const { hosts, resolvConf } = render(options, readHostFiles(options))
  const texts = [
    [files.hosts, hosts],
    [files.hostname, `${options.hostname}\n`],
    [files.resolvConf, resolvConf],
  ] as const
  for (const [path, text] of texts) writeFileSync(path, text, { mode: 0o644 })
  return files
}

/**
 * Tells a running container that it is on other networks than before. What it wrote into its files itself stays: of a
 * changed hosts file only kago's own lines are exchanged, a changed resolv.conf is left alone.
 */
export async function updateEtcFiles(
  directory: string,
  before: NameOptions,
  after: NameOptions,
): Promise<void> {
  const files = etcFilesIn(directory)
  const host = readHostFiles(after)
  const [was, is] = [render(before, host), render(after, host)]
  const [hosts, resolvConf] = await Promise.all([readSmall(files.hosts), readSmall(files.resolvConf)])
  // The files are written in place: another file in their place would not be the one that is mounted.
  if (hosts !== undefined) await writeFile(files.hosts, exchangeLines(hosts, was.hosts, is.hosts))
  if (resolvConf === was.resolvConf) await writeFile(files.resolvConf, is.resolvConf)
}

function render(options: NameOptions, host: HostFiles): { hosts: string; resolvConf: string } {
  return { hosts: renderHosts(options, host), resolvConf: renderResolvConfFor(options, host.resolvConf) }
}

function exchangeLines(text: string, was: string, is: string): string {
  if (text === was) return is
  const [old, fresh] = [was.split('\n'), is.split('\n')]
  const gone = new Set(old.filter((line) => line !== '' && !fresh.includes(line)))
  const kept = text.split('\n').filter((line) => !gone.has(line))
  const added = fresh.filter((line) => line !== '' && !kept.includes(line))
  const end = kept.at(-1) === '' ? kept.slice(0, -1) : kept
  return [...end, ...added, ''].join('\n')
}

const maxBytes = 1024 * 1024

/** Undefined for what the container has made too large for anybody to have meant it. */
async function readSmall(path: string): Promise<string | undefined> {
  const { size } = await stat(path)
  return size > maxBytes ? undefined : await readFile(path, 'utf8')
}

function readHostFiles({ hostResolvConf }: NameOptions): HostFiles {
  return {
    hosts: readHostFile('/etc/hosts', localNames),
    resolvConf: parseResolvConf(readHostFile(hostResolvConf, '')),
  }
}

function readHostFile(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise
    throw error
  }
}
