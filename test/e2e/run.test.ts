import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type CliOptions, runCli } from '../harness/cli.ts'
import { type Kagod, startKagod } from '../harness/kagod.ts'

let kagod: Kagod
const directory = mkdtempSync(join(tmpdir(), 'kago-e2e-'))
beforeAll(async () => {
  kagod = await startKagod()
})
afterAll(async () => {
  await kagod.dispose()
  rmSync(directory, { recursive: true })
})
afterEach(async () => {
  for (const { id } of await kagod.list()) await kagod.request('DELETE', `/v1/containers/${id}?force=true`)
})

const image = 'localhost/busybox'
const kago = async (args: string[], options: CliOptions = {}) =>
  await runCli(args, { host: kagod.socket, ...options })
const sh = (script: string) => [image, 'sh', '-c', script]

test('a container says hello and is gone', async () => {
  expect(await kago(['run', '--rm', image, 'echo', 'hi'])).toMatchObject({
    status: 0,
    stdout: 'hi\n',
    stderr: '',
  })
  expect((await kago(['ps', '-aq'])).stdout).toBe('')
})

test('its two outputs stay apart, and its last line comes without a newline too', async () => {
  expect(await kago(['run', '--rm', ...sh('echo out; echo err >&2; printf last')])).toMatchObject({
    stdout: 'out\nlast',
    stderr: 'err\n',
  })
})

test('stdin is piped in, and its end is seen', async () => {
  const input = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 31) % 256))
  const { stdoutBytes, status } = await kago(['run', '-i', '--rm', image, 'cat'], { input })
  expect(status).toBe(0)
  expect(stdoutBytes.equals(input)).toBe(true)
})

test.each([
  ['its own code', ['run', '--rm', ...sh('exit 7')], 7],
  ['127 for a command that is not there', ['run', '--rm', image, 'no-such-command'], 127],
  ['126 for one that cannot be executed', ['run', '--rm', image, '/etc'], 126],
  ['125 for an image that is not there', ['run', '--rm', '--pull', 'never', 'localhost/none'], 125],
  ['125 for an option that is not there', ['run', '--nope', image], 125],
])('the exit code is %s', async (_name, args, code) => {
  expect((await kago(args)).status).toBe(code)
})

test('a kill from outside is 137, a stop 143', async () => {
  const running = kago(['run', '--name', 'a', ...sh('echo up; exec sleep 1000')], {
    meanwhile: async (child) => {
      await once(child.stdout, 'data')
      await kago(['kill', 'a'])
    },
  })
  expect((await running).status).toBe(137)
  const stopped = kago(
    ['run', '--name', 'b', ...sh('trap "exit 143" TERM; echo up; while :; do sleep 0.1; done')],
    {
      meanwhile: async (child) => {
        await once(child.stdout, 'data')
        await kago(['stop', 'b'])
      },
    },
  )
  expect((await stopped).status).toBe(143)
})

test('ctrl-c reaches a container without a terminal', async () => {
  const result = await kago(
    ['run', '--rm', ...sh('trap "echo caught; exit 4" INT; echo up; while :; do sleep 0.1; done')],
    {
      meanwhile: async (child) => {
        await once(child.stdout, 'data')
        child.kill('SIGINT')
      },
    },
  )
  expect(result).toMatchObject({ status: 4, stdout: 'up\ncaught\n' })
})

test('200 MB of output come through byte for byte', async () => {
  const seed = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, index) => (index * 2654435761) % 251))
  const path = join(directory, 'seed')
  writeFileSync(path, seed)
  const expected = createHash('sha256')
  for (let index = 0; index < 200; index++) expected.update(seed)
  const script = 'i=0; while [ $i -lt 200 ]; do cat /seed; i=$((i+1)); done'
  const { stdoutBytes, status } = await kago(['run', '--rm', '-v', `${path}:/seed:ro`, ...sh(script)])
  expect(status).toBe(0)
  expect(stdoutBytes).toHaveLength(200 * 1024 * 1024)
  expect(createHash('sha256').update(stdoutBytes).digest('hex')).toBe(expected.digest('hex'))
})

test('options shape the container', async () => {
  const envFile = join(directory, 'env')
  writeFileSync(envFile, 'FROM_FILE=1\n')
  const { stdout } = await kago([
    'run',
    '--rm',
    '-e',
    'A=b c',
    '--env-file',
    envFile,
    '-w',
    '/tmp',
    '-u',
    '1000:1000',
    '-h',
    'box',
    '--read-only',
    '--tmpfs',
    '/scratch',
    '--ulimit',
    'nofile=100:200',
    '--cap-drop',
    'ALL',
    '--memory',
    '64m',
    '--add-host',
    'x:1.2.3.4',
    ...sh(
      'echo "$A|$FROM_FILE|$PWD|$(id -u)|$(hostname)|$(ulimit -n)"; touch /x 2>&1; grep CapEff /proc/self/status; grep x /etc/hosts',
    ),
  ])
  expect(stdout).toContain('b c|1|/tmp|1000|box|100\n')
  expect(stdout).toContain('Read-only file system')
  expect(stdout).toMatch(/CapEff:\s+0000000000000000/)
  expect(stdout).toMatch(/1\.2\.3\.4\s+x/)
})

describe('a container in the background', () => {
  test('is listed, inspected, entered, followed and stopped', async () => {
    const { stdout: id } = await kago([
      'run',
      '-d',
      '--name',
      'web',
      '-l',
      'app=x',
      ...sh('echo one; sleep 1000'),
    ])
    expect(id).toMatch(/^[0-9a-f]{64}\n$/)
    expect((await kago(['ps', '--format', '{{.Names}} {{.State}} {{.Image}} {{.Label "app"}}'])).stdout).toBe(
      `web running ${image} x\n`,
    )
    expect(
      (await kago(['inspect', '-f', '{{.State.Status}} {{.State.Running}} {{.Id}}', 'web'])).stdout,
    ).toBe(`running true ${id}`)
    expect(await kago(['exec', 'web', 'sh', '-c', 'echo in; exit 3'])).toMatchObject({
      stdout: 'in\n',
      status: 3,
    })
    expect((await kago(['exec', '-i', 'web', 'cat'], { input: 'through' })).stdout).toBe('through')
    expect((await kago(['exec', 'web', 'nope'])).status).toBe(127)
    expect((await kago(['top', 'web'])).stdout).toMatch(
      /^UID +PID +PPID +C +STIME +TTY +TIME +CMD\n[^]*sleep 1000/,
    )
    expect((await kago(['logs', 'web'])).stdout).toBe('one\n')
    expect(await kago(['stop', '-t', '0', 'web'])).toMatchObject({ status: 0, stdout: 'web\n' })
    expect((await kago(['wait', 'web'])).stdout).toBe('137\n')
    expect((await kago(['start', 'web'])).stdout).toBe('web\n')
    expect((await kago(['rm', 'web'])).status).toBe(4)
    expect((await kago(['rm', '-f', 'web'])).stdout).toBe('web\n')
    expect((await kago(['inspect', 'web'])).status).toBe(3)
  })

  test('is followed to its end by logs -f', async () => {
    await kago([
      'run',
      '-d',
      '--name',
      'ticks',
      ...sh('for i in 1 2 3; do echo $i; sleep 0.2; done; echo end >&2'),
    ])
    expect(await kago(['logs', '-f', 'ticks'])).toMatchObject({
      status: 0,
      stdout: '1\n2\n3\n',
      stderr: 'end\n',
    })
    expect((await kago(['logs', '-n', '1', '-t', 'ticks'])).stderr).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z end\n$/,
    )
  })

  test('is renamed, paused, unpaused, updated and restarted', async () => {
    await kago(['run', '-d', '--name', 'one', image, 'sleep', '1000'])
    expect((await kago(['rename', 'one', 'two'])).status).toBe(0)
    expect((await kago(['pause', 'two'])).status).toBe(0)
    expect((await kago(['ps', '--format', '{{.Status}}'])).stdout).toContain('(Paused)')
    expect((await kago(['unpause', 'two'])).status).toBe(0)
    expect((await kago(['update', '--memory', '64m', 'two'])).stdout).toBe('two\n')
    expect((await kago(['inspect', '-f', '{{.HostConfig.Memory}}', 'two'])).stdout).toBe('67108864\n')
    expect((await kago(['restart', '-t', '0', 'two'])).stdout).toBe('two\n')
    expect((await kago(['explain', 'two'])).stdout).toContain('done')
    expect((await kago(['operations', '-q', '-n', '3'])).stdout.split('\n')).toHaveLength(4)
  })
})

test('create and start -a give the whole output and the code', async () => {
  await kago(['create', '--name', 'later', '-i', ...sh('cat; exit 6')])
  expect(await kago(['start', '-ai', 'later'], { input: 'typed' })).toMatchObject({
    status: 6,
    stdout: 'typed',
  })
})

test('images are listed, tagged, saved, removed and loaded', async () => {
  expect((await kago(['images', '--format', '{{.Repository}}:{{.Tag}}'])).stdout).toBe(`${image}:latest\n`)
  await kago(['tag', image, 'localhost/copy:1'])
  const path = join(directory, 'copy.tar')
  expect((await kago(['save', '-o', path, 'localhost/copy:1'])).status).toBe(0)
  expect((await kago(['rmi', 'localhost/copy:1'])).stdout).toBe('Untagged: localhost/copy:1\n')
  expect((await kago(['load', '-q'], { input: readFileSync(path) })).stdout).toBe(
    'Loaded image: localhost/copy:1\n',
  )
  expect((await kago(['run', '--rm', 'localhost/copy:1', 'echo', 'again'])).stdout).toBe('again\n')
  await kago(['rmi', 'localhost/copy:1'])
  await kago(['create', '--name', 'user', image, 'true'])
  const refused = await kago(['rmi', image])
  expect(refused.status).toBe(4)
  expect(refused.stderr).toContain('user')
})

test('a client that is killed leaves the container running', async () => {
  await kago(['run', '--name', 'left', ...sh('echo up; exec sleep 1000')], {
    meanwhile: async (child) => {
      await once(child.stdout, 'data')
      child.kill('SIGKILL')
    },
  })
  expect((await kago(['exec', 'left', 'echo', 'still here'])).stdout).toBe('still here\n')
})

test('the daemon dies in the middle of a run: told, 125, and the container goes on', async () => {
  const result = await kago(['run', '--name', 'orphan', ...sh('echo up; exec sleep 1000')], {
    meanwhile: async (child) => {
      await once(child.stdout, 'data')
      await kagod.crash()
    },
  })
  expect(result).toMatchObject({ status: 125, stdout: 'up\n' })
  expect(result.stderr).toMatch(/connection/)
  await kagod.start()
  expect((await kagod.list())[0]).toMatchObject({ name: 'orphan', task: { state: 'running' } })
})

test('without a daemon the socket is named', async () => {
  const result = await runCli(['ps'], { host: join(directory, 'none.sock') })
  expect(result).toMatchObject({ status: 9 })
  expect(result.stderr).toContain(`cannot reach kagod at ${directory}/none.sock`)
})
