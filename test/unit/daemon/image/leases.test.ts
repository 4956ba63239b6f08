import { describe, expect, it } from 'vitest'
import { createLeases } from '../../../../daemon/image/leases.ts'

describe('leases', () => {
  it('keep a held key from being removed until every holder has released it', async () => {
    const leases = createLeases()
    const first = await leases.hold(['a', 'b'])
    const second = await leases.hold(['a', 'a'])
    first()
    first()
    expect(await leases.removeUnlessHeld('a', () => {})).toBe(false)
    expect(await leases.removeUnlessHeld('b', () => {})).toBe(true)
    second()
    expect(await leases.removeUnlessHeld('a', () => {})).toBe(true)
    expect(leases.isHeld('a')).toBe(false)
  })

  it('are given only after a removal under way has ended', async () => {
    const leases = createLeases()
    const order: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const removal = leases.removeUnlessHeld('a', async () => {
      await promise
      order.push('removed')
    })
    const hold = leases.hold(['a']).then(() => order.push('held'))
    resolve()
    await Promise.all([removal, hold])
    expect(order).toEqual(['removed', 'held'])
  })

  it('are given even if the removal failed', async () => {
    const leases = createLeases()
    await expect(leases.removeUnlessHeld('a', () => Promise.reject(new Error('busy')))).rejects.toThrow(
      'busy',
    )
    const release = await leases.hold(['a'])
    expect(leases.isHeld('a')).toBe(true)
    release()
  })
})
