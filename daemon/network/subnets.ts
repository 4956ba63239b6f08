/** Which subnets are taken on this machine and by whom, and which one a new network gets. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  bitsOf,
  type Family,
  formatSubnet,
  lastOf,
  overlaps,
  parseSubnet,
  type Subnet,
  subnetOf,
} from '../../shared/address.ts'
import { KagoError } from '../../shared/errors.ts'
import { listAddresses, listLinks, listRoutes } from '../host/links.ts'
import type { NetworkContext } from './context.ts'
import { readNetwork } from './records.ts'

export interface TakenSubnet {
  subnet: Subnet
  /** For messages: `the network web`, `Docker's bridge docker0`, `the host's route by tun0`. */
  by: string
}

/** Of kago's own networks, of the host's interfaces and routes, of Docker's and Podman's networks. */
export function takenSubnets(context: NetworkContext): TakenSubnet[] {
  const networks = context.networks.list().map(readNetwork)
  const own = networks.flatMap(({ name, subnets }) =>
    subnets.flatMap(({ subnet }) => known(subnet, `the network ${name}`)),
  )
  const bridges = new Set([context.config.bridge, ...networks.map(({ bridge }) => bridge)])
  return [...own, ...onHost(context, bridges), ...ofPodman()]
}

/** @throws what the subnet collides with. */
export function refuseTaken(subnet: Subnet, taken: readonly TakenSubnet[]): void {
  const other = taken.find((one) => overlaps(one.subnet, subnet))
  if (other === undefined) return
  throw new KagoError(
    'in_use',
    `subnet ${formatSubnet(subnet)} overlaps with ${formatSubnet(other.subnet)} of ${other.by}`,
    { hint: 'choose another, or leave out --subnet and kago finds a free one' },
  )
}

/**
 * The first subnet of the configured pools that nobody has. For IPv6, where no pool is configured, a random one of
 * those that are everybody's own (RFC 4193).
 * @throws exhausted
 */
export function chooseSubnet(
  pools: NetworkContext['config']['addressPools'],
  family: Family,
  taken: readonly TakenSubnet[],
): Subnet {
  const bases = pools.flatMap(({ base, size }) => {
    const subnet = parseSubnet(base)
    return subnet?.family === family ? [{ subnet, size }] : []
  })
  if (family === 6 && bases.length === 0) return randomLocalSubnet()
  for (const { subnet, size } of bases) {
    const free = firstFree(subnet, size, taken)
    if (free !== undefined) return free
  }
  throw new KagoError('exhausted', `no free IPv${family} subnet is left in the address pools`, {
    hint: 'remove networks that nobody uses (kago network prune), choose one by --subnet, or add to "addressPools"',
  })
}

function firstFree(base: Subnet, prefix: number, taken: readonly TakenSubnet[]): Subnet | undefined {
  const { family } = base
  const step = 1n << BigInt(bitsOf(family) - prefix)
  for (let first = base.first; first <= lastOf(base); ) {
    const subnet = { family, first, prefix }
    const other = taken.find((one) => overlaps(one.subnet, subnet))
    if (other === undefined) return subnet
    const after = lastOf(other.subnet) + 1n
    first = after <= first + step ? first + step : ((after + step - 1n) / step) * step
  }
  return undefined
}

function randomLocalSubnet(): Subnet {
  const value = BigInt(`0xfd${randomBytes(5).toString('hex')}`) << 80n
  return { family: 6, first: value, prefix: 64 }
}

function onHost({ memory }: NetworkContext, ownBridges: ReadonlySet<string>): TakenSubnet[] {
  const links = new Map(listLinks(memory.routing).map((link) => [link.index, link.name]))
  const addresses = listAddresses(memory.routing)
    .filter(({ link, isGlobal }) => isGlobal && !ownBridges.has(links.get(link) ?? ''))
    .map(({ link, address, prefix }) => ({
      subnet: subnetOf(address, prefix),
      by: describeLink(links.get(link)),
    }))
  // The halves of everything that some VPNs route are a default route in other clothes.
  const routes = listRoutes(memory.routing)
    .filter(({ subnet, link }) => subnet.prefix > 3 && !ownBridges.has(links.get(link) ?? ''))
    .filter(({ subnet }) => subnet.family === 4 || !isLinkOrMulticast(subnet))
    .map(({ subnet, link }) => ({ subnet, by: `the host's route by ${links.get(link) ?? 'several links'}` }))
  return [...addresses, ...routes]
}

function isLinkOrMulticast({ first }: Subnet): boolean {
  return first >> 118n === 0x3fan || first >> 120n === 0xffn
}

function describeLink(name = 'an interface that went'): string {
  if (name === 'docker0' || /^br-[0-9a-f]{12}$/.test(name)) return `Docker's bridge ${name}`
  if (/^(?:podman|cni-podman)\d+$/.test(name)) return `Podman's bridge ${name}`
  if (name.startsWith('virbr')) return `libvirt's bridge ${name}`
  return `the host's interface ${name}`
}

/** Podman's networks have no interface while nothing runs in them; their files are there. */
function ofPodman(): TakenSubnet[] {
  return ['/etc/containers/networks', '/etc/cni/net.d'].flatMap((directory) =>
    filesIn(directory).flatMap((file) => {
      const name = file.replace(/\.(?:json|conflist)$/, '')
      const text = readText(join(directory, file))
      return [...text.matchAll(/"subnet"\s*:\s*"([^"]+)"/g)].flatMap(([, subnet = '']) =>
        known(subnet, `Podman's network ${name}`),
      )
    }),
  )
}

function known(text: string, by: string): TakenSubnet[] {
  const subnet = parseSubnet(text)
  return subnet === undefined ? [] : [{ subnet, by }]
}

/** Others' directories and files: what cannot be read says nothing. */
function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
