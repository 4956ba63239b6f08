/** The last values of something as a row of small bars. Pure. */

const bars = '▁▂▃▄▅▆▇█'

/** As wide as asked for, the newest at the right; the highest bar is the greatest value. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width)
  const most = Math.max(...shown, 0)
  const text = shown
    .map(
      (value) => bars[most === 0 ? 0 : Math.min(bars.length - 1, Math.floor((value / most) * bars.length))],
    )
    .join('')
  return text.padStart(width)
}
