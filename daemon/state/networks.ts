/** Networks, and the membership of containers in them with the addresses they hold. */
import type { Database, Durability } from './database.ts'

export interface NetworkRow {
  id: string
  name: string
  /** The name of its interface on the host. */
  bridge: string
  createdAt: number
  /** JSON: see network/records.ts. */
  record: string
}

/** What an endpoint holds while its container is attached; all null while it is not. */
export interface AttachmentRow {
  ipv4: string | null
  ipv6: string | null
  mac: string | null
  /** Its name inside the container: `eth0`. */
  interface: string | null
}

export interface EndpointRow extends AttachmentRow {
  containerId: string
  networkId: string
  /** The order in which networks were joined, from 0: `eth0` is the first. */
  position: number
  /** JSON: names in this network beside the container's own. */
  aliases: string
  /** What was asked for: null where any will do. */
  wantedIpv4: string | null
  wantedIpv6: string | null
  wantedMac: string | null
  /** What it held last: taken again if it is free. */
  lastIpv4: string | null
  lastIpv6: string | null
}

export interface NetworkTable {
  find(id: string): NetworkRow | undefined
  findByName(name: string): NetworkRow | undefined
  /** Up to `limit` whose id begins so. */
  findByIdPrefix(prefix: string, limit: number): NetworkRow[]
  /** By name. */
  list(): NetworkRow[]
  /** False if the name or the bridge is taken. */
  insert(row: NetworkRow): boolean
  /** Its endpoints go with it. */
  remove(id: string): void
}

export interface EndpointTable {
  find(containerId: string, networkId: string): EndpointRow | undefined
  /** In the order in which they were joined. */
  ofContainer(containerId: string): EndpointRow[]
  /** Attached or not. */
  ofNetwork(networkId: string): EndpointRow[]
  /** The names of the networks of each container that is in any, in the order in which it joined them. */
  networkNames(): Map<string, string[]>
  /** All that hold addresses now. */
  attached(): EndpointRow[]
  /** Who holds an address, of either family. */
  holderOf(networkId: string, address: string): EndpointRow | undefined
  holderOfMac(networkId: string, mac: string): EndpointRow | undefined
  insert(rows: readonly EndpointRow[], durability: Durability): void
  /** Writes what endpoints of one container hold; of each, `networkId` says which. */
  hold(containerId: string, held: readonly (AttachmentRow & { networkId: string })[]): void
  /** The endpoints hold nothing any more; all of a container's, or that of one network. */
  release(containerId: string, networkId?: string): void
  remove(containerId: string, networkId?: string): void
  /** Containers that no record names and that have endpoints all the same. */
  orphans(): string[]
}

const selectNetwork = 'SELECT id, name, bridge, created_at AS createdAt, record FROM networks'

export function networkTable({ all, one, run, transaction }: Database): NetworkTable {
  return {
    find: (id) => one<NetworkRow>(`${selectNetwork} WHERE id = ?`, id),
    findByName: (name) => one<NetworkRow>(`${selectNetwork} WHERE name = ?`, name),
    findByIdPrefix: (prefix, limit) =>
      all<NetworkRow>(`${selectNetwork} WHERE id >= ? AND id < ? LIMIT ?`, prefix, `${prefix}g`, limit),
    list: () => all<NetworkRow>(`${selectNetwork} ORDER BY name`),
    insert: ({ id, name, bridge, createdAt, record }) =>
      transaction(
        'durable',
        () =>
          run(
            `INSERT INTO networks (id, name, bridge, created_at, record) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING`,
            id,
            name,
            bridge,
            createdAt,
            record,
          ) === 1,
      ),
    remove(id) {
      transaction('durable', () => run('DELETE FROM networks WHERE id = ?', id))
    },
  }
}

const selectEndpoint = `SELECT container_id AS containerId, network_id AS networkId, position, aliases,
  wanted_ipv4 AS wantedIpv4, wanted_ipv6 AS wantedIpv6, wanted_mac AS wantedMac,
  last_ipv4 AS lastIpv4, last_ipv6 AS lastIpv6, ipv4, ipv6, mac, interface FROM endpoints`

export function endpointTable({ all, one, run, transaction }: Database): EndpointTable {
  return {
    find: (containerId, networkId) =>
      one<EndpointRow>(`${selectEndpoint} WHERE container_id = ? AND network_id = ?`, containerId, networkId),
    ofContainer: (containerId) =>
      all<EndpointRow>(`${selectEndpoint} WHERE container_id = ? ORDER BY position`, containerId),
    ofNetwork: (networkId) =>
      all<EndpointRow>(`${selectEndpoint} WHERE network_id = ? ORDER BY container_id`, networkId),
    networkNames() {
      const names = new Map<string, string[]>()
      const rows = all<{ id: string; name: string }>(
        `SELECT container_id AS id, name FROM endpoints JOIN networks ON networks.id = network_id
         ORDER BY container_id, position`,
      )
      for (const { id, name } of rows) names.set(id, [...(names.get(id) ?? []), name])
      return names
    },
    attached: () => all<EndpointRow>(`${selectEndpoint} WHERE interface IS NOT NULL`),
    holderOf: (networkId, address) =>
      one<EndpointRow>(
        `${selectEndpoint} WHERE network_id = ? AND ${address.includes(':') ? 'ipv6' : 'ipv4'} = ?`,
        networkId,
        address,
      ),
    holderOfMac: (networkId, mac) =>
      one<EndpointRow>(`${selectEndpoint} WHERE network_id = ? AND mac = ?`, networkId, mac),
    insert(rows, durability) {
      transaction(durability, () => {
        for (const row of rows) {
          run(
            `INSERT INTO endpoints (container_id, network_id, position, aliases, wanted_ipv4, wanted_ipv6, wanted_mac)
             VALUES (?, ?, ?, ?, ?, ?, ?)`,
            row.containerId,
            row.networkId,
            row.position,
            row.aliases,
            row.wantedIpv4,
            row.wantedIpv6,
            row.wantedMac,
          )
        }
      })
    },
    hold(containerId, held) {
      transaction('quick', () => {
        for (const { networkId, ipv4, ipv6, mac, interface: name } of held) {
          run(
            `UPDATE endpoints SET ipv4 = ?1, ipv6 = ?2, last_ipv4 = ?1, last_ipv6 = ?2, mac = ?3, interface = ?4
             WHERE container_id = ?5 AND network_id = ?6`,
            ipv4,
            ipv6,
            mac,
            name,
            containerId,
            networkId,
          )
        }
      })
    },
    release(containerId, networkId) {
      transaction('quick', () =>
        run(
          `UPDATE endpoints SET ipv4 = NULL, ipv6 = NULL, mac = NULL, interface = NULL
           WHERE container_id = ? AND network_id = coalesce(?, network_id)`,
          containerId,
          networkId ?? null,
        ),
      )
    },
    remove(containerId, networkId) {
      transaction('quick', () =>
        run(
          'DELETE FROM endpoints WHERE container_id = ? AND network_id = coalesce(?, network_id)',
          containerId,
          networkId ?? null,
        ),
      )
    },
    orphans: () =>
      all<{ id: string }>(
        'SELECT DISTINCT container_id AS id FROM endpoints WHERE container_id NOT IN (SELECT id FROM containers)',
      ).map(({ id }) => id),
  }
}
