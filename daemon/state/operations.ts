/** The journal: operations and their steps, written before the effect so that the next start can undo them. */
import type { OperationDetails, OperationStatus, OperationSummary } from '../../shared/protocol/operations.ts'
import type { Database } from './database.ts'

export interface OperationRow {
  id: string
  kind: string
  target: string
  status: OperationStatus
  startedAt: number
  durationMs: number | null
  error: string | null
}

export interface StepRow {
  position: number
  name: string
  by: string
  shell: string | null
  /** JSON: a name in the table of undos and its arguments; null where nothing has to be taken back. */
  undo: string | null
  status: 'running' | 'done' | 'failed' | 'undone'
  /** Milliseconds from the operation's beginning. */
  offsetMs: number
  durationMs: number | null
  error: string | null
}

export interface OperationTable {
  begin(operation: OperationRow): void
  /** Writes a step that begins, or one that was there as it is now. */
  writeStep(operationId: string, step: StepRow): void
  /** Writes the last state of steps and of the operation, in one transaction. */
  end(operation: OperationRow, steps: readonly StepRow[]): void
  setTarget(id: string, target: string): void
  find(id: string): OperationDetails | undefined
  findByIdPrefix(prefix: string): string[]
  /** The newest first; of one target, if it is given. */
  list(limit: number, target?: string): OperationSummary[]
  /** Those that the daemon's death cut short, newest first. */
  unfinished(): { operation: OperationRow; steps: StepRow[] }[]
  /** Whether one is at work now. */
  isBusy(): boolean
  /** Forgets all but the newest `keep`. */
  prune(keep: number): void
}

const operationColumns = `id, kind, target, status, started_at AS startedAt, duration_ms AS durationMs, error`
const stepColumns = `position, name, by, shell, undo, status, offset_ms AS offsetMs, duration_ms AS durationMs, error`

export function operationTable(database: Database): OperationTable {
  const { all, one, run, transaction } = database

  const stepsOf = (id: string) =>
    all<StepRow>(`SELECT ${stepColumns} FROM steps WHERE operation_id = ? ORDER BY position`, id)

  const writeStep = (operationId: string, step: StepRow) =>
    run(
      `INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      operationId,
      step.position,
      step.name,
      step.by,
      step.shell,
      step.undo,
      step.status,
      step.offsetMs,
      step.durationMs,
      step.error,
    )

  return {
    begin(operation) {
      transaction('quick', () =>
        run(
          'INSERT INTO operations VALUES (?, ?, ?, ?, ?, NULL, NULL)',
          operation.id,
          operation.kind,
          operation.target,
          operation.status,
          operation.startedAt,
        ),
      )
    },
    writeStep(operationId, step) {
      transaction('quick', () => writeStep(operationId, step))
    },
    end(operation, steps) {
      transaction('quick', () => {
        for (const step of steps) writeStep(operation.id, step)
        run(
          'UPDATE operations SET status = ?, duration_ms = ?, error = ?, target = ? WHERE id = ?',
          operation.status,
          operation.durationMs,
          operation.error,
          operation.target,
          operation.id,
        )
      })
    },
    setTarget(id, target) {
      transaction('quick', () => run('UPDATE operations SET target = ? WHERE id = ?', target, id))
    },
    find(id) {
      const row = one<OperationRow>(`SELECT ${operationColumns} FROM operations WHERE id = ?`, id)
      if (row === undefined) return undefined
      const steps = stepsOf(id).map(({ position: _position, undo, ...step }) => ({
        ...step,
        undo: undo === null ? null : (JSON.parse(undo) as unknown[]),
      }))
      return { ...row, startedAt: new Date(row.startedAt).toISOString(), steps }
    },
    findByIdPrefix: (prefix) =>
      all<{ id: string }>(
        'SELECT id FROM operations WHERE id >= ? AND id < ? LIMIT 2',
        prefix,
        `${prefix}g`,
      ).map((row) => row.id),
    list(limit, target) {
      const rows = all<OperationRow & { steps: number }>(
        `SELECT ${operationColumns}, (SELECT count(*) FROM steps WHERE operation_id = id) AS steps
         FROM operations WHERE ?1 IS NULL OR target = ?1 ORDER BY started_at DESC, rowid DESC LIMIT ?2`,
        target ?? null,
        limit,
      )
      return rows.map((row) => ({ ...row, startedAt: new Date(row.startedAt).toISOString() }))
    },
    unfinished() {
      const rows = all<OperationRow>(
        `SELECT ${operationColumns} FROM operations WHERE status = 'running' ORDER BY started_at DESC, rowid DESC`,
      )
      return rows.map((operation) => ({ operation, steps: stepsOf(operation.id) }))
    },
    isBusy: () => one(`SELECT 1 FROM operations WHERE status = 'running' LIMIT 1`) !== undefined,
    prune(keep) {
      transaction('quick', () =>
        run(
          `DELETE FROM operations WHERE status <> 'running' AND rowid NOT IN
           (SELECT rowid FROM operations ORDER BY rowid DESC LIMIT ?)`,
          keep,
        ),
      )
    },
  }
}
