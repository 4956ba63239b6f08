/** One writer per container: a verb holds the container's lock while it changes it. */

export interface Locks {
  /** Runs `body` when all that asked for the same key before have finished. */
  hold<T>(key: string, body: () => Promise<T>): Promise<T>
}

export function createLocks(): Locks {
  const tails = new Map<string, Promise<unknown>>()
  return {
    async hold(key, body) {
      const before = tails.get(key)
      const mine = Promise.withResolvers<void>()
      tails.set(key, mine.promise)
      try {
        await before
        return await body()
      } finally {
        if (tails.get(key) === mine.promise) tails.delete(key)
        mine.resolve()
      }
    },
  }
}
