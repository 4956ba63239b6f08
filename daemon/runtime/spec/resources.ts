/** How much of the machine the container may use, as limits for its cgroup. */
import { KagoError } from '../../../shared/errors.ts'
import type { LinuxResources } from '../../../shared/oci/runtime-spec.ts'
import type { ResourceOptions } from '../run-options.ts'
import type { HostFacts } from './input.ts'

/** Below this the runtime itself does not fit in. */
const leastMemoryBytes = 6 * 1024 * 1024
const cpuPeriodMicroseconds = 100_000

/** Also used by `update`: only what was asked for is in the answer. */
export function linuxResources(
  asked: ResourceOptions,
  host: Pick<HostFacts, 'cpus' | 'swapAccounting'>,
): LinuxResources {
  const memory = memoryLimits(asked, host)
  const cpu = cpuLimits(asked, host)
  const pids = asked.pidsLimit
  const weight = asked.blkioWeight
  if (pids !== undefined) requireWhole(pids, 'pids limit', -1, Number.MAX_SAFE_INTEGER)
  if (weight !== undefined && weight !== 0) requireWhole(weight, 'block I/O weight', 10, 1000)
  return {
    ...(memory && { memory }),
    ...(cpu && { cpu }),
    ...(pids !== undefined && { pids: { limit: pids <= 0 ? -1 : pids } }),
    ...(weight !== undefined && weight !== 0 && { blockIO: { weight } }),
  }
}

/** As Docker: without --memory-swap there is as much swap as memory; equal values mean no swap. */
function memoryLimits(
  asked: ResourceOptions,
  host: Pick<HostFacts, 'swapAccounting'>,
): LinuxResources['memory'] {
  const { memoryBytes: limit, memorySwapBytes: swap } = asked
  if (limit === undefined || limit === 0) {
    if (swap !== undefined && swap > 0) {
      throw new KagoError('invalid_argument', 'a limit on swap needs a limit on memory', {
        hint: 'add --memory',
      })
    }
    return undefined
  }
  requireWhole(limit, 'memory limit', leastMemoryBytes, Number.MAX_SAFE_INTEGER, 'at least 6m')
  if (swap !== undefined && swap > 0 && swap < limit) {
    throw new KagoError(
      'invalid_argument',
      `the limit on memory and swap together (${swap} bytes) is below ${limit}`,
      {
        hint: '--memory-swap counts memory too: it must not be smaller than --memory',
      },
    )
  }
  if (!host.swapAccounting) {
    if (swap !== undefined && swap > 0 && swap !== limit) {
      throw new KagoError('not_supported', 'swap cannot be limited: this kernel does not account for it', {
        hint: 'boot with swapaccount=1, or leave out --memory-swap',
      })
    }
    return { limit }
  }
  if (swap === undefined || swap === 0) return { limit, swap: Math.min(limit * 2, Number.MAX_SAFE_INTEGER) }
  return { limit, swap: swap < 0 ? -1 : swap }
}

function cpuLimits(asked: ResourceOptions, host: Pick<HostFacts, 'cpus'>): LinuxResources['cpu'] {
  const { nanoCpus, cpuShares, cpusetCpus } = asked
  if (nanoCpus !== undefined && nanoCpus !== 0 && (nanoCpus < 10_000_000 || nanoCpus > host.cpus * 1e9)) {
    throw new KagoError(
      'invalid_argument',
      `${nanoCpus / 1e9} CPUs cannot be given: this machine has ${host.cpus}`,
      {
        hint: `use a number from 0.01 to ${host.cpus}`,
      },
    )
  }
  if (cpuShares !== undefined && cpuShares !== 0) requireWhole(cpuShares, 'cpu shares', 2, 262_144)
  if (cpusetCpus) requireCpuSet(cpusetCpus, host.cpus)
  const cpu = {
    ...(cpuShares && { shares: cpuShares }),
    ...(nanoCpus && {
      quota: Math.round((nanoCpus * cpuPeriodMicroseconds) / 1e9),
      period: cpuPeriodMicroseconds,
    }),
    ...(cpusetCpus && { cpus: cpusetCpus }),
  }
  return Object.keys(cpu).length > 0 ? cpu : undefined
}

function requireCpuSet(set: string, cpus: number): void {
  const valid = /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(set)
  const numbers = set.split(/[,-]/).map(Number)
  if (!valid || numbers.some((cpu) => cpu >= cpus)) {
    throw new KagoError(
      'invalid_argument',
      `processors ${JSON.stringify(set)} are not a set of this machine's`,
      {
        hint: `use a list as 0-${cpus - 1} or 0`,
      },
    )
  }
}

function requireWhole(value: number, what: string, least: number, most: number, hint?: string): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return
  throw new KagoError('invalid_argument', `${what} ${value} is not allowed`, {
    hint: hint ?? `use a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}`,
  })
}
