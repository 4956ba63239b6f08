/** Numbers for Prometheus: durations counted in buckets, and the text format that everything is told in. */

/** Upper ends of the buckets of durations, in seconds. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const

type Labels = Readonly<Record<string, string>>

export interface Sample {
  labels: Labels
  value: number
}

export interface Metric {
  /** With its unit, and `_total` for what only grows. */
  name: string
  help: string
  type: 'counter' | 'gauge'
  samples: readonly Sample[]
}

/** How long things took, by labels. */
export class DurationHistogram {
  readonly #name: string
  readonly #help: string
  readonly #series = new Map<string, { labels: Labels; counts: number[]; count: number; sum: number }>()

  constructor(name: string, help: string) {
    this.#name = name
    this.#help = help
  }

  observe(labels: Labels, seconds: number): void {
    const key = JSON.stringify(labels)
    let series = this.#series.get(key)
    if (series === undefined) {
      series = { labels, counts: durationBuckets.map(() => 0), count: 0, sum: 0 }
      this.#series.set(key, series)
    }
    const bucket = durationBuckets.findIndex((end) => seconds <= end)
    if (bucket >= 0) series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
    series.count++
    series.sum += seconds
  }

  /** In the text format; the buckets count up. */
  render(): string {
    const lines = head(this.#name, this.#help, 'histogram')
    for (const { labels, counts, count, sum } of this.#series.values()) {
      let below = 0
      for (const [index, end] of durationBuckets.entries()) {
        below += counts[index] ?? 0
        lines.push(line(`${this.#name}_bucket`, { ...labels, le: String(end) }, below))
      }
      lines.push(line(`${this.#name}_bucket`, { ...labels, le: '+Inf' }, count))
      lines.push(line(`${this.#name}_sum`, labels, sum))
      lines.push(line(`${this.#name}_count`, labels, count))
    }
    return `${lines.join('\n')}\n`
  }
}

/** Metrics in the text format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics
    .map(({ name, help, type, samples }) =>
      [...head(name, help, type), ...samples.map(({ labels, value }) => line(name, labels, value)), ''].join(
        '\n',
      ),
    )
    .join('')
}

function head(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`]
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
