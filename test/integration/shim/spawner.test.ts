/** The spawner: shims that the daemon did not fork, their connections, and what happens when either of the two goes. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectShim, readExitFile } from '../../../daemon/shim/client.ts'
import { type LaunchOptions, launchShim } from '../../../daemon/shim/launch.ts'
import { type Spawner, startSpawner } from '../../../daemon/shim/spawner.ts'
import {
  type Bundle,
  buildShim,
  builds,
  eventually,
  makeBundle,
  processEnd,
  receive,
  removeBundle,
} from './harness.ts'

const said: string[] = []
const say = (about: unknown, text: unknown) => void said.push(`${String(text)} ${JSON.stringify(about)}`)
const log = { debug: say, info: say, warn: say, error: say } as never

describe.each(builds)('a spawner %s', (_, name, target) => {
  let program = ''
  let bundle: Bundle
  let spawner: Spawner
  const socket = () => bundle.file('spawner.sock')
  const launch = (options: LaunchOptions) => launchShim(options, spawner.start)

  beforeAll(() => {
    program = buildShim(name, target)
  })
  beforeEach(async () => {
    said.length = 0
    bundle = makeBundle(program)
    spawner = await startSpawner(program, socket(), log)
  })
  afterEach(async () => {
    await spawner.close()
    removeBundle(bundle)
  })

  it('starts a shim that tells of start, output and exit', async () => {
    const attach = { output: true, stdin: true }
    const { events, attach: stream } = await launch(
      bundle.options(['sh', '-c', 'read x; echo got $x; exit 3'], { stdin: true, attach }),
    )
    if (stream === undefined) throw new Error('not attached')
    expect((await events.started).pid).toBeGreaterThan(1)
    stream.write(Buffer.from([0, 0, 0, 0, 0, 0, 0, 3, 104, 105, 10]))
    const received = await receive(stream)
    expect([received.stdout.toString(), received.exit?.status]).toEqual(['got hi\n', 3])
    expect((await events.exited).status).toBe(3)
    expect(said).toEqual([])
  })

  it('gives each of forty launches at once its own streams', async () => {
    const bundles = Array.from({ length: 40 }, () => makeBundle(program))
    try {
      const outputs = await Promise.all(
        bundles.map(async (one, index) => {
          const options = one.options(['echo', `number ${index}`], { attach: { output: true, stdin: false } })
          const { attach } = await launch(options)
          if (attach === undefined) throw new Error('not attached')
          return (await receive(attach)).stdout.toString()
        }),
      )
      expect(outputs).toEqual(bundles.map((_one, index) => `number ${index}\n`))
    } finally {
      for (const one of bundles) removeBundle(one)
    }
  })

  it('hands a shim no descriptor, signal or variable that is not meant for it', async () => {
    writeFileSync(
      bundle.file('look.sh'),
      `#!/bin/sh\nreadlink /proc/$PPID/fd/* >look; env >>look; grep Sig /proc/$PPID/status >>look\nexec ./runtime.pl pid sleep 300\n`,
    )
    chmodSync(bundle.file('look.sh'), 0o755)
    const { events } = await launch({
      ...bundle.options([]),
      environment: { PATH: '/usr/bin:/bin', ODD: "a 'b' \\" },
      attach: { output: true, stdin: false },
      runtime: ['./look.sh'],
    })
    await events.started
    const look = bundle.read('look')
    // The sanitizers' own descriptors are none.
    expect(look.match(/^socket:/gm)?.length).toBeLessThanOrEqual(4)
    expect(look).toContain("ODD=a 'b' \\\n")
    expect(look).not.toContain('HOME=')
    const shim = Number(
      /PPid:\s+(\d+)/.exec(readFileSync(`/proc/${(await events.started).pid}/status`, 'latin1'))?.[1],
    )
    // Only SIGPIPE is ignored, by the shim itself.
    expect(/SigIgn:\s*0*1000$/m.test(readFileSync(`/proc/${shim}/status`, 'latin1'))).toBe(true)
    expect(readlinkSync(`/proc/${shim}/fd/0`)).toBe('/dev/null')
    await events.signal('KILL')
    await events.exited
  })

  it('leaves no process behind, not even a dead one', async () => {
    for (let round = 0; round < 5; round++) {
      const { events } = await launch(bundle.options(['true']))
      await events.exited
    }
    await eventually(() => childrenOf(spawnerPid(bundle.path)).length === 0)
  })

  it('says what is wrong with a shim that cannot be started', async () => {
    const { events } = await launch(bundle.options(['true'], { program: '/nowhere/kago-shim' }))
    await expect(events.started).rejects.toMatchObject({
      code: 'internal',
      message: 'cannot start the shim: No such file or directory',
      hint: 'build it with: npm run build',
      details: { stage: 'spawn' },
    })
  })

  it('passes on to the log what a shim says that fails', async () => {
    const { events } = await launch(bundle.options(['true'], { pidFile: '/nowhere/pid' }))
    await expect(events.started).rejects.toMatchObject({ message: expect.stringContaining('/nowhere/pid') })
    await eventually(() => said.some((line) => line.includes('a shim says') && line.includes('/nowhere/pid')))
  })

  it('runs a tool and tells of its end', async () => {
    expect(await spawner.runQuietly('sh', ['-c', 'echo fine; exit 0'])).toEqual({
      stdout: '',
      stderr: 'fine\n',
      status: 0,
    })
    await expect(spawner.runQuietly('sh', ['-c', 'echo oh no >&2; exit 3'])).rejects.toMatchObject({
      code: 'internal',
      message: 'sh failed (exit status 3): oh no',
      details: { status: 3, signal: null, stderr: 'oh no\n' },
    })
    await expect(spawner.runQuietly('sh', ['-c', 'kill -9 $$'])).rejects.toMatchObject({
      details: { status: null, signal: 'SIGKILL' },
    })
    await expect(spawner.runQuietly('/nowhere/runc', ['delete'])).rejects.toMatchObject({
      code: 'not_supported',
      message: '/nowhere/runc is not installed',
    })
    await eventually(() => childrenOf(spawnerPid(bundle.path)).length === 0)
  })

  it('gives a tool the environment of tools, and no descriptor of its own', async () => {
    const { stderr } = await spawner.runQuietly('sh', ['-c', 'env; readlink /proc/self/fd/*; :'])
    expect(stderr).toContain('LC_ALL=C\n')
    expect(stderr).not.toContain('HOME=')
    expect(stderr.match(/^socket:/gm)).toHaveLength(2)
    expect(stderr).toContain('/dev/null\n')
  })

  it('keeps the last of what a tool prints', async () => {
    const { stderr } = await spawner.runQuietly('sh', ['-c', 'yes | head -c 1000000; echo end'])
    expect(stderr.length).toBeLessThanOrEqual(64 * 1024)
    expect(stderr.endsWith('end\n')).toBe(true)
  })

  it('ends a tool whose daemon has gone', async () => {
    const pid = spawnerPid(bundle.path)
    const words = ['tool', '0', '/bin/sh', '-c', `echo $$ >${bundle.file('tool')}; exec sleep 300`]
    const text = Buffer.from(words.map((word) => `${word}\0`).join(''))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(text.length)
    const gone = await connected(socket())
    gone.write(Buffer.concat([length, text]))
    await eventually(() => existsSync(bundle.file('tool')) && bundle.read('tool').includes('\n'))
    gone.destroy()
    await processEnd(Number(bundle.read('tool')))
    await eventually(() => childrenOf(pid).length === 0)
  })

  it('is for its daemon alone', () => {
    expect(statSync(socket()).mode & 0o777).toBe(0o600)
  })

  it('drops what it does not understand, and goes on', async () => {
    const requests = [
      [0, 0, 0, 0],
      [255, 255, 255, 255],
      [0, 0, 0, 3, 97, 98, 99],
      [0, 0, 0, 4, 0, 57, 0, 0],
      [0, 0, 0, 5, 0, 45, 49, 0, 0],
    ]
    for (const bytes of requests) {
      const wrong = await connected(socket())
      wrong.write(Buffer.from(bytes))
      await once(wrong.resume(), 'close')
    }
    const { events } = await launch(bundle.options(['true']))
    expect((await events.exited).status).toBe(0)
  })

  it('forgets a request that its peer has left half said', async () => {
    const pid = spawnerPid(bundle.path)
    const count = () => readdirSync(`/proc/${pid}/fd`).length
    const before = count()
    const half = await connected(socket())
    half.write(Buffer.from([0, 0, 0, 9, 97]))
    const joins = await connected(socket())
    joins.write(Buffer.from([0, 0, 0, 2, 97, 0]))
    await eventually(() => count() === before + 2)
    half.destroy()
    joins.destroy()
    await eventually(() => count() === before)
  })

  it('ends with its daemon; shims go on', async () => {
    const pid = spawnerPid(bundle.path)
    const { events } = await launch(bundle.options(['sleep', '300']))
    await events.started
    await spawner.close()
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    events.close()
    const again = await connectShim(bundle.file('shim.sock'))
    await again.signal('TERM')
    expect(await again.exited).toMatchObject({ status: 143 })
    expect(await readExitFile(bundle.file('exit'))).toMatchObject({ status: 143 })
  })

  it('that was killed is replaced; meanwhile the daemon starts shims itself', async () => {
    const pid = spawnerPid(bundle.path)
    process.kill(pid, 'SIGKILL')
    await processEnd(pid)
    const { events } = await launch(bundle.options(['true']))
    expect((await events.exited).status).toBe(0)
    await eventually(() => spawnerPid(bundle.path) !== 0 && spawnerPid(bundle.path) !== pid)
    expect(said.some((line) => line.includes('another one is started'))).toBe(true)
    expect((await (await launch(bundle.options(['true']))).events.exited).status).toBe(0)
  })
})

describe('a daemon without a spawner', () => {
  it('starts shims itself, and says why', async () => {
    const program = buildShim('kago-shim', 'all')
    const bundle = makeBundle(program)
    try {
      said.length = 0
      const spawner = await startSpawner('/nowhere/kago-shim', bundle.file('spawner.sock'), log)
      expect(said[0]).toContain('there is no spawner of shims')
      const { events } = await launchShim(bundle.options(['true']), spawner.start)
      expect((await events.exited).status).toBe(0)
      expect(await spawner.runQuietly('true', [])).toMatchObject({ status: 0 })
      await spawner.close()
    } finally {
      removeBundle(bundle)
    }
  })
})

async function connected(path: string): Promise<Socket> {
  const socket = connect(path)
  socket.on('error', () => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** The spawner that works in this directory, 0 if there is none. */
function spawnerPid(directory: string): number {
  const lines = execFileSync('ps', ['-eo', 'pid=,stat=,args='], { encoding: 'utf8' }).split('\n')
  const pids = lines
    .filter((line) => / --spawner /.test(line) && !/^\s*\d+ Z/.test(line))
    .map((line) => Number.parseInt(line, 10))
  return pids.find((pid) => cwdOf(pid) === directory) ?? 0
}

function cwdOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean)
}
