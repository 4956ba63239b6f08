/**
 * The program that works in a container's root: a child of the daemon, alone in it.
 *
 *   [unshare --mount --propagation private] node tree-program.ts '{"do":"pack","root":…,"path":"/etc",…}' >etc.tar 3>messages
 *
 * The job is one JSON argument (`job.ts`); bytes go in on descriptor 0 and out on 1; on 3 it says, one JSON object a line,
 * what it found and at last `done` or `error`.
 */
import { readSync, writeSync } from 'node:fs'
import { toKagoError } from '../../../shared/errors.ts'
import { errnoCode, fileError } from '../../host/files.ts'
import { enterRoot } from './enter.ts'
import type { TreeJob, TreeMessage } from './job.ts'
import { writeChanges, writeLayer } from './layer.ts'
import { pack } from './pack.ts'
import { place } from './place.ts'

const says = 3

function say(message: TreeMessage): void {
  const line = Buffer.from(`${JSON.stringify(message)}\n`)
  for (let written = 0; written < line.length; ) written += writeSync(says, line, written)
}

async function work(job: TreeJob): Promise<void> {
  switch (job.do) {
    case 'pack':
      enterRoot(job.root)
      return pack(job, say)
    case 'place':
      enterRoot(job.root)
      return say({ type: 'done', bytes: await place(job, input()) })
    case 'changes':
      return say(writeChanges(job))
    case 'layer':
      return say(writeLayer(job))
    default:
      job satisfies never
  }
}

/** Read by plain calls: nothing else is to be done meanwhile. */
async function* input(): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(1 << 18)
    const length = readSync(0, buffer)
    if (length === 0) return
    yield buffer.subarray(0, length)
  }
}

async function main(): Promise<void> {
  const job: TreeJob = JSON.parse(process.argv[2] ?? '')
  try {
    await work(job)
  } catch (error) {
    // Nobody reads any more: there is nobody to tell.
    if (errnoCode(error) === 'EPIPE') process.exit(1)
    const what = 'path' in job ? `cannot copy ${job.path}` : 'cannot read the writable layer'
    say({ type: 'error', error: toKagoError(fileError(error, what)).toBody() })
    process.exitCode = 1
  }
}

await main()
