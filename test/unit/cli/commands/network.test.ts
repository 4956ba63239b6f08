/** `kago network …`: what is typed becomes requests, and answers become lines. */
import { afterEach, describe, expect, test } from 'vitest'
import { runCli } from '../../../harness/cli.ts'
import { type FakeDaemon, type FakeHandlers, startFakeDaemon } from '../../../harness/fake-daemon.ts'

let daemon: FakeDaemon | undefined
afterEach(async () => {
  await daemon?.close()
  daemon = undefined
})

async function kago(handlers: FakeHandlers, ...args: string[]) {
  await daemon?.close()
  daemon = await startFakeDaemon(handlers)
  return await runCli(args, { host: daemon.host })
}

const network = {
  id: 'ab'.repeat(32),
  name: 'shop',
  createdAt: '2026-11-23T00:00:00.000Z',
  bridge: 'kg-abababababab',
  internal: false,
  ipv6: true,
  mtu: null,
  subnets: [
    { subnet: '10.5.0.0/16', gateway: '10.5.0.1' },
    { subnet: 'fd00::/64', gateway: 'fd00::1' },
  ],
  labels: { app: 'x' },
  options: {},
  containers: 2,
}

describe('create', () => {
  test('gateways and ranges go with the subnet of their family', async () => {
    let sent: unknown
    const handlers: FakeHandlers = {
      'network.create': ({ body }) => {
        sent = body
        return { json: { id: network.id, name: 'shop' } }
      },
    }
    const words = ['--subnet', '10.5.0.0/16', '--subnet', 'fd00::/64', '--gateway', 'fd00::9']
    const more = ['--ip-range', '10.5.3.0/24', '--internal', '--label', 'app=x', '-o', 'mtu=1400']
    const result = await kago(handlers, 'network', 'create', ...words, ...more, 'shop')
    expect(result).toMatchObject({ status: 0, stdout: `${network.id}\n` })
    expect(sent).toEqual({
      name: 'shop',
      subnets: [
        { subnet: '10.5.0.0/16', ipRange: '10.5.3.0/24' },
        { subnet: 'fd00::/64', gateway: 'fd00::9' },
      ],
      internal: true,
      labels: { app: 'x' },
      options: { mtu: '1400' },
    })
  })

  test.each([
    [['--driver', 'overlay', 'x'], 'there is no driver "overlay" for networks'],
    [['--gateway', '10.5.0.1', 'x'], '10.5.0.1 belongs to no subnet'],
    [['--subnet', 'fd00::/64', '--ip-range', '10.0.0.0/24', 'x'], '10.0.0.0/24 belongs to no subnet'],
    [
      ['--subnet', '10.5.0.0/16', '--gateway', '10.5.0.1', '--gateway', '10.5.0.2', 'x'],
      '--gateway is given twice',
    ],
  ])('%j is refused', async (words, message) => {
    const result = await kago({}, 'network', 'create', ...words)
    expect(result.status).not.toBe(0)
    expect(result.stderr).toContain(message)
  })
})

describe('ls', () => {
  const handlers: FakeHandlers = { 'network.list': () => ({ json: [network] }) }

  test('prints a line for each', async () => {
    expect((await kago(handlers, 'network', 'ls')).stdout).toBe(
      'NETWORK ID     NAME      DRIVER    SUBNETS                 CONTAINERS\n' +
        'abababababab   shop      bridge    10.5.0.0/16,fd00::/64   2\n',
    )
    expect((await kago(handlers, 'network', 'ls', '-q')).stdout).toBe('abababababab\n')
    const format = '{{.Name}} {{.IPv6}} {{.Internal}} {{.Labels}}'
    expect((await kago(handlers, 'network', 'ls', '--format', format)).stdout).toBe('shop true false app=x\n')
  })
})

describe('connect, disconnect, rm', () => {
  test('name network and container', async () => {
    const seen: unknown[] = []
    const note: FakeHandlers = {
      'network.connect': ({ params, body }) => {
        seen.push(params['network'], body)
        return { json: {} }
      },
      'network.disconnect': ({ params, body }) => {
        seen.push(params['network'], body)
        return { json: {} }
      },
    }
    await kago(note, 'network', 'connect', '--alias', 'db', '--ip', '10.5.0.9', 'shop', 'web')
    await kago(note, 'network', 'disconnect', '-f', 'shop', 'web')
    expect(seen).toEqual([
      'shop',
      { container: 'web', aliases: ['db'], ipv4Address: '10.5.0.9' },
      'shop',
      { container: 'web', force: true },
    ])
  })

  test('with --force what is not there is gone', async () => {
    const gone: FakeHandlers = {
      'network.remove': () => ({
        status: 404,
        json: { error: { code: 'not_found', message: 'no such network' } },
      }),
    }
    expect(await kago(gone, 'network', 'rm', '-f', 'x')).toMatchObject({ status: 0, stdout: '' })
    expect(await kago(gone, 'network', 'rm', 'x')).toMatchObject({ status: 3 })
  })
})

test('the noun alone says what there is, and its verbs stand nowhere else', async () => {
  expect((await kago({}, 'network')).stdout).toContain('disconnect  Take a container out of a network')
  expect((await kago({}, 'help')).stdout).not.toContain('network create')
})
