/** A restart policy as the command line writes it, as the protocol has it. Pure. */
import { KagoError } from '../../shared/errors.ts'
import { nearest } from '../../shared/nearest.ts'
import type { RestartPolicy } from '../../shared/protocol/containers.ts'

const policies = ['no', 'on-failure', 'always', 'unless-stopped'] as const

/** `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`. @throws invalid_argument */
export function parseRestart(value: string): RestartPolicy {
  const [name = '', count, ...more] = value.split(':')
  const policy = policies.find((one) => one === name)
  if (policy === undefined) {
    const meant = nearest(name, policies)
    throw new KagoError('invalid_argument', `--restart: no such policy: ${JSON.stringify(value)}`, {
      hint: meant === undefined ? `policies: ${policies.join(', ')}` : `did you mean ${meant}?`,
    })
  }
  if (count === undefined) return { policy }
  if (policy !== 'on-failure' || more.length > 0 || !/^\d{1,9}$/.test(count)) {
    throw new KagoError('invalid_argument', `--restart: not a policy: ${JSON.stringify(value)}`, {
      hint: 'only on-failure takes a number, of retries: on-failure:3',
    })
  }
  return { policy, maximumRetries: Number(count) }
}
