/** Published ports of containers that run: which of the host lead where. */
import type { Database } from './database.ts'

export interface PortRow {
  containerId: string
  /** `0.0.0.0` and `::` are all of their family. */
  hostAddress: string
  hostPort: number
  protocol: 'tcp' | 'udp' | 'sctp'
  containerPort: number
}

export interface PortTable {
  ofContainer(containerId: string): PortRow[]
  /** All that use a number, at whatever address. */
  ofNumber(protocol: string, hostPort: number): PortRow[]
  list(): PortRow[]
  insert(rows: readonly PortRow[]): void
  remove(rows: readonly PortRow[]): void
}

const select = `SELECT container_id AS containerId, host_address AS hostAddress, host_port AS hostPort, protocol,
  container_port AS containerPort FROM ports`
const order = 'ORDER BY container_port, protocol, host_port, host_address'

export function portTable({ all, run, transaction }: Database): PortTable {
  return {
    ofContainer: (id) => all<PortRow>(`${select} WHERE container_id = ? ${order}`, id),
    ofNumber: (protocol, port) =>
      all<PortRow>(`${select} WHERE protocol = ? AND host_port = ? ${order}`, protocol, port),
    list: () => all<PortRow>(`${select} ${order}`),
    insert(rows) {
      transaction('quick', () => {
        for (const { containerId, hostAddress, hostPort, protocol, containerPort } of rows) {
          run(
            `INSERT OR REPLACE INTO ports (container_id, host_address, host_port, protocol, container_port)
             VALUES (?, ?, ?, ?, ?)`,
            containerId,
            hostAddress,
            hostPort,
            protocol,
            containerPort,
          )
        }
      })
    },
    remove(rows) {
      transaction('quick', () => {
        for (const { containerId, hostAddress, hostPort, protocol } of rows) {
          run(
            `DELETE FROM ports
             WHERE container_id = ? AND host_address = ? AND host_port = ? AND protocol = ?`,
            containerId,
            hostAddress,
            hostPort,
            protocol,
          )
        }
      })
    },
  }
}
