/** Runs the benchmarks inside the namespaces that run.sh has made, and reports. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openCpuMeter } from './accounting.ts'
import { cliStart } from './benchmarks/cli-start.ts'
import { files } from './benchmarks/files.ts'
import { fifty } from './benchmarks/fifty.ts'
import { lifecycle } from './benchmarks/lifecycle.ts'
import { memory } from './benchmarks/memory.ts'
import { output } from './benchmarks/output.ts'
import { ps } from './benchmarks/ps.ts'
import { pull } from './benchmarks/pull.ts'
import { runBridge } from './benchmarks/run-bridge.ts'
import { runRm } from './benchmarks/run-rm.ts'
import { throughput } from './benchmarks/throughput.ts'
import type { Engine } from './engine.ts'
import { dockerIsInstalled, startDocker } from './engines/docker.ts'
import { startKago } from './engines/kago.ts'
import { podmanIsInstalled, startPodman } from './engines/podman.ts'
import { startRunc } from './engines/runc.ts'
import { prepareGround } from './ground.ts'
import type { Benchmark, Row } from './measure.ts'
import { figures, report, verdicts } from './report.ts'

/** Memory first: a daemon that has worked hard is not the one that has just started. */
const benchmarks: readonly Benchmark[] = [
  memory,
  cliStart,
  runRm,
  runBridge,
  lifecycle,
  fifty,
  output,
  ps,
  files,
  pull,
  throughput,
]
const usualRounds = 15
const quickRounds = 3

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      runs: { type: 'string' },
      engines: { type: 'string', default: 'kago,docker,podman,runc' },
      directory: { type: 'string' },
      markdown: { type: 'string' },
      json: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  })
  if (values.list) return say(benchmarks.map(({ name, about }) => `${name.padEnd(12)} ${about}`).join('\n'))
  const rounds = values.runs === undefined ? (values.quick ? quickRounds : usualRounds) : Number(values.runs)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--runs: not a number of runs: ${values.runs}`)
  const wanted = chosen(positionals)

  const { directory, remove } = openDirectory(values.directory)
  const engines: Engine[] = []
  try {
    await startEngines(values.engines.split(','), directory, engines)
    for (const { version } of engines) say(`    ${version}`)
    const rows: Row[] = []
    for (const { name, about, run } of wanted) {
      say(`==> ${name}: ${about}`)
      const measured = await run({ engines, rounds, meter: openCpuMeter(), directory })
      say(figures(measured, engines))
      rows.push(...measured)
    }
    const text = `${introduction(engines, rounds)}\n\n${report(rows, engines)}\n`
    say(`\n${text}`)
    if (values.markdown !== undefined) writeFileSync(values.markdown, text)
    if (values.json !== undefined) writeFileSync(values.json, toJson(engines, rows))
  } finally {
    for (const { stop } of engines.toReversed()) await stop()
    remove()
  }
}

function chosen(names: readonly string[]): readonly Benchmark[] {
  if (names.length === 0) return benchmarks
  return names.map((wanted) => {
    const found = benchmarks.find(({ name }) => name === wanted)
    if (found === undefined) throw new Error(`no benchmark is called ${wanted}: see --list`)
    return found
  })
}

/** In memory (run.sh sees to it) unless a directory is given: a disk's delays are not the engines'. */
function openDirectory(given: string | undefined): { directory: string; remove: () => void } {
  // The path is kept short: sockets are in it.
  const parent = given ?? tmpdir()
  mkdirSync(parent, { recursive: true })
  const directory = mkdtempSync(join(parent, 'kb-'))
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

async function startEngines(wanted: readonly string[], directory: string, engines: Engine[]): Promise<void> {
  const ground = await prepareGround(directory)
  if (wanted.includes('kago')) engines.push(...(await startKago(ground('kago'))))
  if (wanted.includes('docker') && dockerIsInstalled()) engines.push(await startDocker(ground('docker')))
  if (wanted.includes('podman') && podmanIsInstalled()) engines.push(await startPodman(ground('podman')))
  if (wanted.includes('runc')) engines.push(await startRunc(ground('runc')))
}

function introduction(engines: readonly Engine[], rounds: number): string {
  const machine = `${availableParallelism()} CPUs, Linux ${release()}, Node ${process.versions.node}`
  return [
    `Medians of ${rounds} paired runs: milliseconds ± spread, in brackets the CPU milliseconds of all processes.`,
    `Machine: ${machine}.`,
    `Engines: ${engines.map(({ version }) => version).join('; ')}.`,
  ].join('\n')
}

function toJson(engines: readonly Engine[], rows: readonly Row[]): string {
  const plain = rows.map(({ name, unit, wall, cpu, failures }) => ({
    name,
    unit,
    wall: Object.fromEntries(wall),
    cpu: Object.fromEntries(cpu ?? []),
    failures: Object.fromEntries(failures),
  }))
  return `${JSON.stringify({ engines: engines.map(({ version }) => version), rows: plain, targets: verdicts(rows) }, null, 2)}\n`
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
    // A daemon whose start failed half way would keep this process: with it ends everything in the namespace.
    process.exit(1)
  },
)
