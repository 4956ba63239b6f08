/** The daemon's one database: names, records, references and the journal, in SQLite. Bytes, trees and logs stay files. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { isKagoError, KagoError } from '../../shared/errors.ts'
import { keepReserve, noReserve } from './reserve.ts'
import { migrations } from './schema.ts'

/**
 * How hard a write is pressed to the disk.
 * - `durable`: synced before it returns (`synchronous=FULL`); for what a user was told exists.
 * - `quick`: survives the daemon's death, may be lost by a power cut (`NORMAL`); for what the next start finds out anyway.
 */
export type Durability = 'durable' | 'quick'

export interface Database {
  /** Rows of a query. Statements are prepared once; the caller names the columns and vouches for `T`. */
  all<T>(sql: string, ...values: SQLInputValue[]): T[]
  one<T>(sql: string, ...values: SQLInputValue[]): T | undefined
  /** Runs a statement; the number of rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number
  /**
   * Runs `body` in one transaction; what it throws rolls all of it back. Within another it is a part of that one, with
   * that one's durability.
   * On a full disk it is run once more, with the room that was kept for that.
   */
  transaction<T>(durability: Durability, body: () => T): T
  close(): void
}

/**
 * Opens the database, creating or migrating it.
 * @throws corrupt if the file is no database; wrong_state if a newer kagod made it.
 */
export function openDatabase(path: string): Database {
  const sqlite = open(path)
  migrate(sqlite, path)
  const reserve = path === ':memory:' ? noReserve : keepReserve(`${path}-reserve`)
  let synchronous: Durability = 'quick'
  const statements = new Map<string, StatementSync>()
  const prepare = (sql: string) => {
    let statement = statements.get(sql)
    if (statement === undefined) {
      statement = sqlite.prepare(sql)
      statements.set(sql, statement)
    }
    return statement
  }

  return {
    // Rows come from kago's own tables, whose columns each SELECT names and STRICT types hold.
    all: <T>(sql: string, ...values: SQLInputValue[]) => prepare(sql).all(...values) as T[],
    one: <T>(sql: string, ...values: SQLInputValue[]) => prepare(sql).get(...values) as T | undefined,
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
    transaction(durability, body) {
      if (sqlite.isTransaction) return body()
      if (durability !== synchronous) {
        sqlite.exec(`PRAGMA synchronous=${durability === 'durable' ? 'FULL' : 'NORMAL'}`)
        synchronous = durability
      }
      reserve.restore()
      try {
        return inTransaction(sqlite, path, body)
      } catch (error) {
        if (!isKagoError(error, 'exhausted') || !reserve.release()) throw error
        return inTransaction(sqlite, path, body)
      }
    },
    close() {
      sqlite.close()
    },
  }
}

function inTransaction<T>(sqlite: DatabaseSync, path: string, body: () => T): T {
  try {
    sqlite.exec('BEGIN IMMEDIATE')
    const result = body()
    sqlite.exec('COMMIT')
    return result
  } catch (error) {
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK')
    throw databaseError(error, path)
  }
}

function open(path: string): DatabaseSync {
  try {
    const sqlite = new DatabaseSync(path)
    sqlite.exec(`
      PRAGMA journal_mode=WAL;
      PRAGMA synchronous=NORMAL;
      PRAGMA foreign_keys=ON;
      PRAGMA busy_timeout=2000;
    `)
    return sqlite
  } catch (error) {
    throw databaseError(error, path)
  }
}

function migrate(sqlite: DatabaseSync, path: string): void {
  const row = sqlite.prepare('PRAGMA user_version').get()
  const version = Number(row?.['user_version'] ?? 0)
  if (version > migrations.length) {
    throw new KagoError('wrong_state', `${path} was written by a newer kagod (schema ${version})`, {
      hint: `this kagod knows schemas up to ${migrations.length}: install the newer one again`,
    })
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue
    sqlite.exec(`BEGIN; ${sql}; PRAGMA user_version=${index + 1}; COMMIT`)
  }
}

/** SQLite's own result codes, by number (https://sqlite.org/rescode.html); anything else is passed on as it is. */
function databaseError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error
  switch (Number(error.errcode) & 0xff) {
    case 13:
      return new KagoError('exhausted', `no space left for ${path}`, {
        hint: 'free some disk space',
        cause: error,
      })
    case 11:
    case 26:
      return new KagoError('corrupt', `${path} is damaged: ${error.message}`, {
        hint: 'restore it from a backup, or move it away: kagod then starts empty',
        cause: error,
      })
    case 5:
    case 6:
      return new KagoError('unavailable', `${path} is locked by another process`, { cause: error })
    case 8:
    case 10:
    case 14:
      return new KagoError('unavailable', `cannot use ${path}: ${error.message}`, {
        hint: 'check that the file system is there and writable',
        cause: error,
      })
    default:
      return error
  }
}
