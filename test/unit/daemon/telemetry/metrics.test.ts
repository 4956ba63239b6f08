import { expect, test } from 'vitest'
import { DurationHistogram, renderMetrics } from '../../../../daemon/telemetry/metrics.ts'

test('a metric has its help, its type, and a line per sample', () => {
  expect(
    renderMetrics([
      {
        name: 'kago_containers',
        help: 'Containers by state',
        type: 'gauge',
        samples: [
          { labels: { state: 'running' }, value: 2 },
          { labels: {}, value: 0.5 },
        ],
      },
    ]),
  ).toBe(
    '# HELP kago_containers Containers by state\n# TYPE kago_containers gauge\nkago_containers{state="running"} 2\nkago_containers 0.5\n',
  )
})

test('what a container is called cannot break out of its label', () => {
  const text = renderMetrics([
    { name: 'm', help: 'h', type: 'gauge', samples: [{ labels: { name: 'a"b\\c\nd' }, value: 1 }] },
  ])
  expect(text.split('\n')[2]).toBe('m{name="a\\"b\\\\c\\nd"} 1')
})

test('buckets count all that are below their end; sum and count count everything', () => {
  const histogram = new DurationHistogram('took_seconds', 'How long')
  for (const seconds of [0.004, 0.02, 0.02, 1000]) histogram.observe({ kind: 'run' }, seconds)
  const lines = histogram.render().split('\n')
  expect(lines).toContain('# TYPE took_seconds histogram')
  expect(lines).toContain('took_seconds_bucket{kind="run",le="0.005"} 1')
  expect(lines).toContain('took_seconds_bucket{kind="run",le="0.01"} 1')
  expect(lines).toContain('took_seconds_bucket{kind="run",le="0.025"} 3')
  expect(lines).toContain('took_seconds_bucket{kind="run",le="300"} 3')
  expect(lines).toContain('took_seconds_bucket{kind="run",le="+Inf"} 4')
  expect(lines).toContain('took_seconds_count{kind="run"} 4')
  expect(lines.find((line) => line.startsWith('took_seconds_sum'))).toBe(
    'took_seconds_sum{kind="run"} 1000.044',
  )
})
