/** Builds the shim and starts containers under it with a runtime of one line, or with runc. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Duplex } from 'node:stream'
import { type LaunchedShim, type LaunchOptions, launchShim as launch } from '../../../daemon/shim/launch.ts'
import { startShimDirectly } from '../../../daemon/shim/start-directly.ts'
import type { ContainerExit, Frame } from '../../../shared/protocol/frames.ts'
import { FrameParser, frameTypes, parseExit } from '../../../shared/protocol/frames.ts'

const root = resolve(import.meta.dirname, '../../..')

/** Every test of the shim runs with both. */
export const builds = [
  ['as it is shipped', 'kago-shim', 'all'],
  ['under ASan and UBSan', 'kago-shim-sanitize', 'sanitize'],
] as const

export function buildShim(program: string, target: string): string {
  const out = join(root, 'dist')
  mkdirSync(out, { recursive: true })
  // several test files may ask for it at once
  execFileSync('flock', [
    join(out, '.shim.lock'),
    'make',
    '-s',
    '-C',
    join(root, 'daemon/shim'),
    `OUT=${out}`,
    target,
  ])
  return join(out, program)
}

/** Starts the rest of its arguments, as a runtime does, and leaves. A shell will not do: it may wait for its child. */
const fakeRuntime = `#!/usr/bin/perl
my $pid_file = shift;
my $pid = fork;
if (!$pid) { exec @ARGV; die "cannot run $ARGV[0]: $!"; }
open(my $file, '>', $pid_file) or die "$pid_file: $!";
print $file $pid;
`

export interface Bundle {
  path: string
  /** A start with the one-line runtime; `command` is the container. */
  options: (command: string[], more?: Partial<LaunchOptions>) => LaunchOptions
  file: (name: string) => string
  read: (name: string) => string
}

/** A directory for one test; give it back with `removeBundle`. */
export function makeBundle(program: string): Bundle {
  const path = mkdtempSync(join(tmpdir(), 'kago-shim-'))
  const file = (name: string) => join(path, name)
  writeFileSync(file('runtime.pl'), fakeRuntime)
  chmodSync(file('runtime.pl'), 0o755)
  mkdirSync(file('log'))
  const options = (command: string[], more: Partial<LaunchOptions> = {}): LaunchOptions => ({
    program,
    bundle: path,
    pidFile: file('pid'),
    exitFile: file('exit'),
    socket: file('shim.sock'),
    runtime: [file('runtime.pl'), 'pid', ...command],
    ...more,
  })
  return { path, options, file, read: (name) => readFileSync(file(name), 'latin1') }
}

/** Removes it, and ends what a failed test has left running in it. */
export function removeBundle(bundle: Bundle): void {
  for (const pid of readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number))
    if (worksIn(pid, bundle.path)) process.kill(pid, 'SIGKILL')
  rmSync(bundle.path, { recursive: true, force: true })
}

function worksIn(pid: number, directory: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(directory) && !isZombie(pid)
  } catch {
    // it has ended, or is a thread of the kernel
    return false
  }
}

export interface Received {
  stdout: Buffer
  stderr: Buffer
  exit: ContainerExit | undefined
  frames: Frame[]
}

/** Everything an attached stream gives until it ends. */
export async function receive(stream: Duplex, onFrame?: (frame: Frame) => void): Promise<Received> {
  const parser = new FrameParser()
  const frames: Frame[] = []
  try {
    for await (const chunk of stream)
      for (const frame of parser.push(Buffer.from(chunk))) {
        frames.push(frame)
        onFrame?.(frame)
      }
  } catch (error) {
    // the shim goes when it has said all; what was still on the way to it makes a reset of the end
    if (!(error instanceof Error && 'code' in error && error.code === 'ECONNRESET')) throw error
  }
  const bytes = (type: number) =>
    Buffer.concat(frames.filter((one) => one.type === type).map((one) => one.payload))
  const last = frames.findLast((frame) => frame.type === frameTypes.exit)
  return {
    stdout: bytes(frameTypes.stdout),
    stderr: bytes(frameTypes.stderr),
    exit: last && parseExit(last.payload),
    frames,
  }
}

/** Starts the shim as a child of the test. */
export async function launchShim(options: LaunchOptions): Promise<LaunchedShim & { shimPid: number }> {
  let shimPid = 0
  const shim = await launch(options, async (command) => {
    const started = await startShimDirectly(command)
    shimPid = started.pid
    return started
  })
  return { ...shim, shimPid }
}

/** Runs a command under the shim, attached, and gives what came out. */
export async function run(
  options: LaunchOptions,
  feed?: (attach: Duplex) => void,
): Promise<Received & { shim: LaunchedShim & { shimPid: number } }> {
  const shim = await launchShim({ attach: { output: true, stdin: options.stdin ?? false }, ...options })
  if (!shim.attach) throw new Error('not attached')
  feed?.(shim.attach)
  const received = await receive(shim.attach)
  return { ...received, shim }
}

/** Resolves when the process is gone; for a shim that is not our child any more too. */
export async function processEnd(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`) && !isZombie(pid)) await new Promise((wake) => setTimeout(wake, 5))
}

function isZombie(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return true
  }
}

/** Waits for something a test cannot be told of. */
export async function eventually(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((wake) => setTimeout(wake, 5))
}
