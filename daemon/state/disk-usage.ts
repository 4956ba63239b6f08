/** The ledger of disk space: what things take whose size changes, as it was last measured. Layers carry theirs themselves. */
import type { Database } from './database.ts'

/** What is measured. A container's is its writable layer. */
export type UsageKind = 'container' | 'volume'

export interface UsageRow {
  id: string
  bytes: number
  /** Milliseconds since 1970: when the measuring began. */
  measuredAt: number
}

export interface DiskUsageTable {
  find(kind: UsageKind, id: string): UsageRow | undefined
  list(kind: UsageKind): Map<string, UsageRow>
  set(kind: UsageKind, row: UsageRow): void
  remove(kind: UsageKind, id: string): void
}

const columns = 'id, bytes, measured_at AS measuredAt'

export function diskUsageTable({ all, one, run, transaction }: Database): DiskUsageTable {
  return {
    find: (kind, id) =>
      one<UsageRow>(`SELECT ${columns} FROM disk_usage WHERE kind = ? AND id = ?`, kind, id),
    list: (kind) =>
      new Map(
        all<UsageRow>(`SELECT ${columns} FROM disk_usage WHERE kind = ?`, kind).map((row) => [row.id, row]),
      ),
    set(kind, { id, bytes, measuredAt }) {
      transaction('quick', () =>
        run(
          `INSERT INTO disk_usage VALUES (?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE
           SET bytes = excluded.bytes, measured_at = excluded.measured_at`,
          kind,
          id,
          bytes,
          measuredAt,
        ),
      )
    },
    remove(kind, id) {
      transaction('quick', () => run('DELETE FROM disk_usage WHERE kind = ? AND id = ?', kind, id))
    },
  }
}
