/** Keeps bytes and trees that a running verb needs from being collected beneath it. In memory: no verb outlives the daemon. */

/** Gives back what was held. Calling it again does nothing. */
export type Release = () => void

export interface Leases {
  /** Holds keys (digests, chainIDs), waiting for a removal of one that is under way. */
  hold(keys: Iterable<string>): Promise<Release>
  isHeld(key: string): boolean
  /**
   * Runs `remove` if nobody holds the key; until it ends nobody can. False if somebody does.
   * `remove` begins before this returns, unless another removal of the key is under way.
   */
  removeUnlessHeld(key: string, remove: () => void | Promise<void>): Promise<boolean>
}

export function createLeases(): Leases {
  const holders = new Map<string, number>()
  const removals = new Map<string, Promise<void>>()

  return {
    async hold(keys) {
      const held = [...new Set(keys)]
      // Counted first: a removal that has not begun finds them held, one that has is waited for.
      for (const key of held) holders.set(key, (holders.get(key) ?? 0) + 1)
      for (const key of held) while (removals.has(key)) await removals.get(key)
      return () => {
        for (const key of held.splice(0)) {
          const left = (holders.get(key) ?? 0) - 1
          if (left > 0) holders.set(key, left)
          else holders.delete(key)
        }
      }
    },
    isHeld: (key) => holders.has(key),
    async removeUnlessHeld(key, remove) {
      while (removals.has(key)) await removals.get(key)
      if (holders.has(key)) return false
      const { promise, resolve } = Promise.withResolvers<void>()
      removals.set(key, promise)
      try {
        await remove()
      } finally {
        removals.delete(key)
        resolve()
      }
      return true
    },
  }
}
