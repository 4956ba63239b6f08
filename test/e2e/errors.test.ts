/** What goes wrong, as a person sees it: one clear line, what to do next, the documented exit code, and nothing left behind. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { buildCli, type CliOptions, type CliResult, cliEnvironment, runCli } from '../harness/cli.ts'
import { eventually, type Kagod, leftovers, startKagod } from '../harness/kagod.ts'
import { makeImage } from '../harness/registry/image.ts'
import { pushImage } from '../harness/registry/push.ts'
import { startRegistry, type TestRegistry } from '../harness/registry/registry.ts'

let registry: TestRegistry
let kagod: Kagod
const home = mkdtempSync(join(tmpdir(), 'kago-home-'))

beforeAll(async () => {
  registry = await startRegistry()
  kagod = await startKagod()
  const noise = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 2654435761) % 251))
  await pushImage(
    registry,
    'library/fresh',
    'latest',
    await makeImage({ layers: [{ fresh: { data: noise } }], compression: 'none' }),
  )
})
afterEach(() => {
  registry.faults.clear()
})
afterAll(async () => {
  await kagod.dispose()
  await registry.close()
  rmSync(home, { recursive: true })
})

const image = 'localhost/busybox'
const kago = async (args: string[], options: CliOptions = {}) =>
  await runCli(args, { host: kagod.socket, env: { KAGO_CONFIG: home }, ...options })
const fresh = () => `${registry.host}/library/fresh`

/** All files below a directory that a failure could leave there. */
function files(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort() : []
}

interface State {
  containers: Record<string, string[]>
  ingest: string[]
  layers: string[]
  content: string[]
  images: string
  running: number
}

async function stateOf(daemon: Kagod): Promise<State> {
  const { dataRoot } = daemon
  const list = async (...args: string[]) => (await runCli(args, { host: daemon.socket })).stdout
  return {
    containers: leftovers(daemon),
    ingest: files(join(dataRoot, 'ingest')),
    layers: readdirSync(join(dataRoot, 'layers')).sort(),
    content: files(join(dataRoot, 'content')).filter((path) => /[0-9a-f]{64}$/.test(path)),
    images: await list('images', '--digests', '--no-trunc'),
    running: (await list('operations', '--format', '{{.State}}')).split('\n').filter((s) => s === 'running')
      .length,
  }
}

/** Runs what must fail, and waits until everything is as it was. */
async function leavesNothing(fail: () => Promise<CliResult>, daemon = kagod): Promise<CliResult> {
  const before = await settledState(daemon)
  const failed = await fail()
  expect(await settledState(daemon)).toEqual(before)
  return failed
}

/** What goes on after a reply has ended once nothing changes any more. */
async function settledState(daemon: Kagod): Promise<State> {
  let state = await stateOf(daemon)
  await eventually(async () => {
    const last = JSON.stringify(state)
    state = await stateOf(daemon)
    return JSON.stringify(state) === last
  }, 'the daemon comes to rest')
  return state
}

/** One line that says what is wrong, without a program's own words, and hints below it. */
function expectClear({ stdout, stderr }: CliResult, says: string | RegExp): void {
  const lines = stderr.trimEnd().split('\n')
  const at = lines.findIndex((line) => line.startsWith('kago: '))
  const [line = '', ...hints] = lines.slice(at)
  for (const progress of lines.slice(0, at))
    expect(progress).toMatch(/^Pulling |^[0-9a-f]{12}: |; trying again in |^Retrying/)
  expect(line).toMatch(/^kago: [^A-Z\s]/)
  expect(line).toMatch(says)
  expect(line.length).toBeLessThan(300)
  for (const hint of hints) expect(hint).toMatch(/^ {2}\S/)
  expect(stderr).not.toMatch(
    /\bat .*\.(ts|cjs|mjs):|\bE(NOENT|ACCES|CONN\w+|NOSPC|PERM|EXIST|ISDIR)\b|undici|\[object/,
  )
  expect(stdout).toBe('')
}

describe('an image', () => {
  test.each([
    ['Not A Name', 'Not A Name'],
    ['', /reference|name|image/],
    ['localhost/UPPER', 'UPPER'],
    ['busybox@sha256:123', 'sha256:123'],
    ['../../etc', /etc/],
  ])('with the wrong name %j is refused', async (name, says) => {
    const failed = await leavesNothing(() => kago(['run', '--rm', name, 'true']))
    expect(failed.status).toBe(125)
    expectClear(failed, says)
    expect((await kago(['pull', name])).status).toBe(2)
  })

  test('that the registry does not have is not run', async () => {
    const failed = await leavesNothing(() => kago(['run', '--name', 'never', `${fresh()}:none`, 'true']))
    expect(failed.status).toBe(125)
    expectClear(failed, 'library/fresh:none')
    expect((await kago(['inspect', 'never'])).status).toBe(3)
  })

  test('with a layer that is not what its digest says is refused', async () => {
    registry.faults.add({ on: 'redirect', kind: 'flip', at: 20, times: 20 })
    registry.faults.add({ on: 'blob', kind: 'flip', at: 20, times: 20 })
    const failed = await leavesNothing(() => kago(['run', '--rm', fresh(), 'true']))
    expect(failed.status).toBe(125)
    expectClear(failed, 'sha256:')
  })
})

describe('a registry', () => {
  let silent: Server
  const sockets = new Set<Socket>()
  beforeAll(async () => {
    silent = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    })
    await once(silent.listen(0, '127.0.0.1'), 'listening')
  })
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  // A handshake that was begun is not taken back: the connection's own time limit ends it.
  afterEach(() => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  })
  const silentHost = () => {
    const address = silent.address()
    return `127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`
  }

  test('that nobody answers for is named', async () => {
    const failed = await leavesNothing(() => kago(['pull', '127.0.0.1:1/none']))
    expect(failed.status).toBe(9)
    expectClear(failed, '127.0.0.1:1')
  })

  test.each([
    ['pull', ['pull']],
    ['run', ['run', '--rm', '--name', 'waiting']],
    ['create', ['create', '--name', 'waiting']],
  ] as const)('that accepts and says nothing is left by ctrl-C during %s', async (_verb, args) => {
    const failed = await leavesNothing(() =>
      kago([...args, `${silentHost()}/none`], {
        meanwhile: async (child) => {
          await eventually(() => sockets.size > 0, 'the daemon asks the registry')
          child.kill('SIGINT')
        },
      }),
    )
    // As any program that ctrl-C ends: what a shell calls 130.
    expect(failed.signal === 'SIGINT' ? 130 : failed.status).toBe(130)
    expect(failed.stderr).not.toMatch(/\bat .*\.(ts|cjs|mjs):/)
  })

  test('that stops in the middle of a layer is left by ctrl-C; the next pull goes on', async () => {
    registry.faults.add({ on: 'blob', kind: 'stall', after: 1_500_000, method: 'GET' })
    registry.faults.add({ on: 'redirect', kind: 'stall', after: 1_500_000, method: 'GET' })
    const left = await kago(['pull', fresh()], {
      meanwhile: async (child) => {
        await eventually(() => files(join(kagod.dataRoot, 'ingest')).length > 0, 'the layer comes')
        child.kill('SIGINT')
      },
    })
    expect(left.signal).toBe('SIGINT')
    registry.faults.clear()
    expect((await kago(['images', '-q', fresh()])).stdout).toBe('')
    expect((await kago(['pull', '-q', fresh()])).status).toBe(0)
    expect(files(join(kagod.dataRoot, 'ingest'))).toEqual([])
    expect((await kago(['rmi', fresh()])).status).toBe(0)
  })
})

describe('a container', () => {
  test.each([
    ['no-such-command', 127],
    ['/no/such/path', 127],
    ['/etc', 126],
    ['/etc/passwd', 126],
  ])('whose command is %s ends with %i, and is not kept by --rm', async (command, status) => {
    const failed = await leavesNothing(() => kago(['run', '--rm', '--name', 'x', image, command]))
    expect(failed.status).toBe(status)
    expectClear(failed, command)
  })

  test.each([['-d'], ['-t'], ['-i']])('whose command is missing says so with %s too', async (option) => {
    const failed = await leavesNothing(() => kago(['run', option, '--rm', image, 'no-such-command']))
    expect(failed.status).toBe(127)
    expectClear(failed, 'no-such-command')
  })

  test('whose name is taken is not made, and the one that has it goes on', async () => {
    await kagod.runDetached({ image, name: 'taken', command: ['sleep', '1000'] })
    for (const args of [['run', '-d'], ['run', '--rm'], ['create']]) {
      const failed = await leavesNothing(() => kago([...args, '--name', 'taken', image, 'true']))
      expect(failed.status).toBe(args[0] === 'create' ? 4 : 125)
      expectClear(failed, /taken/)
    }
    expect((await kago(['inspect', '-f', '{{.State.Running}}', 'taken'])).stdout).toBe('true\n')
    expect((await kago(['rm', '-f', 'taken'])).status).toBe(0)
  })

  test.each([
    ['a user that is not there', ['-u', 'nobody-knows'], /nobody-knows/],
    ['a folder that is not there', ['-v', '/no/such/folder:/x'], '/no/such/folder'],
    ['a device that is not there', ['--device', '/dev/no-such'], '/dev/no-such'],
    ['a seccomp file that is not there', ['--security-opt', 'seccomp=/no/such.json'], '/no/such.json'],
    ['a runtime that is not there', ['--runtime', 'nope'], 'nope'],
    ['an env file that is not there', ['--env-file', '/no/such.env'], '/no/such.env'],
    ['memory that is no size', ['--memory', 'much'], 'much'],
    ['too little memory', ['--memory', '1k'], /memory/],
    ['a sysctl that is not its own', ['--sysctl', 'kernel.panic=1'], 'kernel.panic'],
    ['a capability that does not exist', ['--cap-add', 'FLY'], /FLY/i],
    ['a name that cannot be one', ['--name', '-bad/name'], '-bad/name'],
    ['an option that is not there', ['--memroy', '1g'], '--memroy'],
    ['a working directory that is a file', ['-w', '/etc/passwd'], /passwd/],
  ])('with %s is refused', async (_what, args, says) => {
    const failed = await leavesNothing(() => kago(['run', '--rm', ...args, image, 'true']))
    expect([125, 126, 127]).toContain(failed.status)
    expectClear(failed, says)
  })

  test.each([
    ['start'],
    ['stop'],
    ['kill'],
    ['rm'],
    ['pause'],
    ['logs'],
    ['inspect'],
    ['wait'],
    ['top'],
    ['attach'],
    ['restart'],
    ['port'],
  ])('that is not there is named by %s', async (verb) => {
    const failed = await kago([verb, 'ghost'])
    expect(failed.status).toBe(3)
    expectClear({ ...failed, stdout: '' }, 'ghost')
  })

  test('that is not there is named by exec', async () => {
    const failed = await kago(['exec', 'ghost', 'true'])
    expect(failed.status).toBe(125)
    expectClear(failed, 'ghost')
  })
})

describe('a command line', () => {
  test.each([
    [['pss'], 'kago ps'],
    [['ps', '--fromat', 'json'], '--format'],
    [['run'], 'usage: kago run'],
    [['image', 'lss'], 'kago image ls'],
    [['stop', '--time', 'soon', 'x'], /soon|time/],
  ])('of %j says what was meant', async (args, hint) => {
    const failed = await kago(args)
    expect(failed.status).toBe(args[0] === 'run' ? 125 : 2)
    expectClear(failed, /./)
    expect(failed.stderr).toMatch(hint)
  })
})

describe('the daemon', () => {
  test.each([['ps'], ['info'], ['images']])('that does not run is told by %s', async (verb) => {
    const failed = await kago([verb], { host: `unix://${home}/nobody.sock` })
    expect(failed.status).toBe(9)
    expectClear(failed, `${home}/nobody.sock`)
    expect(failed.stderr.split('\n')[1]).toMatch(/kagod/)
  })

  test('that does not run is told by run', async () => {
    const failed = await kago(['run', image], { host: `${home}/nobody.sock` })
    expect(failed.status).toBe(125)
    expectClear(failed, `${home}/nobody.sock`)
  })

  test('whose socket is not for this user says which group is let in', async () => {
    const place = mkdtempSync(join(tmpdir(), 'kago-nobody-'))
    const path = join(place, 'kago.cjs')
    cpSync(await buildCli(), path)
    execFileSync('chmod', ['0755', place])
    execFileSync('chmod', ['0711', join(kagod.runRoot, '..'), kagod.runRoot])
    try {
      const child = spawn(process.execPath, ['--', path, 'ps'], {
        uid: 65534,
        gid: 65534,
        cwd: '/',
        env: cliEnvironment({ host: kagod.socket }),
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const parts = { stdout: '', stderr: '' }
      child.stdout.setEncoding('utf8').on('data', (text: string) => (parts.stdout += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (parts.stderr += text))
      const [status] = (await once(child, 'close')) as [number | null]
      expect(status).toBe(5)
      expectClear({ ...parts, status, signal: null, stdoutBytes: Buffer.alloc(0) }, kagod.socket)
      expect(parts.stderr).toMatch(/group kago/)
    } finally {
      rmSync(place, { recursive: true })
    }
  })
})

describe('a full disk', () => {
  const root = mkdtempSync(join(tmpdir(), 'kago-full-'))
  let full: Kagod
  beforeAll(async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=0700', 'tmpfs', root])
    full = await startKagod({ dataRoot: join(root, 'data') })
  })
  afterAll(async () => {
    await full.dispose()
    execFileSync('umount', [root])
    rmSync(root, { recursive: true })
  })
  const onFull = async (args: string[], options: CliOptions = {}) =>
    await runCli(args, { host: full.socket, env: { KAGO_CONFIG: home }, ...options })

  test('is named by a pull, a run and a load, and nothing stays of what did not fit', async () => {
    const data = Buffer.alloc(14_000_000, 'kago ')
    const large = await makeImage({ layers: [{ large: { data } }], compression: 'gzip' })
    const larger = await makeImage({ layers: [{ larger: { data } }], compression: 'none' })
    await pushImage(registry, 'library/large', 'latest', large)
    await pushImage(registry, 'library/larger', 'latest', larger)
    // What is too large as it comes, and what is so only unpacked.
    for (const repository of ['library/larger', 'library/large']) {
      const pulled = await leavesNothing(() => onFull(['pull', `${registry.host}/${repository}`]), full)
      expect(pulled.status).toBe(8)
      expectClear(pulled, /space/)
    }
    const run = await leavesNothing(() => onFull(['run', `${registry.host}/library/large`, 'true']), full)
    expect(run.status).toBe(125)
    expectClear(run, /space/)
  })

  test('that a container fills leaves the daemon at work, and rm gives the space back', async () => {
    const filled = await onFull(['run', '--name', 'eater', image, 'sh', '-c', 'cat /dev/zero > /all'])
    expect(filled.status).toBe(1)
    expect(filled.stderr).toContain('No space left on device')
    const another = await onFull(['run', '--rm', image, 'true'])
    if (another.status !== 0) expectClear(another, /space/)
    expect(await onFull(['rm', 'eater'])).toMatchObject({ status: 0 })
    expect(await onFull(['run', '--rm', image, 'echo', 'again'])).toMatchObject({ stdout: 'again\n' })
  })
})
