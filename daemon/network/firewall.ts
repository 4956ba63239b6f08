/**
 * kago's firewall as a document: who may reach whom, and where published ports lead. Pure; nft reads what it renders.
 *
 * One table of family inet, which kago alone writes, so that it can be replaced whole at any time in one transaction:
 * after a boot, a repair, or when somebody flushed the ruleset. Connections that are open go on, as the kernel keeps
 * their translation by itself. What changes with every container, the published ports, are elements of maps: adding
 * one costs the same whether there are none or ten thousand.
 *
 * The rules, in words:
 * - a container reaches the world, by the host's address, and the host; those of an internal network only its gateway
 * - containers of one network reach each other, those of different networks do not
 * - from outside, only published ports lead in, from wherever the address they are published at can be reached;
 *   nobody reaches a container's own address by using the host as a router
 * - 127.0.0.1 of the host is the host's alone; ::1 is not led anywhere by the kernel: see proxy.ts
 */

export interface FirewallNetwork {
  /** The name of its interface on the host. */
  bridge: string
  /** At most one per family. */
  subnets: readonly { subnet: string; gateway: string }[]
  /** No way out and none in. */
  isInternal: boolean
  /** Where the name server listens at the gateways; it is asked at port 53. */
  dnsPort?: number
}

/** A published port; of one family on both sides. */
export interface FirewallPort {
  /** An address of the host; `0.0.0.0` and `::` are all of that family. */
  hostAddress: string
  hostPort: number
  protocol: Protocol
  containerAddress: string
  containerPort: number
}

export type Protocol = 'tcp' | 'udp' | 'sctp'

export interface FirewallModel {
  table: string
  networks: readonly FirewallNetwork[]
  ports: readonly FirewallPort[]
}

/** Of each family: ports of one address, and those of all. */
export const portMaps = {
  at4: 'ports4',
  all4: 'ports4_everywhere',
  at6: 'ports6',
  all6: 'ports6_everywhere',
} as const
export type PortMap = (typeof portMaps)[keyof typeof portMaps]

/** The map that a port is in. */
export function mapOf({ hostAddress }: FirewallPort): PortMap {
  if (hostAddress === '0.0.0.0') return portMaps.all4
  if (hostAddress === '::') return portMaps.all6
  return hostAddress.includes(':') ? portMaps.at6 : portMaps.at4
}

/** A port as its map's element, for nft: `tcp . 8080 : 10.64.0.2 . 80`. */
export function elementOf(port: FirewallPort): string {
  return `${keyOf(port)} : ${port.containerAddress} . ${port.containerPort}`
}

export function keyOf(port: FirewallPort): string {
  const isOfAll = port.hostAddress === '0.0.0.0' || port.hostAddress === '::'
  return `${isOfAll ? '' : `${port.hostAddress} . `}${port.protocol} . ${port.hostPort}`
}

/** What `nft -f -` is to read: replaces the table, whatever is in it, at once or not at all. */
export function renderFirewall({ table, networks, ports }: FirewallModel): string {
  const maps = (name: PortMap) => ports.filter((port) => mapOf(port) === name).map(elementOf)
  const bridges = networks.map(({ bridge }) => quoted(bridge))
  const internal = networks.filter(({ isInternal }) => isInternal).map(({ bridge }) => quoted(bridge))
  const lines = [
    ...set('set bridges', 'ifname', bridges),
    ...set('set internal', 'ifname', internal),
    ...set(
      'set within',
      'ifname . ifname',
      bridges.map((bridge) => `${bridge} . ${bridge}`),
    ),
    ...set(`map ${portMaps.at4}`, `ipv4_addr . ${portKey} : ipv4_addr . inet_service`, maps(portMaps.at4)),
    ...set(`map ${portMaps.all4}`, `${portKey} : ipv4_addr . inet_service`, maps(portMaps.all4)),
    ...set(`map ${portMaps.at6}`, `ipv6_addr . ${portKey} : ipv6_addr . inet_service`, maps(portMaps.at6)),
    ...set(`map ${portMaps.all6}`, `${portKey} : ipv6_addr . inet_service`, maps(portMaps.all6)),
    // Bridges route loopback addresses, for ports published at 127.0.0.1: nobody on them may make use of it.
    ...chain('unspoofed', 'filter hook prerouting priority raw', [
      'iifname @bridges ip daddr 127.0.0.0/8 drop',
      'iifname @bridges ip saddr 127.0.0.0/8 drop',
    ]),
    ...chain('published', undefined, [
      ...networks.flatMap(nameServer),
      `dnat ip to ip daddr . meta l4proto . th dport map @${portMaps.at4}`,
      `dnat ip to meta l4proto . th dport map @${portMaps.all4}`,
      `dnat ip6 to ip6 daddr . meta l4proto . th dport map @${portMaps.at6}`,
      `dnat ip6 to meta l4proto . th dport map @${portMaps.all6}`,
    ]),
    // Before the route is looked up: the kernel has not yet refused a stranger's packet to 127.0.0.1.
    ...chain('from_others', 'nat hook prerouting priority dstnat', [
      'ip daddr 127.0.0.0/8 return',
      'fib daddr type local jump published',
    ]),
    // The kernel has no way of letting an answer in for ::1, unlike 127.0.0.1.
    ...chain('from_the_host', 'nat hook output priority -100', [
      'ip6 daddr ::1 return',
      'fib daddr type local jump published',
    ]),
    ...chain('to_the_host', 'filter hook input priority filter', [
      ...networks.flatMap(guardNameServer),
      ...networks.flatMap(guardFromInternal),
    ]),
    ...chain('through_the_host', 'filter hook forward priority filter', [
      'iifname != @bridges oifname != @bridges accept',
      'ct state established,related accept',
      'iifname . oifname @within accept',
      'iifname @internal drop',
      'oifname @internal drop',
      'ct status dnat accept',
      'oifname @bridges drop',
    ]),
    ...chain('on_the_way_out', 'nat hook postrouting priority srcnat', [
      'ip saddr 127.0.0.0/8 oifname @bridges masquerade',
      ...networks.flatMap(masquerade),
    ]),
  ]
  const body = lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')
  return `table inet ${table}\ndelete table inet ${table}\ntable inet ${table} {\n${body}\n}\n`
}

const portKey = 'inet_proto . inet_service'

function set(head: string, type: string, elements: readonly string[]): string[] {
  const list = elements.length === 0 ? [] : [`  elements = { ${elements.join(', ')} }`]
  return [`${head} {`, `  type ${type}`, ...list, '}']
}

function chain(name: string, hook: string | undefined, rules: readonly string[]): string[] {
  const head = hook === undefined ? [] : [`  type ${hook}; policy accept;`]
  return [`chain ${name} {`, ...head, ...rules.map((rule) => `  ${rule}`), '}']
}

function nameServer({ subnets, dnsPort }: FirewallNetwork): string[] {
  if (dnsPort === undefined) return []
  return subnets.map(({ gateway }) => {
    const family = familyOf(gateway)
    const target = family === 'ip6' ? `[${gateway}]` : gateway
    return `${family} daddr ${gateway} meta l4proto { tcp, udp } th dport 53 dnat ${family} to ${target}:${dnsPort}`
  })
}

/** The name server of a network is asked by its containers and the host alone. */
function guardNameServer({ bridge, subnets, dnsPort }: FirewallNetwork): string[] {
  if (dnsPort === undefined) return []
  return subnets.map(({ gateway }) => {
    const to = `${familyOf(gateway)} daddr ${gateway} meta l4proto { tcp, udp } th dport ${dnsPort}`
    return `${to} iifname != { "lo", ${quoted(bridge)} } drop`
  })
}

/** Of the host, an internal network reaches the gateway, and what finding it takes. */
function guardFromInternal({ bridge, subnets, isInternal }: FirewallNetwork): string[] {
  if (!isInternal) return []
  return (['ip', 'ip6'] as const).map((family) => {
    const gateways = subnets.map(({ gateway }) => gateway).filter((gateway) => familyOf(gateway) === family)
    const open = [...gateways, ...(family === 'ip6' ? ['fe80::/10', 'ff00::/8'] : [])]
    const other = open.length === 0 ? `meta nfproto ipv4` : `${family} daddr != { ${open.join(', ')} }`
    return `iifname ${quoted(bridge)} ${other} drop`
  })
}

/** Out into the world by the host's address; and back to a neighbour by it, or the answer would take a shorter way. */
function masquerade({ subnets, isInternal }: FirewallNetwork): string[] {
  if (isInternal) return []
  return subnets.flatMap(({ subnet }) => {
    const family = familyOf(subnet)
    return [
      `${family} saddr ${subnet} oifname != @bridges masquerade`,
      `${family} saddr ${subnet} ${family} daddr ${subnet} ct status dnat masquerade`,
    ]
  })
}

function familyOf(address: string): 'ip' | 'ip6' {
  return address.includes(':') ? 'ip6' : 'ip'
}

function quoted(name: string): string {
  return `"${name}"`
}
