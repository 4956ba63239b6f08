/**
 * The program that unpacks one layer: a child of the daemon, alone in a root that holds nothing but the layer.
 *
 *   node unpack-layer.ts '{"do":"extract","directory":"/…/.new-1","format":"overlay","layer":"sha256:…", …}' < layer.tar.gz
 *
 * The job is one JSON argument (`unpack-job.ts`), the layer's bytes are standard input, and what it says on standard output
 * is one JSON object a line: progress, then one result or one error. A status other than 0 without an error is a crash.
 *
 * After chroot no name can lead out, not even through a mistake in here: the whole process is inside, all its threads.
 */
import { createReadStream, openSync, readFileSync, writeSync } from 'node:fs'
import { chroot, loadSyscalls } from '../host/syscalls.ts'
import { toKagoError } from '../../shared/errors.ts'
import { decompress } from './decompress.ts'
import { extractLayer } from './extract-layer.ts'
import { type Inflated, startIgzip } from './igzip.ts'
import { layerError } from './layer-failure.ts'
import type { LayerReport } from './layer-tree.ts'
import type { ExtractJob, LayerNeeds, SettleJob, UnpackMessage } from './unpack-job.ts'
import { settleLayer } from './settle-layer.ts'

const progressEveryMilliseconds = 100

function say(message: UnpackMessage): void {
  const line = Buffer.from(`${JSON.stringify(message)}\n`)
  for (let written = 0; written < line.length; ) written += writeSync(1, line, written)
}

async function extract(job: ExtractJob): Promise<UnpackMessage> {
  const reportFd = job.reportFile === undefined ? undefined : openSync(job.reportFile, 'w', 0o600)
  const seeds = job.seedsFile === undefined ? [] : JSON.parse(readFileSync(job.seedsFile, 'utf8'))
  loadSyscalls()
  const inflated = job.inflater === undefined ? undefined : startIgzip(job.inflater)
  process.umask(0)
  chroot(job.directory)
  process.chdir('/')
  const extracted = await extractLayer(inflated ? inflatedArchive(inflated) : ownArchive(), { ...job, seeds })
  const { report, ...facts } = extracted
  if (reportFd !== undefined) writeSync(reportFd, JSON.stringify(report))
  return { type: 'extracted', ...facts, needs: needsOf(report) }
}

function needsOf(report: LayerReport): LayerNeeds {
  const isRootAlone = report.implied.length === 1 && report.implied[0] === ''
  const isNothing = report.implied.length === 0
  const hasMore = report.assumed.length > 0 || report.isRootOpaque || !(isRootAlone || isNothing)
  const fromLowers = hasMore ? 'more' : isRootAlone ? 'root' : 'nothing'
  return { fromLowers, targets: report.missing.length > 0 }
}

/** Inflated by this process. */
function ownArchive(): AsyncIterable<Buffer> {
  const report = progressReporter()
  const input = createReadStream('', { fd: 0, highWaterMark: 1 << 20, autoClose: false })
  let current = 0
  return decompress(
    (async function* () {
      for await (const chunk of input) {
        yield chunk
        current += chunk.length
        report(() => current)
      }
    })(),
  )
}

async function* inflatedArchive(inflated: Inflated): AsyncGenerator<Buffer, void, undefined> {
  const report = progressReporter()
  for await (const chunk of inflated.chunks()) {
    yield chunk
    report(() => inflated.position())
  }
}

/** Says where the input is, if it has not just done so. */
function progressReporter(): (current: () => number) => void {
  let next = Date.now() + progressEveryMilliseconds
  return (current) => {
    if (Date.now() < next) return
    next = Date.now() + progressEveryMilliseconds
    say({ type: 'progress', current: current() })
  }
}

async function main(): Promise<void> {
  const job: ExtractJob | SettleJob = JSON.parse(process.argv[2] ?? '')
  try {
    say(job.do === 'extract' ? await extract(job) : settleLayer(job))
  } catch (error) {
    say({ type: 'error', error: toKagoError(layerError(error, job.layer, undefined)).toBody() })
    process.exitCode = 1
  }
}

await main()
