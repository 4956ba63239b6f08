/** Mounts as the command line writes them (`-v`, `--mount`, `--tmpfs`), as the protocol has them. */
import { isAbsolute, resolve } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { Mount } from '../../shared/protocol/containers.ts'
import { toMap } from './files.ts'
import { bytesOf, defined } from './limits.ts'

type Propagation = NonNullable<Mount['propagation']>

const propagations: readonly string[] = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']

function isPropagation(word: string): word is Propagation {
  return propagations.includes(word)
}

/**
 * `[SOURCE:]TARGET[:OPTIONS]`: a source that is a path (one that begins with `.` is taken from here) is bound, any other
 * names a volume; without a source the volume is made for the container.
 */
export function parseVolume(spec: string): Mount {
  const windows = /^[a-z]:[\\/]/i.exec(spec) === null ? 0 : 2
  const parts = spec.slice(windows).split(':')
  const first = spec.slice(0, windows) + (parts[0] ?? '')
  const [, second, options, ...more] = parts
  if (more.length > 0 || first === '' || second === '') throw badVolume(spec)
  if (second === undefined) return { type: 'volume', target: checkTarget(first, `-v ${spec}`) }
  const isBind = isPath(first)
  const mount: Mount = {
    type: isBind ? 'bind' : 'volume',
    source: isBind ? resolveSource(first) : first,
    target: checkTarget(second, `-v ${spec}`),
  }
  for (const word of options === undefined ? [] : options.split(',')) {
    if (word === 'ro') mount.readOnly = true
    else if (word === 'rw') mount.readOnly = false
    else if (isPropagation(word) && isBind) mount.propagation = word
    else if (word === 'nocopy' && !isBind) mount.noCopy = true
    // Labels of SELinux (there is a notice), and consistency on another system's file sharing: nothing to do here.
    else if (!['z', 'Z', 'consistent', 'cached', 'delegated'].includes(word)) throw badVolume(spec, word)
  }
  return mount
}

/** Whether `-v` asks for labels of SELinux, which kago does not set. */
export function asksForLabels(spec: string): boolean {
  return /:(?:.*,)?[zZ](?:,[^:]*)?$/.test(spec)
}

/** `type=volume,source=NAME,target=/y` (the type may be left out), `type=bind,…`, `type=tmpfs,…`; words in any order. */
export function parseMount(spec: string): Mount {
  const where = `--mount ${spec}`
  const fields = new Map<string, string>()
  const labels: string[] = []
  for (const field of splitCommas(spec)) {
    const equals = field.indexOf('=')
    const word = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase()
    const key = longNames[word] ?? word
    const value = equals < 0 ? 'true' : field.slice(equals + 1)
    if (key === 'volume-label') labels.push(value)
    fields.set(key, value)
  }
  const type = fields.get('type') ?? 'volume'
  if (!isType(type)) throw badMount(where, `there is no mount of type ${type}`)
  for (const key of fields.keys()) {
    if (!knownKeys[type].includes(key)) throw badMount(where, `a ${type} mount has no ${key}`)
  }
  const common = {
    type,
    target: checkTarget(fields.get('target') ?? '', where),
    readOnly: readBoolean(fields.get('readonly'), where),
  }
  switch (type) {
    case 'tmpfs':
      return defined({ ...common, ...tmpfsFields(fields, where) })
    case 'bind':
      return defined({ ...common, ...bindFields(fields, where) })
    case 'volume':
      return defined({ ...common, ...volumeFields(fields, labels, where) })
  }
}

type Fields = ReadonlyMap<string, string>

function tmpfsFields(fields: Fields, where: string) {
  const mode = fields.get('tmpfs-mode')
  if (mode !== undefined && !/^0?[0-7]{1,4}$/.test(mode)) throw badMount(where, `not an octal mode: ${mode}`)
  return {
    sizeBytes: bytesOf('--mount tmpfs-size', fields.get('tmpfs-size')),
    mode: mode === undefined ? undefined : Number.parseInt(mode, 8),
  }
}

function bindFields(fields: Fields, where: string) {
  const source = fields.get('source')
  if (source === undefined || source === '') throw badMount(where, 'a bind needs source=')
  if (!isPath(source)) throw badMount(where, `a bind source is an absolute path, not ${source}`)
  const propagation = fields.get('bind-propagation')
  if (propagation !== undefined && !isPropagation(propagation)) {
    throw badMount(where, `there is no propagation ${propagation}`)
  }
  const createSource = readBoolean(fields.get('bind-create-src'), where)
  return { source: resolveSource(source), propagation, recursive: readRecursive(fields, where), createSource }
}

function readRecursive(fields: Fields, where: string): Mount['recursive'] {
  const word = fields.get('bind-recursive')
  if (word !== undefined) {
    if (isRecursive(word)) return word
    throw badMount(where, `bind-recursive is ${recursives.join(', ')}, not ${word}`)
  }
  return readBoolean(fields.get('bind-nonrecursive'), where) === true ? 'disabled' : undefined
}

function volumeFields(fields: Fields, labels: readonly string[], where: string) {
  const driver = fields.get('volume-driver')
  if (driver !== undefined && driver !== 'local') throw badMount(where, `there is no volume driver ${driver}`)
  const source = fields.get('source')
  if (source !== undefined && isPath(source)) {
    throw badMount(where, `a volume has a name, not the path ${source}: write type=bind`)
  }
  return {
    source: source === '' ? undefined : source,
    noCopy: readBoolean(fields.get('volume-nocopy'), where),
    subpath: fields.get('volume-subpath'),
    volumeLabels: labels.length === 0 ? undefined : toMap('--mount volume-label', labels),
  }
}

const recursives = ['enabled', 'disabled', 'writable', 'readonly'] as const

function isRecursive(word: string): word is (typeof recursives)[number] {
  return recursives.some((one) => one === word)
}

function isType(word: string): word is Mount['type'] {
  return Object.hasOwn(knownKeys, word)
}

const longNames: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
}

const commonKeys = ['type', 'source', 'target', 'readonly', 'consistency']

const knownKeys: Readonly<Record<Mount['type'], readonly string[]>> = {
  bind: [...commonKeys, 'bind-propagation', 'bind-nonrecursive', 'bind-recursive', 'bind-create-src'],
  tmpfs: ['type', 'target', 'readonly', 'tmpfs-size', 'tmpfs-mode', 'consistency'],
  volume: [...commonKeys, 'volume-nocopy', 'volume-subpath', 'volume-label', 'volume-driver'],
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

function badVolume(spec: string, word?: string): KagoError {
  const about = word === undefined ? '' : `: ${JSON.stringify(word)}`
  return new KagoError('invalid_argument', `-v: not a mount: ${JSON.stringify(spec)}${about}`, {
    hint: 'write -v /host/path:/container/path[:ro], or -v NAME:/container/path[:ro,nocopy] for a volume',
  })
}

function badMount(where: string, reason: string): KagoError {
  return new KagoError('invalid_argument', `${where}: ${reason}`, {
    hint: 'write --mount type=volume,source=NAME,target=/y, type=bind,source=/x,target=/y[,readonly] or type=tmpfs,target=/y',
  })
}
