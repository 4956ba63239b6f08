import { execFileSync } from 'node:child_process'
import {
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
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { LaunchOptions } from '../../../daemon/shim/launch.ts'
import { encodeClose, encodeFrame, encodeResize, frameTypes } from '../../../shared/protocol/frames.ts'
import {
  type Bundle,
  buildShim,
  builds,
  launchShim,
  makeBundle,
  receive,
  removeBundle,
  run,
} from './harness.ts'

const stdin = (text: string) => encodeFrame(frameTypes.stdin, Buffer.from(text))

describe.each(builds)('runc under the shim %s', (_, program, target) => {
  let path: string
  let bundle: Bundle
  let state: string
  const id = `kago-shim-test-${process.pid}`

  beforeAll(() => {
    path = buildShim(program, target)
  })
  beforeEach(() => {
    bundle = makeBundle(path)
    state = mkdtempSync(join(tmpdir(), 'kago-runc-'))
    for (const name of [
      'rootfs',
      'layer',
      'upper',
      'work',
      'layer/bin',
      'layer/proc',
      'layer/dev',
      'layer/sys',
    ])
      mkdirSync(bundle.file(name))
    copyFileSync('/bin/busybox', bundle.file('layer/bin/busybox'))
    for (const name of ['sh', 'cat', 'echo', 'sleep', 'ls', 'stty', 'id', 'head', 'mount', 'kill'])
      symlinkSync('busybox', bundle.file(`layer/bin/${name}`))
    execFileSync('runc', ['spec'], { cwd: bundle.path })
  })
  afterEach(() => {
    execFileSync('runc', ['--root', state, 'delete', '--force', id])
    removeBundle(bundle)
    rmSync(state, { recursive: true })
  })

  function container(args: string[], more: Partial<LaunchOptions> = {}, user = 0): LaunchOptions {
    const spec = JSON.parse(bundle.read('config.json'))
    Object.assign(spec.process, {
      args,
      terminal: more.terminal !== undefined,
      user: { uid: user, gid: user },
    })
    Object.assign(spec.root, { readonly: false })
    writeFileSync(bundle.file('config.json'), JSON.stringify(spec))
    const console = more.terminal ? ['--console-socket', bundle.file('console.sock')] : []
    return bundle.options([], {
      mounts: [
        {
          type: 'overlay',
          source: 'overlay',
          target: 'rootfs',
          from: bundle.path,
          options: ['lowerdir=layer', 'upperdir=upper', 'workdir=work'],
        },
      ],
      log: { directory: bundle.file('log') },
      runtime: [
        'runc',
        '--root',
        state,
        '--log',
        bundle.file('runtime.log'),
        '--log-format',
        'json',
        'run',
        '--detach',
        '--bundle',
        bundle.path,
        '--pid-file',
        bundle.file('pid'),
        ...console,
        id,
      ],
      ...(more.terminal && { consoleSocket: bundle.file('console.sock') }),
      ...more,
    })
  }

  it('gives output, error output and exit code of a container on overlay', async () => {
    const got = await run(container(['sh', '-c', 'echo out; echo err >&2; echo new > /file; exit 3']))
    expect([got.stdout.toString(), got.stderr.toString(), got.exit?.status]).toEqual(['out\n', 'err\n', 3])
    expect(bundle.read('upper/file')).toBe('new\n')
    expect(readFileSync('/proc/self/mountinfo', 'latin1')).not.toContain(bundle.path)
  })

  it('lets a user other than root open its output by name', async () => {
    const { stdout, stderr } = await run(
      container(['sh', '-c', 'id -u > /dev/stdout; echo e > /dev/stderr'], {}, 1234),
    )
    expect([stdout.toString(), stderr.toString()]).toEqual(['1234\n', 'e\n'])
  })

  it('passes no descriptor but three', async () => {
    const { stdout } = await run(container(['sh', '-c', 'ls /proc/1/fd; :']))
    expect(stdout.toString().trim().split(/\s+/)).toEqual(['0', '1', '2'])
  })

  it('carries stdin to its end', async () => {
    const got = await run(container(['cat'], { stdin: true }), (attach) =>
      attach.write(Buffer.concat([stdin('through runc'), encodeClose()])),
    )
    expect(got.stdout.toString()).toBe('through runc')
  })

  it('holds a terminal with its size', async () => {
    const options = container(['sh', '-c', 'read go; stty size; read go; stty size'], {
      terminal: 'console-socket',
      stdin: true,
      size: { columns: 90, rows: 20 },
      attach: { output: true, stdin: true },
    })
    const shim = await launchShim(options)
    await shim.events.started
    if (!shim.attach) throw new Error('not attached')
    shim.attach.write(stdin('go\n'))
    let resized = false
    const got = await receive(shim.attach, ({ payload }) => {
      if (resized || !Buffer.from(payload).includes('20 90')) return
      resized = true
      shim.attach?.write(Buffer.concat([encodeResize({ columns: 70, rows: 10 }), stdin('go\n')]))
    })
    expect(got.stdout.toString()).toContain('20 90\r\n')
    expect(got.stdout.toString().endsWith('10 70\r\n')).toBe(true)
    expect(existsSync(bundle.file('console.sock'))).toBe(false)
  })

  it('kills a container that ignores everything else', async () => {
    const shim = await launchShim(container(['sh', '-c', 'trap "" TERM; while :; do sleep 1; done']))
    await shim.events.started
    await shim.events.signal('KILL')
    expect(await shim.events.exited).toMatchObject({ status: 137, signal: 9 })
  })

  it('runs a further process in a container, with a shim of its own', async () => {
    const shim = await launchShim(container(['sleep', '300']))
    await shim.events.started
    const exec = await run(
      {
        program: path,
        bundle: bundle.path,
        hostMounts: true,
        stdin: true,
        pidFile: bundle.file('exec.pid'),
        exitFile: bundle.file('exec.exit'),
        runtime: [
          'runc',
          '--root',
          state,
          'exec',
          '--detach',
          '--pid-file',
          bundle.file('exec.pid'),
          id,
          'sh',
          '-c',
          'cat; exit 5',
        ],
      },
      (attach) => attach.write(Buffer.concat([stdin('inside'), encodeClose()])),
    )
    expect([exec.stdout.toString(), exec.exit?.status]).toEqual(['inside', 5])
    await shim.events.signal('KILL')
    await shim.events.exited
  })

  it('says what runc says about a command that is not there', async () => {
    const shim = await launchShim(container(['no-such-command']))
    await expect(shim.events.started).rejects.toMatchObject({
      message: expect.stringContaining('executable file not found'),
      details: { stage: 'runtime', runtimeStatus: 1 },
    })
    expect(existsSync(bundle.file('exit'))).toBe(false)
  })
})
