/** Volumes: directories that outlive containers. */
import type { State } from '../../shared/protocol/containers.ts'
import type { Database } from './database.ts'

export interface VolumeRow {
  name: string
  /** Of its directory: what a name means may change, where its files are does not. */
  id: string
  createdAt: number
  /** JSON: a map. */
  labels: string
  /** 1 if nobody gave it a name. */
  anonymous: 0 | 1
  /** The container that takes it along when it removes itself. */
  owner: string | null
  /** 1 while it is filled from an image: what is in it is then not all there. */
  filling: 0 | 1
}

export interface VolumeTable {
  find(name: string): VolumeRow | undefined
  /** By name. */
  list(): VolumeRow[]
  /** False if the name is taken. */
  insert(row: VolumeRow): boolean
  setFilling(name: string, filling: 0 | 1): void
  /** In the records of all containers too. False if the name is taken. */
  rename(name: string, to: string): boolean
  remove(name: string): void
  /** Containers that mount it, running or not. */
  users(name: string): { id: string; name: string }[]
  /** By volume, the states of the containers that mount it. */
  userStates(): Map<string, State[]>
  /** Those whose owner is gone. */
  orphans(): VolumeRow[]
}

const select = 'SELECT name, id, created_at AS createdAt, labels, anonymous, owner, filling FROM volumes'

/** Containers and their mounts; what is asked of them follows. */
const usersOf = `SELECT DISTINCT containers.id, containers.name FROM containers,
  json_each(containers.record, '$.options.mounts') AS mount
  WHERE mount.value ->> 'type' = 'volume' AND mount.value ->> 'source' = ?`

export function volumeTable({ all, one, run, transaction }: Database): VolumeTable {
  return {
    find: (name) => one<VolumeRow>(`${select} WHERE name = ?`, name),
    list: () => all<VolumeRow>(`${select} ORDER BY name`),
    insert: ({ name, id, createdAt, labels, anonymous, owner, filling }) =>
      transaction(
        anonymous === 1 ? 'quick' : 'durable',
        () =>
          run(
            `INSERT INTO volumes (name, id, created_at, labels, anonymous, owner, filling) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING`,
            name,
            id,
            createdAt,
            labels,
            anonymous,
            owner,
            filling,
          ) === 1,
      ),
    setFilling(name, filling) {
      transaction('durable', () => run('UPDATE volumes SET filling = ? WHERE name = ?', filling, name))
    },
    rename: (name, to) =>
      transaction('durable', () => {
        if (one('SELECT 1 FROM volumes WHERE name = ?', to) !== undefined) return false
        run('UPDATE volumes SET name = ?, anonymous = 0, owner = NULL WHERE name = ?', to, name)
        for (const { id } of all<{ id: string }>(usersOf, name)) {
          run(
            `UPDATE containers SET record = json_set(record, '$.options.mounts', (
               SELECT json_group_array(json(CASE
                 WHEN value ->> 'type' = 'volume' AND value ->> 'source' = ?1 THEN json_set(value, '$.source', ?2)
                 ELSE value END))
               FROM json_each(record, '$.options.mounts'))) WHERE id = ?3`,
            name,
            to,
            id,
          )
        }
        return true
      }),
    remove(name) {
      transaction('durable', () => run('DELETE FROM volumes WHERE name = ?', name))
    },
    users: (name) => all<{ id: string; name: string }>(usersOf, name),
    userStates() {
      const states = new Map<string, State[]>()
      for (const { name, state } of all<{ name: string; state: State }>(
        `SELECT mount.value ->> 'source' AS name, containers.state FROM containers,
           json_each(containers.record, '$.options.mounts') AS mount WHERE mount.value ->> 'type' = 'volume'`,
      ))
        states.set(name, [...(states.get(name) ?? []), state])
      return states
    },
    orphans: () =>
      all<VolumeRow>(`${select} WHERE owner IS NOT NULL AND owner NOT IN (SELECT id FROM containers)`),
  }
}
