/** What is said of a series of numbers: robust figures only, since the machine may be busy with other things. */

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2
}

/** The median distance from the median: half of the values are nearer to it than this. */
export function spread(values: readonly number[]): number {
  const centre = median(values)
  return median(values.map((value) => Math.abs(value - centre)))
}

/**
 * The median of the ratios of each round: what else the machine did in a round has touched both sides of it, which
 * the ratio of two medians would not take into account.
 */
export function pairedRatio(values: readonly number[], others: readonly number[]): number {
  return median(
    values.flatMap((value, round) => (others[round] === undefined ? [] : [value / others[round]])),
  )
}

export function quickestRatio(values: readonly number[], others: readonly number[]): number {
  return Math.min(...values) / Math.min(...others)
}
