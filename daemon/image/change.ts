/** Instructions of a Dockerfile applied to an image's config: `--change` of commit and import. Pure. */
import { posix } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { ImageExecution } from '../../shared/oci/image-config.ts'
import { parseDuration } from '../../shared/units.ts'
import { jsonWords, splitWords } from './change-words.ts'

interface Change {
  config: ImageExecution
  /** What follows the instruction. */
  rest: string
  words: string[]
  isCommandSet: boolean
}

/** @throws invalid_argument naming the instruction */
export function applyChanges(config: ImageExecution, changes: readonly string[]): ImageExecution {
  const result = structuredClone(config)
  let isCommandSet = false
  for (const line of changes) {
    const match = /^\s*([A-Za-z]+)(?:\s+([\s\S]*?))?\s*$/.exec(line)
    const name = match?.[1]?.toUpperCase() ?? ''
    const apply = Object.hasOwn(instructions, name) ? instructions[name] : undefined
    if (apply === undefined) {
      throw new KagoError('invalid_argument', `no such change: ${JSON.stringify(line.slice(0, 100))}`, {
        hint: `a change begins with one of ${Object.keys(instructions).join(', ')}`,
      })
    }
    const rest = match?.[2] ?? ''
    if (rest === '') throw new KagoError('invalid_argument', `${name} needs something after it`)
    const words = splitWords(rest, variablesOf(result.Env ?? []))
    apply({ config: result, rest, words, isCommandSet })
    if (name === 'CMD') isCommandSet = true
  }
  return result
}

const instructions: Readonly<Record<string, (change: Change) => void>> = {
  CMD({ config, rest }) {
    config.Cmd = commandOf(config, rest)
  },
  ENTRYPOINT({ config, rest, isCommandSet }) {
    config.Entrypoint = commandOf(config, rest)
    // A command was written for the entrypoint that was there before.
    if (!isCommandSet) delete config.Cmd
  },
  ENV({ config, rest, words }) {
    const variables = variablesOf(config.Env ?? [])
    for (const [key, value] of pairsOf('ENV', rest, words)) variables.set(key, value)
    config.Env = [...variables].map(([key, value]) => `${key}=${value}`)
  },
  EXPOSE({ config, words }) {
    config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(words.flatMap(portsOf)) }
  },
  HEALTHCHECK({ config, rest }) {
    config.Healthcheck = healthOf(config, rest)
  },
  LABEL({ config, rest, words }) {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairsOf('LABEL', rest, words)) }
  },
  ONBUILD({ config, rest }) {
    config.OnBuild = [...(config.OnBuild ?? []), rest]
  },
  STOPSIGNAL({ config, words: [signal = ''] }) {
    config.StopSignal = signal
  },
  USER({ config, words: [user = ''] }) {
    config.User = user
  },
  VOLUME({ config, rest, words }) {
    const paths = jsonWords(rest) ?? words
    config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) }
  },
  WORKDIR({ config, words: [path = ''] }) {
    config.WorkingDir = posix.resolve(config.WorkingDir || '/', path)
  },
}

function commandOf(config: ImageExecution, rest: string): string[] {
  return jsonWords(rest) ?? [...(config.Shell ?? ['/bin/sh', '-c']), rest]
}

/** `A=b C=d`, or the old form `A b c` for one. */
function pairsOf(name: string, rest: string, words: readonly string[]): [string, string][] {
  const [first = ''] = words
  if (!first.includes('=')) {
    if (words.length < 2) throw new KagoError('invalid_argument', `${name} ${first}: there is no value`)
    return [[first, rest.slice(rest.search(/\s/)).trim()]]
  }
  return words.map((word) => {
    const at = word.indexOf('=')
    if (at > 0) return [word.slice(0, at), word.slice(at + 1)]
    throw new KagoError('invalid_argument', `${name}: not KEY=VALUE: ${word}`)
  })
}

function portsOf(word: string): [string, object][] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (match === null || first < 1 || last > 65535 || last < first) {
    throw new KagoError('invalid_argument', `EXPOSE: not a port: ${word}`, {
      hint: 'write 80, 53/udp or 8000-8010',
    })
  }
  const protocol = match[3]?.toLowerCase() ?? 'tcp'
  return Array.from({ length: last - first + 1 }, (_, index) => [`${first + index}/${protocol}`, {}])
}

const healthTimes: Readonly<Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
}

function healthOf(config: ImageExecution, rest: string): NonNullable<ImageExecution['Healthcheck']> {
  const health: NonNullable<ImageExecution['Healthcheck']> = {}
  let left = rest
  for (
    let match = /^--([a-z-]+)=(\S+)\s+/.exec(left);
    match !== null;
    match = /^--([a-z-]+)=(\S+)\s+/.exec(left)
  ) {
    const [whole, name = '', value = ''] = match
    const key = healthTimes[name]
    const milliseconds = parseDuration(value)
    if (key !== undefined && milliseconds !== undefined) health[key] = Math.round(milliseconds * 1e6)
    else if (name === 'retries' && /^\d+$/.test(value)) health.Retries = Number(value)
    else throw new KagoError('invalid_argument', `HEALTHCHECK: not an option: ${whole.trim()}`)
    left = left.slice(whole.length)
  }
  if (/^none$/i.test(left)) return { Test: ['NONE'] }
  const command = /^cmd\s+([\s\S]+)$/i.exec(left)?.[1]
  if (command === undefined) throw new KagoError('invalid_argument', 'HEALTHCHECK needs CMD or NONE')
  const words = jsonWords(command)
  health.Test = words === undefined ? ['CMD-SHELL', command] : ['CMD', ...words]
  return health
}

function variablesOf(environment: readonly string[]): Map<string, string> {
  return new Map(
    environment.map((entry) => {
      const at = entry.indexOf('=')
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}
