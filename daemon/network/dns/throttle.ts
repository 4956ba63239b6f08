/** A limit on how much one client may ask in a second, so that a flood costs little more than its reception. */

export interface Throttle {
  /** Whether this one may pass. */
  admits(source: string): boolean
}

export function createThrottle(perSecond: number, now: () => number = Date.now, maxSources = 4096): Throttle {
  let second = 0
  const counts = new Map<string, number>()
  return {
    admits(source) {
      const current = Math.floor(now() / 1000)
      if (current !== second) {
        second = current
        counts.clear()
      }
      const count = counts.get(source) ?? 0
      // Sources can be invented; there are no more of them to be remembered than containers on a full network.
      if (count >= perSecond || (count === 0 && counts.size >= maxSources)) return false
      counts.set(source, count + 1)
      return true
    },
  }
}
