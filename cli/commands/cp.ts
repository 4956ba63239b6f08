/** `kago cp`: copies files between a container and this machine, by Docker's rules. */
import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, isAbsolute, sep } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import { assertsDirectory, meansContent } from '../../shared/copy-rules.ts'
import { formatBytes } from '../../shared/units.ts'
import { call, callBytes, type Client } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { extractLocal } from '../files/extract.ts'
import { archiveName } from '../files/local-path.ts'
import { packLocal } from '../files/pack.ts'
import { flag } from '../options/spec.ts'
import { showByteCount } from '../terminal/byte-count.ts'
import { escapeLine } from '../terminal/escape.ts'
import { printError, write } from '../terminal/output.ts'
import { isTerminal } from '../terminal/tty.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER:SOURCE DESTINATION|-\n       kago cp [OPTIONS] SOURCE|- CONTAINER:DESTINATION',
  words: { min: 2, max: 2 },
  options: {
    archive: flag('Keep owners, here too where you may', { short: 'a' }),
    'follow-link': flag('Follow a symbolic link as SOURCE', { short: 'L' }),
    quiet: flag('Do not tell what was copied', { short: 'q' }),
  },
  async run({ client, options, words: [source = '', destination = ''] }) {
    const [from, to] = [parsePlace(source), parsePlace(destination)]
    if (from.container !== undefined && to.container !== undefined) {
      const middle = `kago cp ${source} - | kago cp - ${destination}`
      throw new KagoError('invalid_argument', 'both are containers', { hint: `copy in two steps: ${middle}` })
    }
    const how = { follow: options['follow-link'], isArchive: options.archive, isQuiet: options.quiet }
    let bytes: number | undefined
    if (from.container !== undefined) {
      bytes = await copyOut(client, { id: from.container, path: from.path }, to.path, how)
    } else if (to.container !== undefined) {
      bytes = await copyIn(client, from.path, { id: to.container, path: to.path }, how)
    } else {
      throw new KagoError('invalid_argument', 'neither is a container', {
        hint: 'a file of a container is CONTAINER:PATH',
      })
    }
    const isTold = !options.quiet && isTerminal(1) && bytes !== undefined
    if (isTold) await printError(`Copied ${formatBytes(bytes ?? 0)} to ${escapeLine(destination)}\n`)
    return undefined
  },
})

interface How {
  follow: boolean
  isArchive: boolean
  isQuiet: boolean
}

/** `web:/etc`; a local name with a colon is written `./a:b` or absolute. */
function parsePlace(text: string): { container?: string; path: string } {
  if (text === '') throw new KagoError('invalid_argument', 'an empty path')
  const colon = text.indexOf(':')
  if (colon <= 0 || text.startsWith('.') || isAbsolute(text) || text.startsWith(sep)) return { path: text }
  return { container: text.slice(0, colon), path: text.slice(colon + 1) || '/' }
}

async function copyOut(
  client: Client,
  { id, path }: { id: string; path: string },
  destination: string,
  { follow, isArchive, isQuiet }: How,
): Promise<number | undefined> {
  if (destination === '-' && isTerminal(1)) {
    throw new KagoError('invalid_argument', 'an archive is not for a terminal', {
      hint: `send it on: kago cp ${id}:${path} - | tar -t`,
    })
  }
  const counted = { bytes: 0 }
  await callBytes(
    client,
    'container.read-files',
    { params: { id }, query: { path, follow } },
    async (body) => {
      if (destination === '-') for await (const chunk of body) await write('stdout', chunk)
      else {
        const notice = (message: string) => void printError(`${escapeLine(message)}\n`)
        const end = showByteCount(counted, isQuiet)
        await extractLocal(body, destination, { isArchive, notice }, counted).finally(end)
      }
    },
  )
  return destination === '-' ? undefined : counted.bytes
}

async function copyIn(
  client: Client,
  source: string,
  { id, path }: { id: string; path: string },
  { follow, isQuiet }: How,
): Promise<number | undefined> {
  const params = { id }
  if (source === '-') {
    if (isTerminal(0)) {
      throw new KagoError('invalid_argument', 'stdin is a terminal, not an archive', {
        hint: `pipe one in: tar -c . | kago cp - ${id}:${path}`,
      })
    }
    await call(client, 'container.write-files', { params, query: { path, mode: 'into' } }, process.stdin)
    return undefined
  }
  const counted = { bytes: 0 }
  const { local, name } = findSource(source, follow)
  const end = showByteCount(counted, isQuiet)
  const archive = packLocal(local, name, counted)
  const request = { params, query: { path, mode: 'copy' } } as const
  await call(client, 'container.write-files', request, archive).finally(end)
  return counted.bytes
}

/** The local file and the name that it has in the archive. @throws not_found */
function findSource(source: string, follow: boolean): { local: string; name: string } {
  const text = sep === '\\' ? source.replaceAll('\\', '/') : source
  const isContent = meansContent(text) || text.endsWith('..')
  const isDirectory = assertsDirectory(text) || isContent
  let stats: Stats
  try {
    stats = isDirectory || follow ? statSync(source) : lstatSync(source)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') throw new KagoError('not_found', `there is no ${source} here`, { cause: error })
    if (code === 'ENOTDIR')
      throw new KagoError('invalid_argument', `${source} is no directory`, { cause: error })
    throw new KagoError('permission_denied', `cannot read ${source}`, { cause: error })
  }
  if (isDirectory && !stats.isDirectory()) {
    throw new KagoError('invalid_argument', `${source} is no directory`)
  }
  const isWhole = isContent || /^\/+$/.test(text)
  const name = isWhole ? '.' : archiveName(basename(source))
  return { local: isDirectory || follow ? realpathSync(source) : source, name }
}
