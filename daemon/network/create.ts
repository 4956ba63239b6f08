/** Makes a network: its subnets are chosen or checked, its record is written, its bridge comes up. */
import { randomBytes } from 'node:crypto'
import {
  bitsOf,
  containsAddress,
  type Family,
  formatAddress,
  formatSubnet,
  lastOf,
  parseAddress,
  parseSubnet,
  type Subnet,
} from '../../shared/address.ts'
import { KagoError } from '../../shared/errors.ts'
import { nearest } from '../../shared/nearest.ts'
import type { NetworkCreateBody } from '../../shared/protocol/networks.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { ensureBridge } from './bridge.ts'
import type { NetworkContext } from './context.ts'
import { isHost } from './ipam.ts'
import {
  bridgeOf,
  defaultNetworkName,
  type Network,
  type NetworkRecord,
  type NetworkSubnet,
  readNetwork,
} from './records.ts'
import { chooseSubnet, refuseTaken, type TakenSubnet, takenSubnets } from './subnets.ts'

const grammar = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/
/** What `--network` means without a network, and Docker's words for drivers. */
const reserved = ['none', 'host', 'default', 'container']

export async function createNetwork(context: NetworkContext, body: NetworkCreateBody): Promise<Network> {
  checkName(context, body.name)
  return await operate(context, { kind: 'network.create', target: body.name }, async (operation) => {
    const id = randomBytes(32).toString('hex')
    const network = await operation.step(
      'choose its subnets, write the record',
      { by: 'kago.db', undo: ['network.remove', id] },
      () => insert(context, planNetwork(context, id, body)),
    )
    await makeBridgeStep(context, operation, network)
    context.events.publish({ type: 'network', action: 'create', id, attributes: { name: network.name } })
    return network
  })
}

/** The network `bridge`, which is there from the daemon's first start on; its bridge comes with its first container. */
export function ensureDefaultNetwork(context: NetworkContext): Network {
  const there = context.networks.findByName(defaultNetworkName)
  if (there !== undefined) return readNetwork(there)
  const id = randomBytes(32).toString('hex')
  const plan = planNetwork(context, id, { name: defaultNetworkName })
  return insert(context, { ...plan, bridge: context.config.bridge })
}

async function makeBridgeStep(
  context: NetworkContext,
  operation: Operation,
  network: Network,
): Promise<void> {
  const { bridge, subnets } = network
  const addresses = subnets.map(({ subnet, gateway }) => `${gateway}/${subnet.split('/')[1] ?? ''}`)
  await operation.step(
    'make the bridge',
    {
      by: 'rtnetlink(7)',
      shell: [
        `ip link add ${bridge} type bridge`,
        ...addresses.map((address) => `ip address add ${address} dev ${bridge}`),
        `ip link set ${bridge} up`,
      ].join(' && '),
    },
    () => ensureBridge(context, network),
  )
}

function checkName({ networks }: NetworkContext, name: string): void {
  if (!grammar.test(name) || reserved.includes(name)) {
    const why = reserved.includes(name) ? 'is a word that --network knows' : 'is not a name for a network'
    throw new KagoError('invalid_argument', `${JSON.stringify(name.slice(0, 140))} ${why}`, {
      hint: 'a name has letters, digits, "_", "." and "-", begins with a letter or digit, and is at most 128 long',
    })
  }
  const holder = networks.findByName(name)
  if (holder === undefined) return
  throw new KagoError('already_exists', `there is a network ${name} already`, {
    hint: `choose another name, or remove it: kago network rm ${name}`,
    details: { id: holder.id },
  })
}

function insert(context: NetworkContext, network: Network): Network {
  const { id, name, bridge, createdAt, ...record } = network
  if (context.networks.insert({ id, name, bridge, createdAt, record: JSON.stringify(record) })) return network
  throw new KagoError('already_exists', `the name ${name} or the bridge ${bridge} is taken by a network`, {
    hint: 'see all of them with: kago network ls',
  })
}

function planNetwork(context: NetworkContext, id: string, body: NetworkCreateBody): Network {
  const options = readOptions(body.options ?? {})
  const taken = takenSubnets(context)
  const asked = (body.subnets ?? []).map((one) => checkSubnet(one, taken))
  const record: NetworkRecord = {
    labels: body.labels ?? {},
    options: body.options ?? {},
    isInternal: body.internal ?? false,
    mtu: options.mtu,
    subnets: ([4, 6] as const).flatMap((family) => {
      const given = asked.filter((one) => familyOf(one) === family)
      if (given.length > 1) {
        throw new KagoError(
          'invalid_argument',
          `a network has one IPv${family} subnet, not ${given.length}`,
          {
            hint: 'make a network for each; a container can be in several',
          },
        )
      }
      if (given.length === 1) return given
      if (family === 6 && body.ipv6 !== true) return []
      return describeSubnet(chooseSubnet(context.config.addressPools, family, taken))
    }),
  }
  return { id, name: body.name, bridge: options.bridge ?? bridgeOf(id), createdAt: Date.now(), ...record }
}

function familyOf({ subnet }: NetworkSubnet): Family {
  return subnet.includes(':') ? 6 : 4
}

function describeSubnet(subnet: Subnet): NetworkSubnet {
  const gateway = formatAddress({ family: subnet.family, value: subnet.first + 1n })
  return { subnet: formatSubnet(subnet), gateway }
}

/** @throws invalid_argument, in_use */
function checkSubnet(
  given: { subnet: string; gateway?: string; ipRange?: string },
  taken: readonly TakenSubnet[],
): NetworkSubnet {
  const subnet = parseSubnet(given.subnet)
  if (subnet === undefined) {
    throw new KagoError('invalid_argument', `not a subnet: ${JSON.stringify(given.subnet)}`, {
      hint: 'write its first address and the length of its prefix: 10.5.0.0/16',
    })
  }
  if (subnet.prefix > bitsOf(subnet.family) - 2) {
    throw new KagoError('invalid_argument', `${given.subnet} has no room for a gateway and a container`)
  }
  refuseTaken(subnet, taken)
  const usual = describeSubnet(subnet)
  const gateway = given.gateway === undefined ? usual.gateway : checkGateway(subnet, given.gateway)
  const ipRange = given.ipRange === undefined ? undefined : checkRange(subnet, given.ipRange)
  return { subnet: usual.subnet, gateway, ...(ipRange !== undefined && { ipRange }) }
}

function checkGateway(subnet: Subnet, text: string): string {
  const address = parseAddress(text)
  if (address !== undefined && containsAddress(subnet, address) && isHost(subnet, address.value))
    return formatAddress(address)
  throw new KagoError('invalid_argument', `gateway ${text} is not an address in ${formatSubnet(subnet)}`)
}

function checkRange(subnet: Subnet, text: string): string {
  const range = parseSubnet(text)
  const isInside =
    range !== undefined &&
    range.family === subnet.family &&
    range.first >= subnet.first &&
    lastOf(range) <= lastOf(subnet)
  if (isInside) return formatSubnet(range)
  throw new KagoError('invalid_argument', `range ${text} is not a part of ${formatSubnet(subnet)}`, {
    hint: 'write it as a subnet: 10.5.3.0/24',
  })
}

const mtuNames = ['mtu', 'com.docker.network.driver.mtu']
const bridgeNames = ['bridge', 'com.docker.network.bridge.name']

function readOptions(options: Record<string, string>): { mtu: number | null; bridge: string | undefined } {
  let mtu: number | null = null
  let bridge: string | undefined
  for (const [key, value] of Object.entries(options)) {
    if (mtuNames.includes(key)) mtu = readMtu(value)
    else if (bridgeNames.includes(key)) bridge = readBridge(value)
    else {
      const known = [...mtuNames, ...bridgeNames]
      const meant = nearest(key, known)
      throw new KagoError('invalid_argument', `a network has no option ${JSON.stringify(key)}`, {
        hint: meant === undefined ? `known: ${known.join(', ')}` : `did you mean ${meant}?`,
      })
    }
  }
  return { mtu, bridge }
}

/** 1280 is what IPv6 needs, 65535 what a packet can have. */
function readMtu(text: string): number {
  const mtu = Number(text)
  if (/^\d{1,5}$/.test(text) && mtu >= 68 && mtu <= 65535) return mtu
  throw new KagoError('invalid_argument', `not an MTU: ${JSON.stringify(text)}`, {
    hint: 'write a number from 68 to 65535: --opt mtu=1400',
  })
}

function readBridge(text: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/.test(text)) return text
  throw new KagoError('invalid_argument', `not a name for an interface: ${JSON.stringify(text)}`, {
    hint: 'it has at most 15 letters, digits, "_", "." and "-"',
  })
}
