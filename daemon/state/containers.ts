/** Containers: one row each, holding what was decided at its creation and its task, now or last. */
import type { State } from '../../shared/protocol/containers.ts'
import type { Database, Durability } from './database.ts'

/** The columns that tell of the task. Times are milliseconds since 1970; `pidStart` is field 22 of /proc/PID/stat. */
export interface TaskRow {
  state: State
  pid: number | null
  pidStart: number | null
  startedAt: number | null
  finishedAt: number | null
  /** True or null, never invented. */
  exitStatus: number | null
  exitSignal: number | null
  oomKilled: number
  error: string | null
  /** How often its restart policy has started it since somebody did. */
  restartCount: number
  /** The last wait before such a start. */
  backOffMs: number
  /** When the next one is due; null where none is. */
  restartAt: number | null
  /** 1 from a stop, kill or rm until the next start. */
  manuallyStopped: number
  /** JSON: see evidence.ts, health-state.ts. */
  evidence: string | null
  health: string | null
}

/** Of a container that has never run. */
export const noTask: Omit<TaskRow, 'state'> = {
  pid: null,
  pidStart: null,
  startedAt: null,
  finishedAt: null,
  exitStatus: null,
  exitSignal: null,
  oomKilled: 0,
  error: null,
  restartCount: 0,
  backOffMs: 0,
  restartAt: null,
  manuallyStopped: 0,
  evidence: null,
  health: null,
}

export interface ContainerRow extends TaskRow {
  id: string
  name: string
  imageId: string
  createdAt: number
  /** JSON. */
  record: string
}

export interface ContainerTable {
  find(id: string): ContainerRow | undefined
  findByName(name: string): ContainerRow | undefined
  /** Up to `limit` whose id begins so. */
  findByIdPrefix(prefix: string, limit: number): ContainerRow[]
  /** Newest first. */
  list(): ContainerRow[]
  usersOfImage(imageId: string): { id: string; name: string }[]
  /** False if the name is taken. */
  insert(row: ContainerRow, durability: Durability): boolean
  updateTask(id: string, task: Partial<TaskRow>, durability: Durability): void
  updateRecord(id: string, record: string): void
  /** False if the name is taken. */
  rename(id: string, name: string): boolean
  remove(id: string, durability: Durability): void
}

const taskColumns = {
  state: 'state',
  pid: 'pid',
  pidStart: 'pid_start',
  startedAt: 'started_at',
  finishedAt: 'finished_at',
  exitStatus: 'exit_status',
  exitSignal: 'exit_signal',
  oomKilled: 'oom_killed',
  error: 'error',
  restartCount: 'restart_count',
  backOffMs: 'back_off_ms',
  restartAt: 'restart_at',
  manuallyStopped: 'manually_stopped',
  evidence: 'evidence',
  health: 'health',
} as const satisfies Record<keyof TaskRow, string>

const taskKeys = Object.keys(taskColumns) as (keyof TaskRow)[]

const select = `SELECT id, name, image_id AS imageId, created_at AS createdAt, record,
  ${taskKeys.map((key) => `${taskColumns[key]} AS ${key}`).join(', ')} FROM containers`

export function containerTable(database: Database): ContainerTable {
  const { all, one, run, transaction } = database
  return {
    find: (id) => one<ContainerRow>(`${select} WHERE id = ?`, id),
    findByName: (name) => one<ContainerRow>(`${select} WHERE name = ?`, name),
    findByIdPrefix: (prefix, limit) =>
      all<ContainerRow>(`${select} WHERE id >= ? AND id < ? LIMIT ?`, prefix, `${prefix}g`, limit),
    list: () => all<ContainerRow>(`${select} ORDER BY created_at DESC, id`),
    usersOfImage: (imageId) =>
      all<{ id: string; name: string }>(
        'SELECT id, name FROM containers WHERE image_id = ? ORDER BY name',
        imageId,
      ),
    insert: (row, durability) =>
      transaction(
        durability,
        () =>
          run(
            `INSERT INTO containers (id, name, image_id, created_at, record, state) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING`,
            row.id,
            row.name,
            row.imageId,
            row.createdAt,
            row.record,
            row.state,
          ) === 1,
      ),
    updateTask(id, task, durability) {
      const keys = taskKeys.filter((key) => task[key] !== undefined)
      if (keys.length === 0) return
      const assignments = keys.map((key) => `${taskColumns[key]} = ?`).join(', ')
      transaction(durability, () =>
        run(`UPDATE containers SET ${assignments} WHERE id = ?`, ...keys.map((key) => task[key] ?? null), id),
      )
    },
    updateRecord(id, record) {
      transaction('durable', () => run('UPDATE containers SET record = ? WHERE id = ?', record, id))
    },
    rename: (id, name) =>
      transaction(
        'durable',
        () => run('UPDATE OR IGNORE containers SET name = ? WHERE id = ?', name, id) === 1,
      ),
    remove(id, durability) {
      transaction(durability, () => run('DELETE FROM containers WHERE id = ?', id))
    },
  }
}
