/**
 * The daemon's side of the spawner (spawner.c), the small process that starts shims: a spawn of Node's own stops the
 * daemon for 1 ms, and for many more when the machine is busy.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { basename, dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { isKagoError, KagoError } from '../../shared/errors.ts'
import type { Log } from '../telemetry/log.ts'
import {
  type QuietTool,
  runQuickTool,
  toolEnvironment,
  toolFailed,
  toolNotStarted,
  type ToolResult,
  toolTimedOut,
} from '../host/exec.ts'
import { connectSocket } from './connect.ts'
import type { ShimCommand, StartedShim } from './launch.ts'
import { startShimDirectly } from './start-directly.ts'

export interface Spawner {
  /** Starts a shim; by the daemon itself while the spawner is not there. */
  start(command: ShimCommand): Promise<StartedShim>
  /** Runs a tool of which only the end matters, and what it says when it fails: stdout and stderr come as one. */
  runQuietly: QuietTool
  /** Ends the spawner. Shims go on. */
  close(): Promise<void>
}

const restartMs = 1000
const toolTimeoutMs = 30_000
const maxPrintedBytes = 64 * 1024

/**
 * Starts a spawner that listens on `socketPath`, and another one should it die. One that cannot be started is no error:
 * shims are then started directly, as the log says.
 */
export async function startSpawner(program: string, socketPath: string, log: Log): Promise<Spawner> {
  let child: ChildProcess | undefined
  let timer: NodeJS.Timeout | undefined
  let isClosing = false

  const begin = async (): Promise<void> => {
    timer = undefined
    try {
      const next = await startProcess(program, socketPath, log)
      if (isClosing) return await end(next)
      child = next
      next.once('exit', (status, signal) => {
        child = undefined
        if (isClosing) return
        log.warn({ status, signal }, 'the spawner of shims has ended; another one is started')
        timer = setTimeout(begin, restartMs)
      })
    } catch (error) {
      log.warn({ err: error }, 'there is no spawner of shims: the daemon starts them itself')
    }
  }
  await begin()

  return {
    async start(command) {
      if (child === undefined) return await startShimDirectly(command)
      try {
        return await request(socketPath, command)
      } catch (error) {
        if (!isKagoError(error, 'unavailable')) throw error
        return await startShimDirectly(command)
      }
    },
    async runQuietly(file, args) {
      const connection = child && (await connectSocket(socketPath).catch(() => undefined))
      if (connection === undefined) return await runQuickTool(file, args)
      return await runOver(connection, file, args)
    },
    async close() {
      isClosing = true
      clearTimeout(timer)
      if (child !== undefined) await end(child)
    },
  }
}

/** A group of its own: a Ctrl-C in the daemon's terminal is not for it. It ends when its stdin is closed. */
async function startProcess(program: string, socketPath: string, log: Log): Promise<ChildProcess> {
  const child = spawn(program, ['--spawner', basename(socketPath)], {
    // from there, since a socket's address has room for 107 bytes only
    cwd: dirname(socketPath),
    detached: true,
    stdio: 'pipe',
    env: {},
  })
  // It reads nothing; that it is gone is told by its exit.
  child.stdin.on('error', () => undefined)
  const said: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (said.push(line) > 20) said.shift()
    log.warn({ line }, 'a shim says')
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.stdout.once('data', () => resolve())
  child.once('error', reject)
  child.once('close', (status) => {
    reject(new KagoError('internal', `${program} --spawner ended with ${status}: ${said.join(' ')}`))
  })
  await promise
  // It is no reason for the daemon to go on.
  for (const stream of [child.stdin, child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref()
  child.unref()
  return child
}

async function end(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.ref()
  child.stdin?.destroy()
  await gone
}

/** @throws unavailable if nobody listens */
async function request(socketPath: string, command: ShimCommand): Promise<StartedShim> {
  const { words, environment } = command
  const token = command.attach ? randomBytes(16).toString('hex') : ''
  const launch = message([token, ...environmentWords(environment), ...words])
  const [events, attach] = await connectBoth(socketPath, command.attach)
  attach?.write(message([token]))
  events.write(launch)
  return { events, attach }
}

async function connectBoth(socketPath: string, withAttach: boolean): Promise<[Socket, Socket | undefined]> {
  if (!withAttach) return [await connectSocket(socketPath), undefined]
  const [events, attach] = await Promise.allSettled([connectSocket(socketPath), connectSocket(socketPath)])
  if (events.status === 'fulfilled' && attach.status === 'fulfilled') return [events.value, attach.value]
  for (const made of [events, attach]) if (made.status === 'fulfilled') made.value.destroy()
  throw events.status === 'rejected'
    ? events.reason
    : attach.status === 'rejected'
      ? attach.reason
      : undefined
}

function environmentWords(environment: Readonly<Record<string, string>>): string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  return [String(variables.length), ...variables]
}

async function runOver(connection: Socket, file: string, args: readonly string[]): Promise<ToolResult> {
  const failed = (error: unknown) => toolNotStarted(file, undefined, error)
  let printed = Buffer.alloc(0)
  const timer = setTimeout(() => connection.destroy(toolTimedOut(file, toolTimeoutMs)), toolTimeoutMs)
  try {
    connection.write(message(['tool', ...environmentWords(toolEnvironment), file, ...args]))
    for await (const chunk of connection) printed = Buffer.concat([printed, chunk]).subarray(-maxPrintedBytes)
  } catch (error) {
    throw isKagoError(error) ? error : failed(error)
  } finally {
    clearTimeout(timer)
  }
  const mark = printed.indexOf(0)
  const stderr = printed.subarray(0, mark < 0 ? undefined : mark).toString()
  const [, how, number] =
    /^\0(exit|signal|errno) (\d+)/.exec(mark < 0 ? '' : printed.subarray(mark).toString()) ?? []
  if (how === 'exit' && number === '0') return { stdout: '', stderr, status: 0 }
  if (how === 'exit') throw toolFailed(file, args, Number(number), null, stderr)
  if (how === 'signal') throw toolFailed(file, args, null, nameOf(constants.signals, Number(number)), stderr)
  if (how === 'errno')
    throw failed(Object.assign(new Error(), { code: nameOf(constants.errno, Number(number)) }))
  throw failed(new Error('the spawner has gone'))
}

function nameOf(names: Readonly<Record<string, number>>, number: number): string {
  return Object.keys(names).find((name) => names[name] === number) ?? String(number)
}

/** Words as the spawner reads them: a length, and each word ended by a zero byte. */
function message(words: readonly string[]): Buffer {
  const odd = words.find((word) => word.includes('\0'))
  if (odd !== undefined)
    throw new KagoError('invalid_argument', `an argument holds a zero byte: ${JSON.stringify(odd)}`)
  const text = Buffer.from(words.map((word) => `${word}\0`).join(''))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text])
}
