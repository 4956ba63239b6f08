import { describe, expect, it } from 'vitest'
import { createLayerWork, type JoinOptions } from '../../../../daemon/image/layer-work.ts'
import type { Progress } from '../../../../shared/protocol/progress.ts'

const never = new AbortController().signal
const done = (digest: string): Progress => ({ type: 'layer', digest, phase: 'done' })

function gate() {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  return { promise, open: resolve, fail: reject }
}

describe('layer work', () => {
  it('is done once for all that ask for the same key at once', async () => {
    const work = createLayerWork()
    const { promise, open } = gate()
    let runs = 0
    const run = async () => {
      runs++
      await promise
    }
    const both = [1, 2].map(() => work.join('a', { report: () => {}, signal: never }, run))
    open()
    await Promise.all(both)
    expect(runs).toBe(1)
    await work.join('a', { report: () => {}, signal: never }, run)
    expect(runs).toBe(2)
  })

  it('tells a caller that joins late where each layer is', async () => {
    const work = createLayerWork()
    const { promise, open } = gate()
    const run = async ({ report }: JoinOptions) => {
      report(done('one'))
      await promise
      report(done('two'))
    }
    const late: Progress[] = []
    const first = work.join('a', { report: () => {}, signal: never }, run)
    const second = work.join('a', { report: (progress) => late.push(progress), signal: never }, run)
    open()
    await Promise.all([first, second])
    expect(late).toEqual([done('one'), done('two')])
  })

  it('goes on when one of two callers leaves, and is cancelled when the last one does', async () => {
    const work = createLayerWork()
    let inner: AbortSignal | undefined
    let hasEnded = false
    const run = async ({ signal }: JoinOptions) => {
      inner = signal
      const { promise, resolve } = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => setTimeout(resolve, 5))
      await promise
      hasEnded = true
      signal.throwIfAborted()
    }
    const one = new AbortController()
    const two = new AbortController()
    const first = work.join('a', { report: () => {}, signal: one.signal }, run)
    const second = work.join('a', { report: () => {}, signal: two.signal }, run)
    one.abort()
    await expect(first).rejects.toThrow('aborted')
    expect(inner?.aborted).toBe(false)
    two.abort()
    await expect(second).rejects.toThrow('aborted')
    expect(inner?.aborted).toBe(true)
    expect(hasEnded).toBe(true)
  })

  it('fails for all that wait for it', async () => {
    const work = createLayerWork()
    const { promise, fail } = gate()
    const both = [1, 2].map(() => work.join('a', { report: () => {}, signal: never }, () => promise))
    fail(new Error('no disk'))
    for (const result of await Promise.allSettled(both)) expect(result.status).toBe('rejected')
  })
})
