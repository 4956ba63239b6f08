/** Runs programs of the host; nobody above sees a raw ENOENT, an unbounded output or a shell string. */
import { spawn } from 'node:child_process'
import { basename } from 'node:path'
import { KagoError } from '../../shared/errors.ts'

export interface ToolOptions {
  /** Kills the tool (SIGTERM, then SIGKILL) and fails with `cancelled`. */
  signal?: AbortSignal
  /** Kills the tool and fails with `timed_out`; 30 000 unless told. */
  timeoutMs?: number
  /** Written to its standard input, which is then closed; without it standard input is /dev/null. */
  input?: string | Uint8Array
  /** Added to a minimal environment (PATH and LC_ALL=C); the daemon's own variables are not passed on. */
  env?: Record<string, string>
  cwd?: string
  /** Exit statuses that are an answer rather than a failure; 0 always is. */
  allow?: readonly number[]
}

export interface ToolResult {
  stdout: string
  stderr: string
  status: number
}

const maxOutputBytes = 8 * 1024 * 1024
const killAfterMs = 2_000
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Which Debian package holds a tool, for the hint when it is missing. */
const packages: Record<string, string> = {
  runc: 'runc',
  crun: 'crun',
  ip: 'iproute2',
  nft: 'nftables',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
  busybox: 'busybox-static',
  criu: 'criu',
  ps: 'procps',
}

/** The environment that host tools get. */
export const toolEnvironment: Readonly<Record<string, string>> = { PATH: path, LC_ALL: 'C' }

/**
 * Runs a host tool to its end, its output collected as text (8 MiB at most).
 * Loads execa at the first call; for the start of a container use `runQuickTool`.
 */
export async function runTool(
  file: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const { execa } = await import('execa')
  const { signal, timeoutMs = 30_000, input, env, cwd } = options
  if (signal?.aborted) throw new KagoError('cancelled', `${basename(file)} was cancelled`)
  const result = await execa(file, [...args], {
    reject: false,
    extendEnv: false,
    env: { ...toolEnvironment, ...env },
    stripFinalNewline: false,
    maxBuffer: maxOutputBytes,
    forceKillAfterDelay: killAfterMs,
    timeout: timeoutMs,
    ...(signal && { cancelSignal: signal }),
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
    ...(cwd !== undefined && { cwd }),
  })
  const stderr = String(result.stderr ?? '')
  if (result.exitCode !== undefined && (result.exitCode === 0 || options.allow?.includes(result.exitCode))) {
    return { stdout: String(result.stdout ?? ''), stderr, status: result.exitCode }
  }
  if (result.isCanceled) throw new KagoError('cancelled', `${basename(file)} was cancelled`)
  if (result.timedOut) throw toolTimedOut(file, timeoutMs)
  if (result.isMaxBuffer)
    throw new KagoError('exhausted', `${basename(file)} printed more than ${maxOutputBytes} bytes`)
  if (result.exitCode === undefined && result.signal === undefined)
    throw toolNotStarted(file, cwd, result.cause ?? result)
  throw toolFailed(file, args, result.exitCode ?? null, result.signal ?? null, stderr)
}

/** Runs a tool to its end. What it printed may come as one, as stderr: for tools that say nothing unless they fail. */
export type QuietTool = (file: string, args: readonly string[]) => Promise<ToolResult>

/** The same with plain `spawn`: fewer turns of the event loop, for what every start waits for. */
export async function runQuickTool(
  file: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const { signal, timeoutMs = 30_000, input, env, cwd } = options
  if (signal?.aborted) throw new KagoError('cancelled', `${basename(file)} was cancelled`)
  return await new Promise<ToolResult>((resolve, reject) => {
    const child = spawn(file, args, {
      env: { ...toolEnvironment, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(cwd !== undefined && { cwd }),
    })
    let failure: KagoError | undefined
    let forceTimer: NodeJS.Timeout | undefined
    const stop = (error: KagoError): void => {
      if (failure) return
      failure = error
      child.kill('SIGTERM')
      forceTimer = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
    }
    const timer = setTimeout(() => stop(toolTimedOut(file, timeoutMs)), timeoutMs)
    const cancel = (): void => stop(new KagoError('cancelled', `${basename(file)} was cancelled`))
    signal?.addEventListener('abort', cancel, { once: true })
    const collect = (chunks: Buffer[]) => {
      let size = 0
      return (chunk: Buffer): void => {
        size += chunk.length
        if (size > maxOutputBytes) {
          stop(new KagoError('exhausted', `${basename(file)} printed more than ${maxOutputBytes} bytes`))
        } else chunks.push(chunk)
      }
    }
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout?.on('data', collect(stdout))
    child.stderr?.on('data', collect(stderr))
    // a tool that ends without reading its input is judged by its exit status, not by the broken pipe
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
    const settle = (): void => {
      clearTimeout(timer)
      clearTimeout(forceTimer)
      signal?.removeEventListener('abort', cancel)
    }
    child.on('error', (error) => {
      settle()
      reject(toolNotStarted(file, cwd, error))
    })
    child.on('close', (status, killedBy) => {
      settle()
      const errors = Buffer.concat(stderr).toString()
      if (failure) reject(failure)
      else if (status !== null && (status === 0 || options.allow?.includes(status))) {
        resolve({ stdout: Buffer.concat(stdout).toString(), stderr: errors, status })
      } else reject(toolFailed(file, args, status, killedBy, errors))
    })
  })
}

/** @param killedBy a signal's name */
export function toolFailed(
  file: string,
  args: readonly string[],
  status: number | null,
  killedBy: string | null,
  stderr: string,
): KagoError {
  const how = killedBy === null ? `exit status ${status}` : `killed by ${killedBy}`
  const line = lastLine(stderr)
  return new KagoError('internal', `${basename(file)} failed (${how})${line && `: ${line}`}`, {
    details: { tool: file, args: [...args], status, signal: killedBy, stderr: stderr.slice(-4096) },
  })
}

export function toolTimedOut(file: string, timeoutMs: number): KagoError {
  return new KagoError('timed_out', `${basename(file)} did not finish in ${timeoutMs / 1000} s`)
}

export function toolNotStarted(file: string, cwd: string | undefined, cause: unknown): KagoError {
  const name = basename(file)
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code === 'ENOENT') {
    const owner = packages[name]
    const hint = owner ? `install it with: apt install ${owner}` : undefined
    const where = cwd === undefined ? '' : ` (or the directory ${cwd} is missing)`
    return new KagoError('not_supported', `${file} is not installed${where}`, { hint, cause })
  }
  if (code === 'EACCES') return new KagoError('not_supported', `${file} is not executable`, { cause })
  if (['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'].includes(code)) {
    return new KagoError(
      'exhausted',
      `${name} could not be started: the machine is out of resources (${code})`,
      { cause },
    )
  }
  return new KagoError('internal', `${name} could not be started: ${String(cause)}`, { cause })
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? ''
}
