import { describe, expect, it } from 'vitest'
import { mergeInOrder } from '../../../../cli/format/merge.ts'

const compare = (a: number, b: number) => a - b

async function* of(...items: number[]): AsyncGenerator<number> {
  yield* items
}

/** A source that is given its items from outside. */
function pushed() {
  const items: number[] = []
  let changed = Promise.withResolvers<undefined>()
  let hasEnded = false
  const tell = () => {
    changed.resolve(undefined)
    changed = Promise.withResolvers()
  }
  return {
    push(item: number) {
      items.push(item)
      tell()
    },
    end() {
      hasEnded = true
      tell()
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const item = items.shift()
        if (item !== undefined) yield item
        else if (hasEnded) return
        else await changed.promise
      }
    },
  }
}

async function collect(merged: AsyncIterable<{ item: number }>): Promise<number[]> {
  const items: number[] = []
  for await (const { item } of merged) items.push(item)
  return items
}

describe('a merge', () => {
  it('has everything in the order of all, and says where it is from', async () => {
    const merged: [number, number][] = []
    for await (const { item, index } of mergeInOrder([of(1, 4, 5), of(), of(2, 3, 6)], compare))
      merged.push([item, index])
    expect(merged).toEqual([
      [1, 0],
      [2, 2],
      [3, 2],
      [4, 0],
      [5, 0],
      [6, 2],
    ])
  })

  it('waits for a slow source as long as it has no patience to lose', async () => {
    const slow = pushed()
    setTimeout(() => {
      slow.push(1)
      slow.end()
    }, 50)
    expect(await collect(mergeInOrder([of(2, 3), slow], compare))).toEqual([1, 2, 3])
  })

  it('goes on without a source that is silent, and with it as soon as it speaks', async () => {
    const silent = pushed()
    const merged = mergeInOrder([of(5, 6, 7), silent], compare, 10)[Symbol.asyncIterator]()
    const next = async () => (await merged.next()).value?.item
    expect([await next(), await next(), await next()]).toEqual([5, 6, 7])
    const waiting = next()
    silent.push(1)
    expect(await waiting).toBe(1)
    silent.end()
    expect(await next()).toBeUndefined()
  })

  it('fails with the source that fails, and ends the others', async () => {
    let hasEnded = false
    async function* endless() {
      try {
        for (;;) yield 0
      } finally {
        hasEnded = true
      }
    }
    async function* failing(): AsyncGenerator<number> {
      yield 1
      throw new Error('broken')
    }
    const merged = mergeInOrder([endless(), failing()], (a, b) => b - a)
    await expect(collect(merged)).rejects.toThrow('broken')
    expect(hasEnded).toBe(true)
  })
})
