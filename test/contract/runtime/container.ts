/** Runs containers for the contract suite: a busybox root, a runtime under test, and the real shim around it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readHostFacts } from '../../../daemon/host/features.ts'
import { removeCgroup, readCgroupLayout } from '../../../daemon/host/cgroup.ts'
import { runtimeLogPath, writeBundle, writeProcessFile } from '../../../daemon/runtime/bundle.ts'
import type { Runtime } from '../../../daemon/runtime/contract.ts'
import { defaultRunOptions, type RunOptions } from '../../../daemon/runtime/run-options.ts'
import { createRuntimes } from '../../../daemon/runtime/runtimes.ts'
import { capabilityNames } from '../../../daemon/runtime/spec/capabilities.ts'
import { buildSpec, type SpecInput } from '../../../daemon/runtime/spec.ts'
import type { Process, RuntimeSpec } from '../../../shared/oci/runtime-spec.ts'

export const host = readHostFacts(capabilityNames)

export interface Ended {
  /** As kago would give it: the status, or 128 and the signal. */
  status: number
  signal: number | null
  stdout: string
  stderr: string
}

export interface Stage {
  readonly runtime: Runtime
  readonly directory: string
  spec(options: Partial<RunOptions>, rest?: Partial<SpecInput>): RuntimeSpec
  /** Starts and waits for the end. */
  run(command: string[], options?: Partial<RunOptions>, rest?: Partial<SpecInput>): Promise<Ended>
  /** Starts; the process runs when this resolves. */
  start(command: string[], options?: Partial<RunOptions>, rest?: Partial<SpecInput>): Promise<Started>
  close(): Promise<void>
}

export interface Started {
  id: string
  pid: number
  bundle: string
  group: string
  spec: RuntimeSpec
  ended: Promise<Ended>
  exec(args: string[], change?: Partial<Process>): Promise<Ended>
}

const applets =
  'sh cat true false sleep ls grep id hostname pwd env mount umount touch echo mkdir stat kill readlink mknod dd test unshare chroot ulimit tty head wc ps printf'

/** Builds the shim into a directory and says where it is. */
export function buildShim(directory: string): string {
  execFileSync('make', ['-s', '-C', resolve('daemon/shim'), `OUT=${directory}`])
  return join(directory, 'kago-shim')
}

export function openStage(name: string, shim: string): Stage {
  const directory = mkdtempSync(join(tmpdir(), 'kago-test-runtime-'))
  const runtime = createRuntimes({ runRoot: join(directory, 'run') }).get(name)
  const root = `kago-test-${process.pid}-${name}`
  const live = new Set<Started>()
  const shims: Promise<void>[] = []
  let count = 0

  const spec = (options: Partial<RunOptions>, rest: Partial<SpecInput> = {}): RuntimeSpec =>
    buildSpec({
      id: 'c0ffee000000',
      imageConfig: {},
      options: { ...defaultRunOptions, ...options },
      user: { uid: 0, gid: 0, additionalGids: [] },
      host,
      networkMode: 'none',
      etcFiles: {},
      cgroupsPath: `/${root}/none`,
      ...rest,
    })

  const start: Stage['start'] = async (command, options = {}, rest = {}) => {
    const id = `${root}-${++count}`
    const bundle = join(directory, id)
    const made = spec({ command, ...options }, { id, cgroupsPath: `/${root}/${id}`, ...rest })
    runtime.refuse(made)
    writeBundle(bundle, made)
    fillRoot(join(bundle, 'rootfs'))
    await runtime.prepare({ id, bundle })
    const pidFile = join(bundle, 'pid')
    const task = launch(
      shim,
      bundle,
      id,
      pidFile,
      (consoleSocket) =>
        runtime.startCommand({ id, bundle, pidFile, ...(consoleSocket && { consoleSocket }) }),
      made.process.terminal ? runtime.terminal : undefined,
    )
    shims.push(task.exited)
    await task.running.catch((error: Error) => {
      throw runtime.explainFailure(bundle, error.message)
    })
    const started: Started = {
      id,
      bundle,
      spec: made,
      group: `/${root}/${id}`,
      pid: Number(readFileSync(pidFile, 'utf8')),
      ended: task.ended.then(async (ended) => {
        live.delete(started)
        await runtime.delete(id)
        return ended
      }),
      exec: async (args, change = {}) => {
        const name = `e${++count}`
        const processFile = writeProcessFile(bundle, name, { ...made.process, args, ...change })
        const execPid = join(bundle, `${name}.pid`)
        await runtime.prepareExec({ id, bundle, processFile })
        const exec = launch(shim, bundle, name, execPid, () =>
          runtime.execCommand({ id, bundle, processFile, pidFile: execPid }),
        )
        shims.push(exec.exited)
        await exec.running.catch((error: Error) => {
          throw runtime.explainFailure(bundle, error.message)
        })
        return await exec.ended
      },
    }
    live.add(started)
    return started
  }

  return {
    runtime,
    directory,
    spec,
    start,
    run: async (command, options, rest) => await (await start(command, options, rest)).ended,
    close: async () => {
      for (const container of live) {
        await runtime.delete(container.id, { force: true }).catch(() => undefined)
        await container.ended.catch(() => undefined)
      }
      await Promise.all(shims)
      await removeCgroup(readCgroupLayout(), `/${root}`)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

interface Task {
  /** The shim is gone. */
  exited: Promise<void>
  running: Promise<void>
  ended: Promise<Ended>
}

function launch(
  shim: string,
  bundle: string,
  name: string,
  pidFile: string,
  command: (consoleSocket: string | undefined) => string[],
  terminal?: Runtime['terminal'],
): Task {
  const logs = join(bundle, `log-${name}`)
  const exitFile = join(bundle, `exit-${name}`)
  const consoleSocket = terminal === 'console-socket' ? join(bundle, 'tty.sock') : undefined
  mkdirSync(logs)
  rmSync(runtimeLogPath(bundle), { force: true })
  const child = spawn(
    shim,
    [
      '--bundle',
      bundle,
      '--log',
      logs,
      '--log-max-bytes',
      '10000000',
      '--log-max-files',
      '2',
      '--pid-file',
      pidFile,
      '--exit-file',
      exitFile,
      '--events-fd',
      '3',
      ...(terminal ? ['--terminal', terminal] : []),
      ...(consoleSocket ? ['--console-socket', consoleSocket] : []),
      '--',
      ...command(consoleSocket),
    ],
    { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] },
  )
  const frames = collectFrames(child)
  const exited = new Promise<void>((done) => child.on('close', () => done()))
  const ended = exited.then(() => {
    if (!existsSync(exitFile)) throw new Error('the shim left no exit file')
    const { status, signal } = JSON.parse(readFileSync(exitFile, 'utf8'))
    return { status, signal, ...readLog(join(logs, 'current')) }
  })
  ended.catch(() => undefined)
  return {
    exited,
    ended,
    running: Promise.race([frames, exited.then(() => Promise.reject(new Error('the shim ended')))]),
  }
}

/** Resolves at the frame `started` (10), rejects at `error` (7). */
function collectFrames(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let buffer = Buffer.alloc(0)
    child.stdio[3]?.on('error', () => undefined)
    child.stdio[3]?.on('data', (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk])
      while (buffer.length >= 8 && buffer.length >= 8 + buffer.readUInt32BE(4)) {
        const payload = buffer.subarray(8, 8 + buffer.readUInt32BE(4)).toString()
        if (buffer[0] === 10) resolve()
        if (buffer[0] === 7) reject(new Error(JSON.parse(payload).message))
        buffer = buffer.subarray(8 + payload.length)
      }
    })
  })
}

function readLog(path: string): { stdout: string; stderr: string } {
  const text = { 1: '', 2: '' }
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  for (let at = 0; at + 16 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 12)
    text[bytes[at + 8] === 2 ? 2 : 1] += bytes.subarray(at + 16, at + 16 + length).toString()
    at += 16 + length
  }
  return { stdout: text[1], stderr: text[2] }
}

function fillRoot(root: string): void {
  for (const path of ['bin', 'etc', 'tmp', 'work']) mkdirSync(join(root, path))
  chmodSync(join(root, 'tmp'), 0o1777)
  copyFileSync(process.env['KAGO_TEST_BUSYBOX'] ?? '/bin/busybox', join(root, 'bin/busybox'))
  for (const applet of applets.split(' ')) symlinkSync('busybox', join(root, 'bin', applet))
  mkdirSync(join(root, 'evil'))
  symlinkSync('/proc/self/exe', join(root, 'evil/sh'))
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  writeFileSync(join(root, 'bin/data'), 'not a program', { mode: 0o644 })
}
