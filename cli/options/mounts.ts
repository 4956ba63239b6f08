/** Mounts as the command line writes them (`-v`, `--mount`, `--tmpfs`), as the protocol has them. */
import { isAbsolute, resolve } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { Mount } from '../../shared/protocol/containers.ts'
import { bytesOf, defined } from './limits.ts'

type Propagation = NonNullable<Mount['propagation']>

const propagations: readonly string[] = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']

function isPropagation(word: string): word is Propagation {
  return propagations.includes(word)
}

/**
 * `SOURCE:TARGET[:OPTIONS]` of a directory or file; a source that begins with `.` is taken from here.
 * Volumes, with a name or without, are not there yet and are refused.
 */
export function parseVolume(spec: string): Mount {
  const windows = /^[a-z]:[\\/]/i.exec(spec) === null ? 0 : 2
  const parts = spec.slice(windows).split(':')
  const source = spec.slice(0, windows) + (parts[0] ?? '')
  const [, target, options, ...more] = parts
  if (target === undefined) throw noVolumes(`-v ${spec} asks for a volume without a name`)
  if (more.length > 0 || source === '' || target === '') throw badVolume(spec)
  if (!isPath(source)) throw noVolumes(`-v ${spec} asks for the volume ${source}`)
  const mount: Mount = {
    type: 'bind',
    source: resolveSource(source),
    target: checkTarget(target, `-v ${spec}`),
  }
  for (const word of options === undefined ? [] : options.split(',')) {
    if (word === 'ro') mount.readOnly = true
    else if (word === 'rw') mount.readOnly = false
    else if (isPropagation(word)) mount.propagation = word
    // Labels of SELinux, and consistency on another system's file sharing: nothing to do here.
    else if (!['z', 'Z', 'nocopy', 'consistent', 'cached', 'delegated'].includes(word))
      throw badVolume(spec, word)
  }
  return mount
}

/** `type=bind,source=/x,target=/y,readonly` and `type=tmpfs,target=/y,tmpfs-size=64m`; words in any order. */
export function parseMount(spec: string): Mount {
  const where = `--mount ${spec}`
  const fields = new Map<string, string>()
  for (const field of splitCommas(spec)) {
    const equals = field.indexOf('=')
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase()
    fields.set(longNames[key] ?? key, equals < 0 ? 'true' : field.slice(equals + 1))
  }
  const type = fields.get('type') ?? 'volume'
  if (type === 'volume') throw noVolumes(`${where} asks for a volume`)
  if (type !== 'bind' && type !== 'tmpfs') throw badMount(where, `there is no mount of type ${type}`)
  for (const key of fields.keys()) {
    if (!knownKeys[type].includes(key)) throw badMount(where, `a ${type} mount has no ${key}`)
  }
  const target = checkTarget(fields.get('target') ?? '', where)
  const readOnly = readBoolean(fields.get('readonly'), where)
  if (type === 'tmpfs') {
    const mode = fields.get('tmpfs-mode')
    if (mode !== undefined && !/^0?[0-7]{1,4}$/.test(mode))
      throw badMount(where, `not an octal mode: ${mode}`)
    return defined({
      type,
      target,
      readOnly,
      tmpfsSizeBytes: bytesOf('--mount tmpfs-size', fields.get('tmpfs-size')),
      tmpfsMode: mode === undefined ? undefined : Number.parseInt(mode, 8),
    })
  }
  const source = fields.get('source')
  if (source === undefined || source === '') throw badMount(where, 'a bind needs source=')
  if (!isPath(source)) throw badMount(where, `a bind source is an absolute path, not ${source}`)
  const propagation = fields.get('bind-propagation')
  if (propagation !== undefined && !isPropagation(propagation)) {
    throw badMount(where, `there is no propagation ${propagation}`)
  }
  const nonRecursive = readBoolean(fields.get('bind-nonrecursive'), where)
  return defined({ type, source: resolveSource(source), target, readOnly, propagation, nonRecursive })
}

const longNames: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
}

const knownKeys: Readonly<Record<'bind' | 'tmpfs', readonly string[]>> = {
  bind: ['type', 'source', 'target', 'readonly', 'bind-propagation', 'bind-nonrecursive', 'consistency'],
  tmpfs: ['type', 'target', 'readonly', 'tmpfs-size', 'tmpfs-mode'],
}

/** `TARGET[:OPTIONS]` of `--tmpfs`. */
export function parseTmpfs(spec: string): { target: string; options: string } {
  const colon = spec.indexOf(':')
  const target = colon < 0 ? spec : spec.slice(0, colon)
  return { target: checkTarget(target, `--tmpfs ${spec}`), options: colon < 0 ? '' : spec.slice(colon + 1) }
}

/** `HOST[:CONTAINER[:rwm]]`; the middle may be left out when the last part is only permissions. */
export function parseDevice(spec: string): { hostPath: string; containerPath: string; permissions: string } {
  const [hostPath = '', second, third, ...more] = spec.split(':')
  const isMode = (word: string) => /^[rwm]{1,3}$/.test(word)
  const [containerPath, permissions] =
    second !== undefined && third === undefined && isMode(second)
      ? [hostPath, second]
      : [second ?? hostPath, third ?? 'rwm']
  if (
    more.length > 0 ||
    !hostPath.startsWith('/') ||
    !containerPath.startsWith('/') ||
    !isMode(permissions)
  ) {
    throw new KagoError('invalid_argument', `--device: not a device: ${JSON.stringify(spec)}`, {
      hint: 'write --device /dev/host[:/dev/container[:rwm]]',
    })
  }
  return { hostPath, containerPath, permissions }
}

function isPath(source: string): boolean {
  return isAbsolute(source) || source === '.' || source === '..' || /^\.\.?[\\/]/.test(source)
}

function resolveSource(source: string): string {
  return source.startsWith('/') ? source : resolve(source)
}

function checkTarget(target: string, where: string): string {
  if (target.startsWith('/')) return target
  throw new KagoError(
    'invalid_argument',
    `${where}: the target is an absolute path in the container, not ${JSON.stringify(target)}`,
  )
}

function readBoolean(value: string | undefined, where: string): boolean | undefined {
  if (value === undefined) return undefined
  if (value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw badMount(where, `${JSON.stringify(value)} is neither true nor false`)
}

/** Fields of one line of CSV: a field in double quotes may hold commas. */
function splitCommas(line: string): string[] {
  const fields = line.match(/("(?:[^"]|"")*"|[^,])+|(?<=,|^)(?=,|$)/g) ?? []
  return fields.map((field) => (/^".*"$/s.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field))
}

function noVolumes(message: string): KagoError {
  return new KagoError('not_supported', `${message}; volumes are not supported yet`, {
    hint: 'a bind source is an absolute path, or one that begins with ./',
  })
}

function badVolume(spec: string, word?: string): KagoError {
  const about = word === undefined ? '' : `: ${JSON.stringify(word)}`
  return new KagoError('invalid_argument', `-v: not a mount: ${JSON.stringify(spec)}${about}`, {
    hint: 'write -v /host/path:/container/path[:ro]',
  })
}

function badMount(where: string, reason: string): KagoError {
  return new KagoError('invalid_argument', `${where}: ${reason}`, {
    hint: 'write --mount type=bind,source=/x,target=/y[,readonly] or type=tmpfs,target=/y[,tmpfs-size=64m]',
  })
}
