/** Health checks as the command line writes them, as the protocol has them. Pure. */
import { KagoError } from '../../shared/errors.ts'
import type { HealthRequest } from '../../shared/protocol/health.ts'
import { parseDuration } from '../../shared/units.ts'
import { defined } from './limits.ts'
import { flag, integer, text, type ValuesOf } from './spec.ts'

export const healthOptions = {
  'health-cmd': text('COMMAND', 'Ask the container how it is with this line for its shell'),
  'health-interval': text('DURATION', 'Time between two checks: 30s'),
  'health-on-failure': text('ACTION', "When it is unhealthy: 'none', 'restart', 'stop' or 'kill'"),
  'health-retries': integer('N', 'So many failures in a row make it unhealthy: 3'),
  'health-start-interval': text('DURATION', 'Time between two checks in the start period: 5s'),
  'health-start-period': text('DURATION', 'For so long after the start, failures do not count: 0s'),
  'health-timeout': text('DURATION', 'A check that takes longer has failed: 30s'),
  'no-healthcheck': flag('No health check, whatever the image says'),
}

const actions = ['none', 'restart', 'stop', 'kill'] as const

/** Undefined where nothing of it was asked for. @throws invalid_argument naming the option. */
export function healthFrom(values: ValuesOf<typeof healthOptions>): HealthRequest | undefined {
  const onFailure = values['health-on-failure']
  const retries = values['health-retries']
  if (onFailure !== undefined && !isAction(onFailure)) {
    throw new KagoError(
      'invalid_argument',
      `--health-on-failure is one of ${actions.join(', ')}, not ${JSON.stringify(onFailure)}`,
    )
  }
  if (retries !== undefined && retries < 0) {
    throw new KagoError('invalid_argument', '--health-retries cannot be negative')
  }
  const request = defined({
    disable: values['no-healthcheck'] ? true : undefined,
    shell: values['health-cmd'],
    intervalMs: duration('--health-interval', values['health-interval']),
    timeoutMs: duration('--health-timeout', values['health-timeout']),
    startPeriodMs: duration('--health-start-period', values['health-start-period']),
    startIntervalMs: duration('--health-start-interval', values['health-start-interval']),
    // As Docker's: 0 is the default.
    retries: retries === 0 ? undefined : retries,
    onFailure,
  })
  return Object.keys(request).length === 0 ? undefined : request
}

function isAction(text: string): text is (typeof actions)[number] {
  return actions.some((action) => action === text)
}

/** As Docker's: 0 is the default. */
function duration(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const milliseconds = parseDuration(value)
  if (milliseconds !== undefined && milliseconds >= 0 && (milliseconds === 0 || milliseconds >= 1)) {
    return milliseconds === 0 ? undefined : Math.round(milliseconds)
  }
  throw new KagoError('invalid_argument', `${option}: not a duration: ${JSON.stringify(value)}`, {
    hint: 'write at least a millisecond, with a unit: 30s, 1m30s, 500ms',
  })
}
