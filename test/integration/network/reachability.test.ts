/** Who may reach whom, under the firewall that kago writes: the whole table, on namespaces that stand for hosts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FirewallModel, type FirewallPort, renderFirewall } from '../../../daemon/network/firewall.ts'
import { type AskedProtocol, type Host, link, makeBridge, makeHost } from '../../harness/namespaces.ts'

const lan = { host4: '192.0.2.1', host6: '2001:db8::1', neighbour4: '192.0.2.9', neighbour6: '2001:db8::9' }

const networks = [
  { bridge: 'kago0', net: '10.1.0', net6: 'fd01', isInternal: false, members: ['a1', 'a2'], dnsPort: 5300 },
  { bridge: 'kg-b', net: '10.2.0', net6: 'fd02', isInternal: false, members: ['b1'] },
  { bridge: 'kg-in', net: '10.3.0', net6: 'fd03', isInternal: true, members: ['i1', 'i2'] },
]

const a1 = { four: '10.1.0.2', six: 'fd01::2' }

const ports: FirewallPort[] = (['tcp', 'udp'] as const).flatMap((protocol) => {
  const four = { protocol, containerAddress: a1.four, containerPort: 80 }
  const six = { protocol, containerAddress: a1.six, containerPort: 80 }
  return [
    { ...four, hostAddress: '0.0.0.0', hostPort: 8080 },
    { ...six, hostAddress: '::', hostPort: 8080 },
    { ...four, hostAddress: '127.0.0.1', hostPort: 8081 },
    { ...four, hostAddress: lan.host4, hostPort: 8082 },
    { ...six, hostAddress: lan.host6, hostPort: 8082 },
  ]
})

const model: FirewallModel = {
  table: 'kago',
  ports,
  networks: networks.map(({ bridge, net, net6, isInternal, dnsPort }) => ({
    bridge,
    isInternal,
    subnets: [
      { subnet: `${net}.0/24`, gateway: `${net}.1` },
      { subnet: `${net6}::/64`, gateway: `${net6}::1` },
    ],
    ...(dnsPort !== undefined && { dnsPort }),
  })),
}

const hosts = new Map<string, Host>()
const at = (name: string): Host => {
  const host = hosts.get(name)
  if (host === undefined) throw new Error(`there is no host ${name}`)
  return host
}

beforeAll(async () => {
  const listening: Record<string, number[]> = { host: [7000, 5300], neighbour: [80] }
  const names = ['host', 'neighbour', ...networks.flatMap(({ members }) => members)]
  await Promise.all(
    names.map(async (name) => hosts.set(name, await makeHost(name, listening[name] ?? [80, 81]))),
  )
  const host = at('host')
  host.run('sh', [
    '-c',
    'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
  ])
  link(host, { name: 'eth0', addresses: [`${lan.host4}/24`, `${lan.host6}/64`] }, at('neighbour'), {
    name: 'eth0',
    addresses: [`${lan.neighbour4}/24`, `${lan.neighbour6}/64`],
    // The neighbour tries to use the host as a router.
    gateways: [lan.host4, lan.host6],
  })
  for (const { bridge, net, net6, members } of networks) {
    makeBridge(host, bridge, [`${net}.1/24`, `${net6}::1/64`])
    host.run('sh', ['-c', `echo 1 > /proc/sys/net/ipv4/conf/${bridge}/route_localnet`])
    for (const [index, name] of members.entries()) {
      link(host, { name: `v-${name}`, bridge }, at(name), {
        name: 'eth0',
        addresses: [`${net}.${index + 2}/24`, `${net6}::${index + 2}/64`],
        gateways: [`${net}.1`, `${net6}::1`],
      })
    }
  }
  host.run('nft', ['-f', '-'], renderFirewall(model))
}, 60_000)

afterAll(async () => {
  await Promise.all([...hosts.values()].map((host) => host.end()))
})

/** `from` asks `address` at `port`; `answer` is who does, and whose address it sees, or null for nobody. */
interface Row {
  from: string
  to: [four: string, six: string | null]
  port: number
  answer: [name: string, four: string, six: string] | null
  why: string
  /** An answer by UDP comes from the address nearest to the asker. */
  protocol?: 'tcp'
}

const self = (name: string, four: string, six: string): [string, string, string] => [name, four, six]
const asHost = self('a1', '10.1.0.1', 'fd01::1')

const table: Row[] = [
  {
    why: 'the host reaches a container',
    from: 'host',
    to: ['10.1.0.2', 'fd01::2'],
    port: 80,
    answer: asHost,
  },
  {
    why: 'a container the world, by the host’s address',
    from: 'a1',
    to: [lan.neighbour4, lan.neighbour6],
    port: 80,
    answer: self('neighbour', lan.host4, lan.host6),
  },
  {
    why: 'a container the host',
    from: 'a1',
    to: ['10.1.0.1', 'fd01::1'],
    port: 7000,
    answer: self('host', '10.1.0.2', 'fd01::2'),
  },
  {
    why: 'a container the host, by its address outside',
    protocol: 'tcp',
    from: 'a1',
    to: [lan.host4, lan.host6],
    port: 7000,
    answer: self('host', '10.1.0.2', 'fd01::2'),
  },
  {
    why: 'a container its neighbour',
    from: 'a2',
    to: ['10.1.0.2', 'fd01::2'],
    port: 80,
    answer: self('a1', '10.1.0.3', 'fd01::3'),
  },
  {
    why: 'a port that is not published is no matter inside a network',
    from: 'a2',
    to: ['10.1.0.2', 'fd01::2'],
    port: 81,
    answer: self('a1', '10.1.0.3', 'fd01::3'),
  },
  {
    why: 'not a container of another network',
    from: 'a1',
    to: ['10.2.0.2', 'fd02::2'],
    port: 80,
    answer: null,
  },
  {
    why: 'nor the other way round, not even a published one at its own address',
    from: 'b1',
    to: ['10.1.0.2', 'fd01::2'],
    port: 80,
    answer: null,
  },
  {
    why: 'not a container of an internal network',
    from: 'a1',
    to: ['10.3.0.2', 'fd03::2'],
    port: 80,
    answer: null,
  },
  {
    why: 'a LAN neighbour not a container’s own address',
    from: 'neighbour',
    to: ['10.1.0.2', 'fd01::2'],
    port: 80,
    answer: null,
  },
  {
    why: 'an internal container its neighbour',
    from: 'i1',
    to: ['10.3.0.3', 'fd03::3'],
    port: 80,
    answer: self('i2', '10.3.0.2', 'fd03::2'),
  },
  {
    why: 'an internal container its gateway',
    from: 'i1',
    to: ['10.3.0.1', 'fd03::1'],
    port: 7000,
    answer: self('host', '10.3.0.2', 'fd03::2'),
  },
  {
    why: 'not the host by another address',
    from: 'i1',
    to: [lan.host4, lan.host6],
    port: 7000,
    answer: null,
  },
  {
    why: 'not the gateway of another network',
    from: 'i1',
    to: ['10.1.0.1', 'fd01::1'],
    port: 7000,
    answer: null,
  },
  { why: 'not the world', from: 'i1', to: [lan.neighbour4, lan.neighbour6], port: 80, answer: null },
  { why: 'not a published port', from: 'i1', to: ['10.3.0.1', 'fd03::1'], port: 8080, answer: null },
  {
    why: 'the host reaches an internal container',
    from: 'host',
    to: ['10.3.0.2', 'fd03::2'],
    port: 80,
    answer: self('i1', '10.3.0.1', 'fd03::1'),
  },
  {
    why: 'published everywhere: the LAN, seen by its own address',
    from: 'neighbour',
    to: [lan.host4, lan.host6],
    port: 8080,
    answer: self('a1', lan.neighbour4, lan.neighbour6),
  },
  {
    why: 'published everywhere: the host by its address outside',
    from: 'host',
    to: [lan.host4, lan.host6],
    port: 8080,
    answer: self('a1', lan.host4, lan.host6),
  },
  {
    why: 'published everywhere: the host by 127.0.0.1',
    from: 'host',
    to: ['127.0.0.1', null],
    port: 8080,
    answer: asHost,
  },
  {
    why: 'published everywhere: the host by the gateway',
    from: 'host',
    to: ['10.1.0.1', 'fd01::1'],
    port: 8080,
    answer: asHost,
  },
  {
    why: 'published everywhere: its own container (hairpin)',
    from: 'a1',
    to: [lan.host4, lan.host6],
    port: 8080,
    answer: asHost,
  },
  {
    why: 'published everywhere: its neighbour',
    from: 'a2',
    to: [lan.host4, lan.host6],
    port: 8080,
    answer: asHost,
  },
  {
    why: 'published everywhere: another network, by an address of the host',
    from: 'b1',
    to: [lan.host4, lan.host6],
    port: 8080,
    answer: self('a1', '10.2.0.2', 'fd02::2'),
  },
  {
    why: 'published everywhere: another network, by its gateway',
    from: 'b1',
    to: ['10.2.0.1', 'fd02::1'],
    port: 8080,
    answer: self('a1', '10.2.0.2', 'fd02::2'),
  },
  {
    why: 'published at 127.0.0.1: the host',
    from: 'host',
    to: ['127.0.0.1', null],
    port: 8081,
    answer: asHost,
  },
  {
    why: 'published at 127.0.0.1: not by another address',
    from: 'host',
    to: [lan.host4, lan.host6],
    port: 8081,
    answer: null,
  },
  {
    why: 'published at 127.0.0.1: not the LAN',
    from: 'neighbour',
    to: [lan.host4, lan.host6],
    port: 8081,
    answer: null,
  },
  {
    why: 'published at 127.0.0.1: not containers',
    from: 'a2',
    to: ['10.1.0.1', 'fd01::1'],
    port: 8081,
    answer: null,
  },
  {
    why: 'published at one address: the LAN',
    from: 'neighbour',
    to: [lan.host4, lan.host6],
    port: 8082,
    answer: self('a1', lan.neighbour4, lan.neighbour6),
  },
  {
    why: 'published at one address: not by another',
    from: 'host',
    to: ['127.0.0.1', '::1'],
    port: 8082,
    answer: null,
  },
  {
    why: 'the name server: its containers',
    from: 'a1',
    to: ['10.1.0.1', 'fd01::1'],
    port: 53,
    answer: self('host', '10.1.0.2', 'fd01::2'),
  },
  {
    why: 'the name server: not another network',
    from: 'b1',
    to: ['10.1.0.1', 'fd01::1'],
    port: 53,
    answer: null,
  },
  {
    why: 'the name server: not the LAN',
    from: 'neighbour',
    to: ['10.1.0.1', 'fd01::1'],
    port: 53,
    answer: null,
  },
]

/** A refusal says that there is something; silence or a refusal, but nobody's answer. */
const nobody = /^(silence|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/

describe.each(['tcp', 'udp'] as const)('%s', (protocol: AskedProtocol) => {
  for (const family of [4, 6] as const) {
    const rows = table.filter(
      (row) => row.to[family === 4 ? 0 : 1] !== null && (row.protocol ?? protocol) === protocol,
    )
    test.concurrent.each(rows)(
      `IPv${family}: $why ($from, port $port)`,
      async ({ from, to, port, answer }) => {
        const said = await at(from).ask(protocol, to[family === 4 ? 0 : 1] ?? '', port)
        if (answer === null) expect(said).toMatch(nobody)
        else expect(said).toBe(`${answer[0]} ${answer[family === 4 ? 1 : 2]}`)
      },
    )
  }
})
