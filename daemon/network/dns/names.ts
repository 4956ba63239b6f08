/**
 * Who is called what on which network: the one place that the name server answers from.
 * The verbs put in what has changed before they reply, so that the next question is answered by it.
 */
import { type Address, parseAddress, subnetsOf } from './addresses.ts'

export interface NamedNetwork {
  id: string
  name: string
  /** `address/length`, IPv4 and IPv6: who may ask, and which addresses are looked up backwards here. */
  subnets: readonly string[]
  /** An internal network knows its own names only. */
  isInternal: boolean
  /** The default network has no names: questions are only passed on. */
  hasNames: boolean
}

export interface NamedEndpoint {
  containerId: string
  /** What a backward look-up tells. */
  containerName: string
  /** Whatever else it answers to on this network: aliases, its host name. */
  aliases: readonly string[]
  addresses: readonly string[]
  /** The name servers that the container was given, instead of the host's. */
  nameServers?: readonly string[]
}

/** What one network tells to those who may ask it. */
export interface NetworkView {
  readonly name: string
  /** Undefined if nobody is called so. */
  addressesOf(name: string): readonly Address[] | undefined
  /** The container that has the address. */
  nameOf(address: Address): string | undefined
  contains(address: Address): boolean
}

/** What a client sees: the networks it is on, the one that it asked first. */
export interface View {
  readonly networks: readonly NetworkView[]
  /** Whether anything else may be asked for in the host's name. */
  readonly isForwarding: boolean
  /** Instead of the host's. */
  readonly nameServers: readonly string[] | undefined
}

export interface Names {
  putNetwork(network: NamedNetwork): void
  dropNetwork(networkId: string): void
  /** Says what a container is called on a network from now on, instead of what was said before. */
  putEndpoint(networkId: string, endpoint: NamedEndpoint): void
  dropEndpoint(networkId: string, containerId: string): void
  /** It is on no network any more. */
  dropContainer(containerId: string): void
  /** Undefined for a client that does not belong to the network: it gets no answer. */
  view(networkId: string, source: Address): View | undefined
}

export function createNames(): Names {
  const networks = new Map<string, NetworkNames>()
  return {
    putNetwork(network) {
      const known = networks.get(network.id)
      if (known === undefined) networks.set(network.id, new NetworkNames(network))
      else known.describe(network)
    },
    dropNetwork(networkId) {
      networks.delete(networkId)
    },
    putEndpoint(networkId, endpoint) {
      networks.get(networkId)?.put(endpoint)
    },
    dropEndpoint(networkId, containerId) {
      networks.get(networkId)?.drop(containerId)
    },
    dropContainer(containerId) {
      for (const network of networks.values()) network.drop(containerId)
    },
    view(networkId, source) {
      const asked = networks.get(networkId)
      if (asked === undefined || !asked.contains(source)) return undefined
      const endpoint = asked.endpointAt(source)
      const others =
        endpoint === undefined
          ? []
          : [...networks.values()].filter((one) => one !== asked && one.has(endpoint.containerId))
      const all = [asked, ...others]
      const { nameServers } = endpoint ?? {}
      return {
        networks: all.filter(({ hasNames }) => hasNames),
        isForwarding: all.some(({ isInternal }) => !isInternal),
        nameServers: nameServers === undefined || nameServers.length === 0 ? undefined : nameServers,
      }
    },
  }
}

interface Known {
  endpoint: NamedEndpoint
  addresses: readonly Address[]
  names: readonly string[]
}

class NetworkNames implements NetworkView {
  #network: NamedNetwork
  #isOwn: (address: Address) => boolean
  readonly #byContainer = new Map<string, Known>()
  readonly #byName = new Map<string, Set<Known>>()
  readonly #byAddress = new Map<string, Known>()

  constructor(network: NamedNetwork) {
    this.#network = network
    this.#isOwn = subnetsOf(network.subnets)
  }

  get name(): string {
    return this.#network.name.toLowerCase()
  }

  get hasNames(): boolean {
    return this.#network.hasNames
  }

  get isInternal(): boolean {
    return this.#network.isInternal
  }

  describe(network: NamedNetwork): void {
    this.#network = network
    this.#isOwn = subnetsOf(network.subnets)
  }

  put(endpoint: NamedEndpoint): void {
    this.drop(endpoint.containerId)
    const { containerId, containerName, aliases } = endpoint
    const names = new Set(
      [containerName, containerId.slice(0, 12), ...aliases].map((name) => name.toLowerCase()),
    )
    const known: Known = {
      endpoint,
      addresses: endpoint.addresses.map(parseAddress).filter((address) => address !== undefined),
      names: [...names],
    }
    this.#byContainer.set(containerId, known)
    for (const { text } of known.addresses) this.#byAddress.set(text, known)
    for (const name of known.names) {
      const holders = this.#byName.get(name) ?? new Set()
      this.#byName.set(name, holders.add(known))
    }
  }

  drop(containerId: string): void {
    const known = this.#byContainer.get(containerId)
    if (known === undefined) return
    this.#byContainer.delete(containerId)
    for (const { text } of known.addresses) {
      if (this.#byAddress.get(text) === known) this.#byAddress.delete(text)
    }
    for (const name of known.names) {
      const holders = this.#byName.get(name)
      holders?.delete(known)
      if (holders?.size === 0) this.#byName.delete(name)
    }
  }

  has(containerId: string): boolean {
    return this.#byContainer.has(containerId)
  }

  endpointAt(address: Address): NamedEndpoint | undefined {
    return this.#byAddress.get(address.text)?.endpoint
  }

  addressesOf(name: string): readonly Address[] | undefined {
    const holders = this.#byName.get(name)
    return holders && [...holders].flatMap(({ addresses }) => addresses)
  }

  nameOf(address: Address): string | undefined {
    return this.endpointAt(address)?.containerName.toLowerCase()
  }

  contains(address: Address): boolean {
    return this.#isOwn(address)
  }
}
