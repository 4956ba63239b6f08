/** Several sources, each in its own order, as one in the order of all. Pure but for the waiting. */

export interface Merged<T> {
  item: T
  /** Which source it is from. */
  index: number
}

interface Source<T> {
  index: number
  iterator: AsyncIterator<T>
  head: T | undefined
  hasEnded: boolean
  /** It has nothing for now: nobody waits for it until something comes. */
  isIdle: boolean
  pending: Promise<void> | undefined
}

/**
 * The smallest of the next items first, as `compare` has it. With `patienceMilliseconds` a source that brings nothing
 * for so long is not waited for: what it brings later comes later, whatever its place would have been.
 * A source that fails ends the merge.
 */
export async function* mergeInOrder<T>(
  sources: readonly AsyncIterable<T>[],
  compare: (a: T, b: T) => number,
  patienceMilliseconds?: number,
): AsyncGenerator<Merged<T>> {
  const all = sources.map(
    (source, index): Source<T> => ({
      index,
      iterator: source[Symbol.asyncIterator](),
      head: undefined,
      hasEnded: false,
      isIdle: false,
      pending: undefined,
    }),
  )
  try {
    for (;;) {
      for (const source of all)
        if (source.head === undefined && !source.hasEnded) source.pending ??= fetch(source)
      await settle(all, patienceMilliseconds)
      const ready = all.filter((source) => source.head !== undefined)
      const [first] = ready.toSorted((a, b) => compareHeads(a, b, compare))
      if (first?.head !== undefined) {
        const item = first.head
        first.head = undefined
        yield { item, index: first.index }
      } else if (all.every(({ hasEnded }) => hasEnded)) return
    }
  } finally {
    // One that is waited for would end only with what it waits for.
    for (const { iterator, pending } of all) if (pending === undefined) await iterator.return?.()
  }
}

async function fetch<T>(source: Source<T>): Promise<void> {
  const { value, done } = await source.iterator.next()
  if (done === true) source.hasEnded = true
  else source.head = value
  source.isIdle = false
  source.pending = undefined
}

/** Until every source has something, has ended or is idle; and if all are idle, until one has something. */
async function settle<T>(all: readonly Source<T>[], patienceMilliseconds: number | undefined): Promise<void> {
  const waited = all.filter(({ isIdle }) => !isIdle)
  const arrivals = pendingOf(waited)
  if (arrivals.length > 0 && (await outlasts(Promise.all(arrivals), patienceMilliseconds))) {
    for (const source of waited) source.isIdle = source.pending !== undefined
  }
  const hasAny = all.some(({ head }) => head !== undefined)
  const pending = pendingOf(all)
  if (!hasAny && pending.length > 0) await Promise.race(pending)
}

function pendingOf<T>(sources: readonly Source<T>[]): Promise<void>[] {
  return sources.flatMap(({ pending }) => (pending === undefined ? [] : [pending]))
}

/** Whether the promise takes longer than that. */
async function outlasts(promise: Promise<unknown>, milliseconds: number | undefined): Promise<boolean> {
  if (milliseconds === undefined) {
    await promise
    return false
  }
  const { promise: patience, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => {
    resolve(true)
  }, milliseconds)
  try {
    return await Promise.race([promise.then(() => false), patience])
  } finally {
    clearTimeout(timer)
  }
}

function compareHeads<T>(a: Source<T>, b: Source<T>, compare: (a: T, b: T) => number): number {
  return a.head === undefined || b.head === undefined ? 0 : compare(a.head, b.head)
}
