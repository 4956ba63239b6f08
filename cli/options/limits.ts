/** Limits as the command line writes them, as the protocol has them. Pure. */
import { KagoError } from '../../shared/errors.ts'
import type { Resources } from '../../shared/protocol/containers.ts'
import { parseBytes } from '../../shared/units.ts'
import { integer, text, type ValuesOf } from './spec.ts'

/** Options that `run`, `create` and `update` have in common. */
export const limitOptions = {
  'blkio-weight': integer('N', 'Share of the disk, 10 to 1000; 0 is no share of its own'),
  'cpu-shares': integer('N', 'Share of the processors (relative weight)', { short: 'c' }),
  cpus: text('N', 'Number of processors: 1.5'),
  'cpuset-cpus': text('LIST', 'Processors that may be used: 0-3, 0,1'),
  memory: text('BYTES', 'Limit of memory: 512m', { short: 'm' }),
  'memory-swap': text('BYTES', 'Limit of memory and swap together; -1 is no limit of swap'),
  'pids-limit': integer('N', 'Limit of processes and threads; -1 is none'),
}

/** @throws invalid_argument naming the option. */
export function resourcesFrom(values: ValuesOf<typeof limitOptions>): Resources {
  const swap = values['memory-swap']
  return defined({
    memoryBytes: bytesOf('--memory', values.memory),
    memorySwapBytes: swap === '-1' ? -1 : bytesOf('--memory-swap', swap),
    nanoCpus: values.cpus === undefined ? undefined : parseCpus(values.cpus),
    cpuShares: values['cpu-shares'],
    cpusetCpus: values['cpuset-cpus'],
    pidsLimit: values['pids-limit'],
    blkioWeight: values['blkio-weight'],
  })
}

export function bytesOf(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  try {
    return parseBytes(value)
  } catch (error) {
    if (!(error instanceof KagoError)) throw error
    throw new KagoError('invalid_argument', `${option}: ${error.message}`, { hint: error.hint })
  }
}

function parseCpus(value: string): number {
  const nano = /^(\d+\.?\d*|\.\d+)$/.test(value) ? Math.round(Number(value) * 1e9) : Number.NaN
  if (Number.isSafeInteger(nano)) return nano
  throw new KagoError('invalid_argument', `--cpus: not a number of processors: ${JSON.stringify(value)}`, {
    hint: 'write a number: --cpus 1.5',
  })
}

/** `nofile=1024:2048`, `nofile=1024`; -1 is no limit. */
export function parseUlimit(value: string): { name: string; soft: number; hard: number } {
  const match = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(value)
  const soft = Number(match?.[2])
  const hard = Number(match?.[3] ?? match?.[2])
  if (match?.[1] === undefined || !Number.isSafeInteger(soft) || !Number.isSafeInteger(hard)) {
    throw new KagoError('invalid_argument', `--ulimit: not a limit: ${JSON.stringify(value)}`, {
      hint: 'write --ulimit NAME=SOFT[:HARD], as in nofile=1024:2048',
    })
  }
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new KagoError(
      'invalid_argument',
      `--ulimit: the soft limit of ${match[1]} is above the hard one: ${value}`,
    )
  }
  return { name: match[1], soft, hard }
}

/** An object without the keys whose value is undefined: the protocol's objects are closed. */
export function defined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
