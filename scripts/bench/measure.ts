/** Measures engines side by side: round after round, each engine once a round, so that all meet the same weather. */
import { performance } from 'node:perf_hooks'
import { type CpuMeter, settle } from './accounting.ts'
import type { Engine, EngineName } from './engine.ts'

export interface Sample {
  /** From the command's start to its end, in milliseconds. */
  wall: number
  /** Of everything that worked, to the moment when nothing works any more, in milliseconds. */
  cpu: number
}

/** One line of the report. Samples are in the order of the rounds, so that those of one round can be compared. */
export interface Row {
  name: string
  unit: 'ms' | 'MB'
  wall: Map<EngineName, number[]>
  /** Absent where it has no meaning, as for memory. */
  cpu?: Map<EngineName, number[]>
  /** One sentence for each engine that could not do it. */
  failures: Map<EngineName, string>
  targets: Target[]
}

/** `engine` ≤ `most` × `against`, or ≤ `most` in the row's unit. */
export interface Target {
  engine: EngineName
  of: 'wall' | 'cpu'
  most: number
  against?: EngineName
  /** The other side's row, where it is not the same. */
  againstRow?: string
}

export interface Bench {
  engines: readonly Engine[]
  rounds: number
  meter: CpuMeter
  /** For files of the benchmark's own. */
  directory: string
}

export interface Benchmark {
  name: string
  about: string
  run(bench: Bench): Promise<Row[]>
}

export function row(name: string, targets: Target[] = [], unit: Row['unit'] = 'ms'): Row {
  return {
    name,
    unit,
    wall: new Map(),
    ...(unit === 'ms' && { cpu: new Map() }),
    failures: new Map(),
    targets,
  }
}

export async function sample(meter: CpuMeter, work: () => Promise<void>): Promise<Sample> {
  await settle(meter)
  const before = meter()
  const start = performance.now()
  await work()
  const wall = performance.now() - start
  await settle(meter)
  return { wall, cpu: meter() - before }
}

/**
 * Calls `visit` for each engine in each round; the first round is not kept, it warms the caches. An engine that
 * fails is left out from then on, and the row says why.
 */
export async function inRounds(
  { rounds }: Bench,
  engines: readonly Engine[],
  rows: readonly Row[],
  visit: (engine: Engine, keep: (row: Row, sample: Sample) => void, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round <= rounds; round += 1) {
    for (const engine of engines) {
      if (rows.some(({ failures }) => failures.has(engine.name))) continue
      const keep = (row: Row, { wall, cpu }: Sample) => {
        if (round === 0) return
        push(row.wall, engine.name, wall)
        if (row.cpu !== undefined) push(row.cpu, engine.name, cpu)
      }
      await attempt(engine, rows, async () => visit(engine, keep, round))
    }
  }
}

/** A failure spoils every row that the work was for: what was measured before it is shown, with a mark. */
export async function attempt(
  engine: Engine,
  rows: readonly Row[],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    for (const row of rows) row.failures.set(engine.name, reason)
  }
}

export function push(into: Map<EngineName, number[]>, name: EngineName, value: number): void {
  const values = into.get(name)
  if (values === undefined) into.set(name, [value])
  else values.push(value)
}

/** The engines themselves, each once. */
export function withoutVariants(engines: readonly Engine[]): Engine[] {
  return engines.filter(({ isVariant }) => !isVariant)
}

export function find(engines: readonly Engine[], name: EngineName): Engine | undefined {
  return engines.find((engine) => engine.name === name)
}

export const longSleep = ['sleep', '1000000']
