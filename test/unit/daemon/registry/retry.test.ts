/** What is tried again, when, and how often. */
import { describe, expect, it } from 'vitest'
import {
  delayBefore,
  parseRetryAfter,
  type RetryNotice,
  retrying,
  Transient,
} from '../../../../daemon/registry/retry.ts'
import { KagoError } from '../../../../shared/errors.ts'

const policy = { attempts: 4, baseMs: 1, maximumMs: 50 }
const broken = new KagoError('unavailable', 'the connection broke', { hint: 'try again' })

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')

  it.each([
    ['0', 0],
    ['120', 120_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Thu, 01 Jan 2020 00:00:00 GMT', 0],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    ['99999999999999999999', undefined],
    [undefined, undefined],
  ])('%s is %s ms', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected)
  })

  it('is obeyed up to a bound, and beyond it there is no waiting at all', () => {
    expect(delayBefore(1, new Transient(broken, { retryAfterMs: 50 }), policy)).toBe(50)
    expect(delayBefore(1, new Transient(broken, { retryAfterMs: 51 }), policy)).toBeUndefined()
  })
})

describe('an action that fails', () => {
  const failing = (failures: Error[]) => {
    let calls = 0
    return {
      calls: () => calls,
      action: async () => {
        calls += 1
        const failure = failures.shift()
        if (failure !== undefined) throw failure
        return await Promise.resolve('done')
      },
    }
  }

  it('for a while is tried until it works, each wait told before', async () => {
    const notices: RetryNotice[] = []
    const { action } = failing([new Transient(broken), new Transient(broken)])
    expect(await retrying(policy, undefined, (notice) => notices.push(notice), action)).toBe('done')
    expect(notices).toMatchObject([
      { attempt: 1, reason: 'the connection broke' },
      { attempt: 2, reason: 'the connection broke' },
    ])
  })

  it('for good is not tried again', async () => {
    const { action, calls } = failing([broken, broken])
    await expect(retrying(policy, undefined, undefined, action)).rejects.toBe(broken)
    expect(calls()).toBe(1)
  })

  it('too often ends with its error and how often it was tried', async () => {
    const { action, calls } = failing(Array.from({ length: 9 }, () => new Transient(broken)))
    await expect(retrying(policy, undefined, undefined, action)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the connection broke',
      hint: 'try again',
      details: { attempts: 4 },
    })
    expect(calls()).toBe(4)
  })

  it('may be worth fewer tries than others', async () => {
    const { action, calls } = failing(Array.from({ length: 9 }, () => new Transient(broken, { attempts: 2 })))
    await expect(retrying(policy, undefined, undefined, action)).rejects.toMatchObject({
      details: { attempts: 2 },
    })
    expect(calls()).toBe(2)
  })

  it('and asks to be left alone for long says so', async () => {
    const { action } = failing([new Transient(broken, { retryAfterMs: 90_500 })])
    await expect(retrying(policy, undefined, undefined, action)).rejects.toMatchObject({
      hint: 'it asks to be left alone for 91 s',
    })
  })

  it('is not tried again after a cancel, which ends the waiting too', async () => {
    const controller = new AbortController()
    const { action, calls } = failing(Array.from({ length: 9 }, () => new Transient(broken)))
    const slow = { attempts: 4, baseMs: 1e9, maximumMs: 1e9 }
    const done = retrying(slow, controller.signal, () => setImmediate(() => controller.abort()), action)
    await expect(done).rejects.toMatchObject({ code: 'cancelled' })
    expect(calls()).toBe(1)
  })
})

it.each([
  [1, 100],
  [2, 200],
  [3, 400],
  [4, 800],
  [5, 1000],
  [9, 1000],
])('the wait before the try after %i is spread below %i', (attempt, bound) => {
  const long = { attempts: 10, baseMs: 100, maximumMs: 1000 }
  const delays = Array.from({ length: 100 }, () => delayBefore(attempt, new Transient(broken), long) ?? -1)
  expect(Math.max(...delays)).toBeLessThanOrEqual(bound)
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(bound * 0.75)
  expect(new Set(delays).size).toBeGreaterThan(1)
})
