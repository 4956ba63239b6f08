/** Which health check a container has: what was asked for, over what the image says, over the defaults. Pure. */
import { KagoError } from '../../shared/errors.ts'
import type { ImageExecution } from '../../shared/oci/image-config.ts'
import type { HealthCheck, HealthRequest } from '../../shared/protocol/health.ts'

const defaults = {
  intervalMs: 30_000,
  timeoutMs: 30_000,
  startPeriodMs: 0,
  startIntervalMs: 5_000,
  retries: 3,
  onFailure: 'none',
} as const satisfies Omit<HealthCheck, 'command'>

const longestMs = 2 ** 31 - 1

/** Undefined where it has none. @throws invalid_argument */
export function resolveHealth(
  asked: HealthRequest | undefined,
  { Healthcheck: image, Shell }: Pick<ImageExecution, 'Healthcheck' | 'Shell'>,
): HealthCheck | undefined {
  const { disable, command: words, shell, ...timing } = asked ?? {}
  if (disable === true) {
    if (Object.keys(asked ?? {}).length === 1) return undefined
    throw new KagoError('invalid_argument', 'a health check that is switched off can have no options', {
      hint: 'leave out --no-healthcheck, or the other --health options',
    })
  }
  if (words !== undefined && shell !== undefined) {
    throw new KagoError('invalid_argument', 'a health check has words or a line for the shell, not both')
  }
  const inShell = (line: string) => [...(Shell?.length ? Shell : ['/bin/sh', '-c']), line]
  const command = words ?? (shell !== undefined ? inShell(shell) : imageCommand(image?.Test ?? [], inShell))
  if (command === undefined) {
    if (asked === undefined) return undefined
    throw new KagoError('invalid_argument', 'a health check needs a command, and the image has none', {
      hint: 'give one: --health-cmd "wget -q -O /dev/null http://localhost/"',
    })
  }
  return { ...defaults, ...imageTiming(image ?? {}), ...timing, command }
}

/** `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`; nothing is no check. */
function imageCommand(
  [kind, ...words]: readonly string[],
  inShell: (line: string) => string[],
): string[] | undefined {
  if (kind === 'CMD-SHELL') return words[0] === undefined ? undefined : inShell(words[0])
  return kind === 'CMD' && words.length > 0 ? words : undefined
}

/** An image's durations are nanoseconds; 0 is the default. */
function imageTiming(image: NonNullable<ImageExecution['Healthcheck']>): Partial<HealthCheck> {
  const milliseconds = (value: number | undefined) =>
    value === undefined || value <= 0 ? undefined : Math.min(longestMs, Math.ceil(value / 1e6))
  const given = {
    intervalMs: milliseconds(image.Interval),
    timeoutMs: milliseconds(image.Timeout),
    startPeriodMs: milliseconds(image.StartPeriod),
    startIntervalMs: milliseconds(image.StartInterval),
    retries: image.Retries === undefined || image.Retries <= 0 ? undefined : image.Retries,
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}
