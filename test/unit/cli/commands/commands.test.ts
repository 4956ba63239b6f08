import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeFrame, encodeJsonFrame, frameTypes } from '../../../../shared/protocol/frames.ts'
import { type CliOptions, runCli } from '../../../harness/cli.ts'
import { type FakeDaemon, type FakeHandlers, startFakeDaemon } from '../../../harness/fake-daemon.ts'

let daemon: FakeDaemon | undefined
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kago-commands-'))
})
afterEach(async () => {
  await daemon?.close()
  daemon = undefined
  rmSync(directory, { recursive: true })
})

async function kago(handlers: FakeHandlers, args: string[], options: CliOptions = {}) {
  await daemon?.close()
  daemon = await startFakeDaemon(handlers)
  return await runCli(args, { host: daemon.host, env: { KAGO_CONFIG: directory }, ...options })
}

const failed = (code: string, message: string, status = 404) => ({
  status,
  json: { error: { code, message } },
})

const longAgo = new Date(Date.now() - 3 * 3600_000).toISOString()
const task = {
  state: 'running',
  pid: 42,
  startedAt: longAgo,
  finishedAt: null,
  exitStatus: null,
  exitSignal: null,
  oomKilled: false,
  error: null,
}
const summary = {
  id: 'ab'.repeat(32),
  name: 'web',
  image: 'alpine:3',
  imageId: `sha256:${'1'.repeat(64)}`,
  args: ['sh', '-c', 'sleep 1000; echo \u001b]0;title\u0007 done'],
  createdAt: longAgo,
  task,
  ports: [],
  labels: { app: 'x', evil: 'a\nb' },
  mounts: ['/src'],
  network: 'web',
  networks: ['web', 'back'],
  runtime: 'runc',
}

describe('ps', () => {
  const list: FakeHandlers = { 'container.list': () => ({ json: [summary] }) }

  test('prints Docker’s columns', async () => {
    const { stdout, status } = await kago(list, ['ps'])
    expect(status).toBe(0)
    expect(stdout).toBe(
      'CONTAINER ID   IMAGE      COMMAND                  CREATED       STATUS       PORTS     NAMES\n' +
        'abababababab   alpine:3   "sh -c sleep 1000; e…"   3 hours ago   Up 3 hours             web\n',
    )
  })

  test('asks for what its options say, under each of its names', async () => {
    for (const name of [['ps'], ['container', 'ls'], ['container', 'list']]) {
      await kago(list, [...name, '-a', '-f', 'status=exited', '--filter', 'label=a=b', '-n', '3'])
      expect(daemon?.requests[0]?.query.toString()).toBe(
        'all=true&limit=3&filter=status%3Dexited&filter=label%3Da%3Db',
      )
    }
  })

  test('prints by a format, one container a line, whatever is in a label', async () => {
    expect((await kago(list, ['ps', '--format', '{{.Names}} {{.Label "app"}} {{.State}}'])).stdout).toBe(
      'web x running\n',
    )
    expect((await kago(list, ['ps', '--format', '{{.Labels}}'])).stdout).toBe('app=x,evil=a\\nb\n')
    const { stdout } = await kago(list, ['ps', '--no-trunc', '--format', 'json'])
    expect(JSON.parse(stdout)).toMatchObject({
      ID: summary.id,
      Command: '"sh -c sleep 1000; echo \\x1b]0;title\\x07 done"',
    })
  })

  test('-q prints ids alone', async () => {
    expect((await kago(list, ['ps', '-q'])).stdout).toBe('abababababab\n')
    expect((await kago(list, ['ps', '-q', '--no-trunc'])).stdout).toBe(`${summary.id}\n`)
  })
})

describe('acting on many', () => {
  test('does all, tells each, and fails by the first that failed', async () => {
    const result = await kago(
      {
        'container.stop': ({ params }) =>
          params['id'] === 'b'
            ? failed('not_found', 'no such container: b')
            : { json: { id: 'x', name: 'x' } },
      },
      ['stop', '-t', '3', '-s', 'INT', 'a', 'b', 'c'],
    )
    expect(result.stdout.split('\n').sort()).toEqual(['', 'a', 'c'])
    expect(result).toMatchObject({ status: 3, stderr: 'kago: no such container: b\n' })
    expect(daemon?.requests.map(({ body }) => body)).toEqual(
      Array.from({ length: 3 }, () => ({ timeoutSeconds: 3, signal: 'INT' })),
    )
  })

  test('rm --force takes what is gone for done', async () => {
    const handlers: FakeHandlers = { 'container.remove': () => failed('not_found', 'no') }
    expect((await kago(handlers, ['rm', '-f', 'a'])).status).toBe(0)
    expect((await kago(handlers, ['rm', 'a'])).status).toBe(3)
  })

  test('wait takes a condition, and names the conditions there are', async () => {
    const handlers: FakeHandlers = { 'container.wait': () => ({ json: { exitStatus: 0 } }) }
    await kago(handlers, ['wait', '--condition', 'removed', 'web'])
    expect(daemon?.requests[0]?.query.toString()).toBe('condition=removed')
    expect(await kago(handlers, ['wait', '--condition=remove', 'web'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('did you mean removed?') as unknown,
    })
  })

  test('wait prints codes in the order of the names, and says where nobody knows', async () => {
    const result = await kago(
      {
        'container.wait': async ({ params }) => {
          if (params['id'] === 'slow') await new Promise((resolve) => setTimeout(resolve, 100))
          return { json: { exitStatus: { slow: 1, quick: 2 }[params['id'] ?? ''] ?? null } }
        },
      },
      ['wait', 'slow', 'lost', 'quick'],
    )
    expect(result).toMatchObject({ status: 4, stdout: '1\n2\n' })
    expect(result.stderr).toContain('nobody knows how container lost ended')
  })
})

describe('inspect', () => {
  const details = {
    id: summary.id,
    name: 'web',
    createdAt: longAgo,
    task,
    image: {
      reference: 'alpine:3',
      id: summary.imageId,
      manifestDigest: 'sha256:m',
      platform: 'linux/amd64',
    },
    process: { args: ['sleep', '1'], env: ['A=1'], workingDir: '/', user: '' },
    options: {
      mounts: [{ type: 'bind', source: '/a', target: '/b', readOnly: true }],
      resources: { memoryBytes: 1024 },
      labels: {},
      ulimits: [],
      network: 'web',
      publish: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
      expose: ['80/tcp'],
      terminal: true,
      stdin: false,
    },
    ports: [{ containerPort: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 }],
    networks: [
      {
        networkId: 'n1',
        networkName: 'web',
        interface: 'eth0',
        ipv4Address: '10.6.0.9',
        ipv4Gateway: '10.6.0.1',
        ipv4PrefixLength: 24,
        ipv6Address: null,
        ipv6Gateway: null,
        ipv6PrefixLength: 0,
        macAddress: '02:00:00:00:00:09',
        aliases: [],
      },
    ],
    health: null,
    runtime: 'runc',
    snapshotter: 'overlay',
    paths: { directory: '/d', bundle: '/b', log: '/l' },
  }
  const image = {
    id: 'sha256:i',
    names: ['alpine:3'],
    digests: [],
    platform: 'linux/arm64/v8',
    layers: [],
    config: {},
  }
  const network = {
    id: 'n'.repeat(64),
    name: 'back',
    createdAt: longAgo,
    bridge: 'kg-1',
    internal: false,
    ipv6: false,
    mtu: null,
    subnets: [{ subnet: '10.5.0.0/16', gateway: '10.5.0.1' }],
    labels: {},
    options: {},
    containers: [
      {
        containerId: 'c1',
        containerName: 'web',
        interface: 'eth0',
        ipv4Address: '10.5.0.2',
        ipv6Address: null,
        macAddress: '02:6b:0a:05:00:02',
        aliases: [],
      },
    ],
  }
  const handlers: FakeHandlers = {
    'container.inspect': ({ params }) =>
      params['id'] === 'web' ? { json: details } : failed('not_found', 'no container'),
    'image.inspect': ({ query }) =>
      query.get('name') === 'alpine' ? { json: image } : failed('not_found', 'no image'),
    'network.inspect': ({ params }) =>
      params['network'] === 'back' ? { json: network } : failed('not_found', 'no network'),
  }

  test('prints a list of what was found, and tells what was not', async () => {
    const result = await kago(handlers, ['inspect', 'web', 'nope', 'alpine'])
    expect(JSON.parse(result.stdout)).toEqual([details, image])
    expect(result).toMatchObject({ status: 3 })
    expect(result.stderr).toContain('no such container, image, network or volume: nope')
  })

  test('knows networks by their own names and Docker’s', async () => {
    const format = '{{.bridge}} {{(index .IPAM.Config 0).Gateway}} {{.Containers.c1.IPv4Address}}'
    expect((await kago(handlers, ['network', 'inspect', '-f', format, 'back'])).stdout).toBe(
      'kg-1 10.5.0.1 10.5.0.2/16\n',
    )
    expect((await kago(handlers, ['inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'web'])).stdout).toBe(
      '10.6.0.9\n',
    )
    const first = '{{(index .NetworkSettings.Networks "web").MacAddress}}'
    expect((await kago(handlers, ['inspect', '-f', first, 'web'])).stdout).toBe('02:00:00:00:00:09\n')
  })

  test('knows its own names and Docker’s', async () => {
    const format =
      '{{.task.state}} {{.State.Status}} {{.State.Pid}} {{.Name}} {{.Config.Image}} {{.HostConfig.Memory}} {{(index .Mounts 0).Destination}} {{.Config.Tty}}'
    expect((await kago(handlers, ['inspect', '-f', format, 'web'])).stdout).toBe(
      'running running 42 /web alpine:3 1024 /b true\n',
    )
    const ports =
      '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}} {{(index (index .HostConfig.PortBindings "80/tcp") 0).HostPort}}'
    expect((await kago(handlers, ['inspect', '-f', ports, 'web'])).stdout).toBe('8080 8080\n')
    expect(
      (
        await kago(handlers, [
          'image',
          'inspect',
          '-f',
          '{{.Architecture}}/{{.Variant}} {{.RepoTags}}',
          'alpine',
        ])
      ).stdout,
    ).toBe('arm64/v8 [alpine:3]\n')
  })

  test('of a noun looks only there', async () => {
    expect((await kago(handlers, ['image', 'inspect', 'web'])).status).toBe(3)
    expect((await kago(handlers, ['container', 'inspect', 'alpine'])).stderr).toContain('no container')
  })
})

describe('images', () => {
  const images: FakeHandlers = {
    'image.list': () => ({
      json: [
        {
          id: `sha256:${'a'.repeat(64)}`,
          names: ['alpine:3', 'localhost:5000/x/alpine:latest'],
          digests: [`alpine@sha256:${'d'.repeat(64)}`],
          createdAt: longAgo,
          sizeBytes: 7_050_000,
          labels: {},
          platform: 'linux/amd64',
          containers: 0,
        },
        {
          id: `sha256:${'b'.repeat(64)}`,
          names: [],
          digests: [],
          createdAt: null,
          sizeBytes: 0,
          labels: {},
          platform: 'x',
          containers: 0,
        },
      ],
    }),
  }

  test('prints a line a name', async () => {
    expect((await kago(images, ['images'])).stdout).toBe(
      'REPOSITORY                TAG       IMAGE ID       CREATED       SIZE\n' +
        'alpine                    3         aaaaaaaaaaaa   3 hours ago   7.05MB\n' +
        'localhost:5000/x/alpine   latest    aaaaaaaaaaaa   3 hours ago   7.05MB\n' +
        '<none>                    <none>    bbbbbbbbbbbb   N/A           0B\n',
    )
  })

  test('shows digests, and narrows by a name', async () => {
    const { stdout } = await kago(images, ['image', 'ls', 'alpine', '--digests', '--format', '{{.Digest}}'])
    expect(stdout.split('\n')[0]).toBe(`sha256:${'d'.repeat(64)}`)
    expect(daemon?.requests[0]?.query.get('name')).toBe('alpine')
  })
})

describe('pull', () => {
  const pulling = (upToDate: boolean): FakeHandlers => ({
    'image.pull': () => ({
      lines: [
        { type: 'layer', digest: `sha256:${'a'.repeat(64)}`, phase: 'done' },
        { type: 'result', result: { reference: 'alpine:latest', digest: 'sha256:d', id: 'i', upToDate } },
      ],
    }),
  })

  test('tells its progress on stderr and the result on stdout', async () => {
    expect(await kago(pulling(false), ['pull', 'alpine'])).toMatchObject({
      status: 0,
      stdout:
        'Digest: sha256:d\nStatus: Downloaded newer image for alpine:latest\ndocker.io/library/alpine:latest\n',
      stderr: 'aaaaaaaaaaaa: Pull complete\n',
    })
    expect((await kago(pulling(true), ['pull', 'alpine'])).stdout).toContain('Image is up to date for')
  })

  test('--quiet prints the name alone', async () => {
    expect(await kago(pulling(false), ['pull', '-q', 'alpine'])).toMatchObject({
      stdout: 'docker.io/library/alpine:latest\n',
      stderr: '',
    })
  })

  test('sends the credentials of its registry, and of no other', async () => {
    const auth = { auth: Buffer.from('u:p').toString('base64') }
    writeFileSync(
      join(directory, 'config.json'),
      JSON.stringify({ auths: { 'a.example': auth, 'b.example': auth } }),
    )
    await kago(pulling(false), ['pull', 'a.example/x'])
    const header = String(daemon?.requests[0]?.headers['x-kago-registry-auth'])
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
      'a.example': { username: 'u', password: 'p' },
    })
  })
})

describe('login', () => {
  const accepting: FakeHandlers = { 'registry.login': () => ({ json: { registry: 'docker.io' } }) }

  test('keeps what the registry accepted, under Docker’s key for the Hub', async () => {
    const result = await kago(accepting, ['login', '-u', 'me', '--password-stdin'], { input: 'secret\n' })
    expect(result).toMatchObject({ status: 0, stdout: 'Login Succeeded\n' })
    expect(result.stderr).not.toContain('secret')
    expect(daemon?.requests[0]?.body).toEqual({
      registry: 'docker.io',
      credentials: { username: 'me', password: 'secret' },
    })
    expect(JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'))).toEqual({
      auths: { 'https://index.docker.io/v1/': { auth: Buffer.from('me:secret').toString('base64') } },
    })
  })

  test('keeps a token instead of the password where there is one', async () => {
    const answer = () => ({ json: { registry: 'a.example', identityToken: 't' } })
    await kago({ 'registry.login': answer }, ['login', '-u', 'me', '--password-stdin', 'a.example'], {
      input: 'secret',
    })
    expect(readFileSync(join(directory, 'config.json'), 'utf8')).not.toContain(
      Buffer.from('secret').toString('base64'),
    )
    expect(JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'))).toEqual({
      auths: { 'a.example': { identitytoken: 't' } },
    })
  })

  test('keeps nothing that was refused', async () => {
    const refusing: FakeHandlers = { 'registry.login': () => failed('unauthenticated', 'no', 401) }
    expect((await kago(refusing, ['login', '-u', 'me', '--password-stdin'], { input: 'x' })).status).toBe(6)
    expect(() => readFileSync(join(directory, 'config.json'))).toThrow('ENOENT')
  })

  test('takes no password from the command line, and asks for none without a terminal', async () => {
    const refused = await kago(accepting, ['login', '-u', 'me', '-p', 'secret'])
    expect(refused).toMatchObject({ status: 2 })
    expect(refused.stderr).toContain('--password-stdin')
    expect((await kago(accepting, ['login', '-u', 'me'], { input: 'x' })).stderr).toContain('no terminal')
    expect(daemon?.requests).toHaveLength(0)
  })

  test('logout forgets', async () => {
    await kago(accepting, ['login', '-u', 'me', '--password-stdin'], { input: 'x' })
    expect((await kago({}, ['logout'])).stdout).toBe('Removed the credentials of docker.io\n')
    expect(JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'))).toEqual({ auths: {} })
    expect((await kago({}, ['logout'])).stdout).toBe('Not logged in to docker.io\n')
  })
})

describe('logs', () => {
  test('put each stream where it belongs, byte for byte', async () => {
    const bytes = Buffer.concat([
      encodeFrame(frameTypes.stdout, Buffer.from([0, 255, 27])),
      encodeFrame(frameTypes.stderr, Buffer.from('err')),
      encodeFrame(frameTypes.stdout, Buffer.from('end')),
    ])
    const result = await kago(
      { 'container.logs': () => ({ bytes: [bytes.subarray(0, 5), bytes.subarray(5)] }) },
      ['logs', '-ft', '-n', '5', '--since', '2026-01-01T00:00:00Z', 'web'],
    )
    expect(result.stdoutBytes).toEqual(Buffer.from([0, 255, 27, 101, 110, 100]))
    expect(result.stderr).toBe('err')
    expect(daemon?.requests[0]?.query.toString()).toBe(
      'follow=true&timestamps=true&tail=5&since=2026-01-01T00%3A00%3A00.000000000Z',
    )
  })

  const line = (second: number, text: string, type: 1 | 2 = frameTypes.stdout) =>
    encodeFrame(type, Buffer.from(`2026-01-01T00:00:0${second}.000000000Z ${text}`))
  const several: FakeHandlers = {
    'container.logs': ({ params }) => {
      if (params['id'] === 'gone') return failed('not_found', 'no container gone')
      const isWeb = params['id'] === 'web'
      const lines = isWeb
        ? [line(1, 'a\n'), line(4, 'd')]
        : [line(2, 'b\n', frameTypes.stderr), line(3, 'c c\n')]
      return { bytes: lines }
    },
  }

  test('of several containers are one, in the order of their times, with the names before them', async () => {
    const result = await kago(several, ['logs', '-n', '9', 'web', 'database'])
    expect(result.stdout).toBe('web      | a\ndatabase | c c\nweb      | d\n')
    expect(result.stderr).toBe('database | b\n')
    expect(result.status).toBe(0)
    const queries = daemon?.requests.map(({ query }) => query.toString())
    expect(queries).toEqual(Array(2).fill('timestamps=true&tail=9'))
  })

  test('of several containers show the times when that is asked for', async () => {
    const { stdout } = await kago(several, ['logs', '-ft', 'web', 'database'])
    expect(stdout).toContain('web      | 2026-01-01T00:00:04.000000000Z d\n')
  })

  test('of several containers are shown though one is not there, which is an error in the end', async () => {
    const result = await kago(several, ['logs', 'gone', 'web'])
    expect(result.stdout).toBe('web  | a\nweb  | d\n')
    expect(result).toMatchObject({ status: 3, stderr: 'kago: no container gone\n' })
  })

  test('that break off with an error fail by it', async () => {
    const bytes = encodeJsonFrame(frameTypes.error, { code: 'corrupt', message: 'the log is damaged' })
    expect(await kago({ 'container.logs': () => ({ bytes }) }, ['logs', 'web'])).toMatchObject({
      status: 11,
      stderr: 'kago: the log is damaged\n',
    })
  })
})

describe('archives', () => {
  const loaded: FakeHandlers = {
    'image.load': ({ body, headers }) => ({
      lines: [
        {
          type: 'result',
          result: [
            { id: `sha256:${(body as Buffer).toString()}`, names: [] },
            { id: 'x', names: [String(headers['content-type'])] },
          ],
        },
      ],
    }),
  }

  test('are loaded from stdin or a file', async () => {
    const expected = 'Loaded image ID: sha256:tar\nLoaded image: application/x-tar\n'
    expect((await kago(loaded, ['load'], { input: 'tar' })).stdout).toBe(expected)
    writeFileSync(join(directory, 'a.tar'), 'tar')
    expect((await kago(loaded, ['load', '-i', join(directory, 'a.tar')])).stdout).toBe(expected)
    expect(await kago(loaded, ['load', '-i', join(directory, 'none')])).toMatchObject({ status: 3 })
  })

  test('are saved to stdout or whole to a file', async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 256))
    const saving: FakeHandlers = { 'image.save': () => ({ bytes }) }
    expect((await kago(saving, ['save', 'a', 'b'])).stdoutBytes.equals(bytes)).toBe(true)
    expect(daemon?.requests[0]?.query.getAll('name')).toEqual(['a', 'b'])
    const path = join(directory, 'out.tar')
    await kago(saving, ['save', '-o', path, 'a'])
    expect(readFileSync(path).equals(bytes)).toBe(true)
    await kago({ 'image.save': () => failed('not_found', 'no') }, [
      'save',
      '-o',
      join(directory, 'none.tar'),
      'a',
    ])
    expect(() => readFileSync(join(directory, 'none.tar'))).toThrow('ENOENT')
  })
})

test('explain prints steps with their share of the time, and what could have been typed', async () => {
  const step = { by: 'mount(2)', undo: null, status: 'done', offsetMs: 0, error: null }
  const { stdout } = await kago(
    {
      'operation.inspect': () => ({
        json: {
          id: 'op1',
          kind: 'container.start',
          target: 'web',
          status: 'done',
          startedAt: longAgo,
          durationMs: 100,
          error: null,
          steps: [
            {
              ...step,
              name: 'mount the root',
              shell: 'mount -t overlay \\\n  overlay rootfs',
              durationMs: 25,
            },
            { ...step, name: 'launch', shell: null, durationMs: 75 },
          ],
        },
      }),
    },
    ['explain', 'web'],
  )
  expect(stdout).toContain('operation op1: container.start web\n  done after 100ms')
  expect(stdout).toMatch(/1 +25ms +25% +done +mount the root +mount\(2\)/)
  expect(stdout).toContain('# 1\nmount -t overlay \\\n  overlay rootfs\n')
})

describe('help', () => {
  test('is there for everything', async () => {
    expect((await kago({}, [])).stdout).toContain('Usage: kago [OPTIONS] COMMAND')
    expect((await kago({}, ['container'])).stdout).toContain('Usage: kago container COMMAND')
    expect((await kago({}, ['help', 'run'])).stdout).toContain('-e, --env KEY[=VALUE]')
    expect((await kago({}, ['container', 'ls', '--help'])).stdout).toContain(
      'Usage: kago container ls [OPTIONS]',
    )
    expect(daemon?.requests).toHaveLength(0)
  })

  test('--json lists every command with its options', async () => {
    const all: { commands: { name: string; options: Record<string, { kind: string }> }[] } = JSON.parse(
      (await kago({}, ['help', '--json'])).stdout,
    )
    expect(all.commands.map(({ name }) => name)).toContain('run')
    expect(all.commands.find(({ name }) => name === 'run')?.options['rm']?.kind).toBe('flag')
  })

  test('an unknown command names the nearest', async () => {
    expect(await kago({}, ['rnu'])).toMatchObject({
      status: 2,
      stderr: 'kago: kago has no command "rnu"\n  did you mean kago run? see: kago --help\n',
    })
    expect((await kago({}, ['container', 'strat'])).stderr).toContain('did you mean kago container start')
    expect((await kago({}, ['constructor'])).status).toBe(2)
  })

  test('too few or too many words show the usage', async () => {
    expect(await kago({}, ['rename', 'a'])).toMatchObject({
      status: 2,
      stderr: 'kago: kago rename needs 2 arguments\n  usage: kago rename CONTAINER NEW_NAME\n',
    })
    expect((await kago({}, ['ps', 'x'])).stderr).toContain('kago ps takes no arguments')
  })

  test('completion is there for three shells', async () => {
    expect((await kago({}, ['completion', 'bash'])).stdout).toContain('complete -F _kago kago')
    expect((await kago({}, ['completion', 'zsh'])).stdout).toContain('#compdef kago')
    expect((await kago({}, ['completion', 'fish'])).stdout).toContain('complete -c kago')
    expect((await kago({}, ['completion', 'tcsh'])).status).toBe(7)
  })
})

test('the daemon is found by -H before KAGO_HOST, and told when it is not there', async () => {
  const version: FakeHandlers = { 'system.version': () => ({ json: { version: '9' } }) }
  expect((await kago(version, ['-H', '/nonexistent/s', 'version'])).status).toBe(9)
  expect(
    (await kago(version, ['version', '-f', '{{.server.version}} {{.Server.Version}} {{.client.version}}']))
      .stdout,
  ).toBe('9 9 0.0.0-test\n')
})

test('limits are updated only when some are named', async () => {
  expect((await kago({}, ['update', 'web'])).stderr).toContain('nothing to change was named')
  await kago({ 'container.update': () => ({ json: {} }) }, ['update', '-m', '1g', '--pids-limit', '5', 'web'])
  expect(daemon?.requests[0]?.body).toEqual({ resources: { memoryBytes: 1024 ** 3, pidsLimit: 5 } })
})

test('exec in the background asks and is done', async () => {
  const result = await kago({ 'container.exec-detached': () => ({ json: { pid: 1 } }) }, [
    'exec',
    '-d',
    '-e',
    'A=1',
    '-u',
    'me',
    '-w',
    '/x',
    'web',
    'ls',
    '-l',
  ])
  expect(result).toMatchObject({ status: 0, stdout: '' })
  expect(daemon?.requests[0]).toMatchObject({
    params: { id: 'web' },
    body: { command: ['ls', '-l'], env: ['A=1'], user: 'me', workingDir: '/x' },
  })
})
