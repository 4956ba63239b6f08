/** 200 MB of lines through `run`, `attach` and `logs`, into a file: how fast output travels, and whether all arrives. */
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { runQuietly } from '../command.ts'
import type { Engine } from '../engine.ts'
import {
  attempt,
  type Bench,
  type Benchmark,
  inRounds,
  type Row,
  row,
  sample,
  withoutVariants,
} from '../measure.ts'

const bytes = 200_000_000
/** A hundred bytes with its end: about as long as lines of a log are. */
const line = 'the quick brown fox jumps over the lazy dog; '.repeat(3).slice(0, 99)
const write = `yes '${line}' | head -c ${bytes}`

export const output: Benchmark = {
  name: 'output',
  about: '200 MB through run, attach and logs',
  async run(bench) {
    const engines = withoutVariants(bench.engines)
    const rows = {
      run: outputRow('run'),
      attach: outputRow('attach'),
      logs: outputRow('logs'),
    }
    await inRounds(bench, engines, [rows.run], async ({ verbs }, keep) => {
      keep(rows.run, await transfer(bench, verbs.runAndRemove(['sh', '-c', write])))
    })
    await attachInRounds(bench, engines, rows.attach)
    await logsInRounds(bench, engines, rows.logs)
    return Object.values(rows)
  },
}

function outputRow(verb: string): Row {
  return row(`200 MB through ${verb}`, [{ engine: 'kago', of: 'wall', most: 0.5, against: 'docker' }])
}

/** @throws when not every byte has arrived. */
async function transfer({ meter, directory }: Bench, argv: readonly string[], stdin?: string) {
  const stdout = join(directory, 'output')
  const result = await sample(meter, () =>
    runQuietly(argv, { stdout, ...(stdin !== undefined && { stdin }) }),
  )
  const { size } = statSync(stdout)
  rmSync(stdout)
  if (size !== bytes) throw new Error(`${size} bytes of ${bytes} have arrived`)
  return result
}

/**
 * The container waits for a line, which arrives with the attached stdin: nothing is written before. The pipe stays
 * open to the end, because Docker stops showing the output when stdin ends.
 */
async function attachInRounds(bench: Bench, engines: readonly Engine[], result: Row): Promise<void> {
  const pipe = join(bench.directory, 'stdin')
  await runQuietly(['mkfifo', pipe])
  const writer = openSync(pipe, 'r+')
  await inRounds(bench, engines, [result], async ({ verbs }, keep, round) => {
    if (verbs.attach === undefined) return
    const id = `bench-attach-${round}`
    await runQuietly(verbs.runDetached(id, ['sh', '-c', `read go; ${write}`], { stdin: true }))
    try {
      writeSync(writer, 'go\n')
      keep(result, await transfer(bench, verbs.attach(id), pipe))
    } finally {
      await runQuietly(verbs.removeAll([id]))
    }
  })
  closeSync(writer)
}

async function logsInRounds(bench: Bench, engines: readonly Engine[], result: Row): Promise<void> {
  const id = 'bench-logs'
  const able = engines.filter(({ verbs }) => verbs.logs !== undefined)
  for (const engine of able) {
    await attempt(engine, [result], async () => {
      await runQuietly(engine.verbs.runDetached(id, ['sh', '-c', write]))
      await runQuietly(engine.verbs.wait(id))
    })
  }
  await inRounds(bench, able, [result], async ({ verbs }, keep) => {
    if (verbs.logs) keep(result, await transfer(bench, verbs.logs(id)))
  })
  for (const { name, verbs } of able) if (!result.failures.has(name)) await runQuietly(verbs.removeAll([id]))
}
