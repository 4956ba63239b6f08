/** Starts the program that unpacks a layer, follows what it says, and turns its end, whatever it is, into one outcome. */
import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { KagoError } from '../../shared/errors.ts'
import { findTool } from '../host/features.ts'
import { fileError } from '../host/files.ts'
import { showLayer } from './layer-failure.ts'
import type { ExtractJob, SettleJob, UnpackMessage } from './unpack-job.ts'

export interface UnpackChildOptions {
  /** The program: `dist/unpack-layer.mjs`, or `daemon/image/unpack-layer.ts` from the sources. */
  childPath: string
  /** The layer's compressed bytes, for an extract job: a file, or a descriptor of this process. */
  input?: string | number
  signal?: AbortSignal | undefined
  onProgress?: (current: number) => void
  /** False where gzip is to be inflated by zlib even though `igzip` is installed. */
  usesIgzip?: boolean | undefined
}

/** What a hostile layer may make the child's heap grow to. */
const heapMebibytes = 1024
const keptErrorBytes = 4096

type Outcome = Exclude<UnpackMessage, { type: 'progress' } | { type: 'error' }>

/** @throws KagoError: the child's own, `cancelled`, or what is known about a crash. The child is gone when this settles. */
export async function runUnpackChild(
  job: ExtractJob | SettleJob,
  options: UnpackChildOptions,
): Promise<Outcome> {
  options.signal?.throwIfAborted()
  job = withInflater(job, options.usesIgzip)
  if (typeof options.input !== 'string') return await followChild(job, options, options.input ?? 'ignore')
  const input = await openInput(options.input, job.layer)
  try {
    return await followChild(job, options, input.fd)
  } finally {
    await input.close()
  }
}

function withInflater(job: ExtractJob | SettleJob, usesIgzip = true): ExtractJob | SettleJob {
  const inflater = usesIgzip && job.do === 'extract' ? findTool('igzip') : undefined
  return inflater === undefined || job.do !== 'extract' ? job : { ...job, inflater }
}

async function openInput(path: string, layer: string) {
  return open(path, 'r').catch((error: unknown) => {
    throw fileError(error, `${showLayer(layer)}: cannot open ${path}`)
  })
}

async function followChild(
  job: ExtractJob | SettleJob,
  { childPath, signal, onProgress }: UnpackChildOptions,
  input: number | 'ignore',
): Promise<Outcome> {
  const args = [`--max-old-space-size=${heapMebibytes}`, childPath, JSON.stringify(job)]
  const child = spawn(process.execPath, args, { stdio: [input, 'pipe', 'pipe'], env: {} })
  const ended = Promise.withResolvers<{ status: number | null; killedBy: NodeJS.Signals | null }>()
  child.on('error', ended.reject).on('close', (status, killedBy) => ended.resolve({ status, killedBy }))
  const kill = () => child.kill('SIGKILL')
  signal?.addEventListener('abort', kill, { once: true })

  let said = ''
  const keep = (text: string) => {
    said = (said + text).slice(-keptErrorBytes)
  }
  child.stderr?.setEncoding('utf8').on('data', keep)
  let last: UnpackMessage | undefined
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = parseMessage(line)
      if (message === undefined) keep(line)
      else if (message.type === 'progress') onProgress?.(message.current)
      else last = message
    })
  }
  try {
    const { status, killedBy } = await ended.promise
    signal?.throwIfAborted()
    if (last?.type === 'error') throw KagoError.fromBody(last.error)
    if (last === undefined || last.type === 'progress' || status !== 0)
      throw crashed(job.layer, status, killedBy, said)
    return last
  } catch (error) {
    throw fileError(error, `${showLayer(job.layer)}: cannot start the unpacker`)
  } finally {
    signal?.removeEventListener('abort', kill)
  }
}

/** What is no message is not ours: a crash report of Node's, say. */
function parseMessage(line: string): UnpackMessage | undefined {
  try {
    return JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function crashed(layer: string, status: number | null, killedBy: string | null, said: string): KagoError {
  const how = killedBy === null ? `ended with status ${status}` : `was killed by ${killedBy}`
  const isMemory = killedBy === 'SIGKILL' || said.includes('heap out of memory')
  return new KagoError(
    isMemory ? 'exhausted' : 'internal',
    `${showLayer(layer)}: the unpacker ${how}${isMemory ? ', most likely for want of memory' : ''}`,
    { details: { layer, stderr: said } },
  )
}
