/** One health check: a command run in the container, its output, its status, its end after the time it has. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { toKagoError } from '../../shared/errors.ts'
import { FrameParser, frameTypes } from '../../shared/protocol/frames.ts'
import type { HealthCheck, HealthResult } from '../../shared/protocol/health.ts'
import { formatDuration } from '../../shared/units.ts'
import { listPids, readCgroupLayout } from '../host/cgroup.ts'
import { identifyProcess, killTree } from '../host/process.ts'
import type { Operation } from '../operation/operation.ts'
import type { ContainerContext } from './context.ts'
import { cgroupsPath } from './create-options.ts'
import { execSteps } from './exec.ts'
import type { Container } from './record.ts'

const longestOutput = 4096
/** The files of a check begin so. */
const execPrefix = 'exec-health-'

/** Checks come every few seconds: they are in no journal. */
const unrecorded: Operation = {
  id: '',
  step: async (_name, _about, effect) => await effect(),
  setTarget: () => {},
}

export async function probe(
  context: ContainerContext,
  container: Container,
  { command, timeoutMs }: Pick<HealthCheck, 'command' | 'timeoutMs'>,
  signal: AbortSignal,
): Promise<HealthResult> {
  const startedAt = new Date().toISOString()
  const done = (exitStatus: number | null, output: string): HealthResult => ({
    startedAt,
    finishedAt: new Date().toISOString(),
    exitStatus,
    output,
  })
  try {
    endOldProbes(context, container.id)
    const attach = { output: true, stdin: false }
    const execId = `health-${randomBytes(4).toString('hex')}`
    const { shim, pid } = await execSteps(context, unrecorded, container, { command }, { attach, execId })
    const process = identifyProcess(pid)
    let isLate = false
    const end = () => {
      if (process !== undefined) killTree(process)
    }
    const timer = setTimeout(() => {
      isLate = true
      end()
    }, timeoutMs)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    try {
      const [exit, output] = await Promise.all([shim.events.exited, readOutput(shim.attach)])
      if (!isLate) return done(exit.status, output)
      const why = `the health check took longer than ${formatDuration(timeoutMs)}`
      return done(null, output === '' ? why : `${output}\n${why}`)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      shim.attach?.destroy()
    }
  } catch (thrown) {
    const error = toKagoError(thrown)
    const exitCode = error.details?.['exitCode']
    return done(typeof exitCode === 'number' ? exitCode : null, error.message)
  }
}

/** A container has one check at a time: what else there is was begun by a daemon that was killed. */
function endOldProbes({ paths }: ContainerContext, id: string): void {
  const bundle = paths.bundle(id)
  for (const name of readdirSync(bundle)) {
    if (!name.startsWith(execPrefix) || !name.endsWith('.pid')) continue
    const file = join(bundle, name)
    const pid = Number(readFileSync(file, 'utf8'))
    // The number may be another process's by now; the cgroup tells.
    const isIts = listPids(readCgroupLayout(), cgroupsPath(id)).includes(pid)
    const process = isIts ? identifyProcess(pid) : undefined
    if (process !== undefined) killTree(process)
    rmSync(file, { force: true })
  }
}

/** The beginning of both streams, as text. */
async function readOutput(stream: Duplex | undefined): Promise<string> {
  const parser = new FrameParser()
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of (stream ?? []) as AsyncIterable<Uint8Array>) {
      for (const { type, payload } of parser.push(chunk)) {
        if (type !== frameTypes.stdout && type !== frameTypes.stderr) continue
        parts.push(payload.slice(0, longestOutput - size))
        size = Math.min(longestOutput, size + payload.length)
      }
    }
  } catch {
    // The stream broke: what came is the output.
  }
  return Buffer.concat(parts).toString('utf8')
}
