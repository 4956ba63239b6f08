import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createBackOffs } from '../../../../daemon/container/back-offs.ts'
import type { ContainerContext } from '../../../../daemon/container/context.ts'
import { watchTask } from '../../../../daemon/container/on-exit.ts'
import { createEventBus } from '../../../../daemon/events/bus.ts'
import { ShimConnection } from '../../../../daemon/shim/client.ts'
import { containerTable, noTask } from '../../../../daemon/state/containers.ts'
import { eventTable } from '../../../../daemon/state/events.ts'
import { type Database, openDatabase } from '../../../../daemon/state/database.ts'
import { createLog } from '../../../../daemon/telemetry/log.ts'

let directory: string
let database: Database
let context: ContainerContext

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kago-exit-'))
  mkdirSync(join(directory, 'c1'))
  database = openDatabase(':memory:')
  const containers = containerTable(database)
  const record = { runtime: 'none', options: { autoRemove: false } }
  containers.insert(
    {
      id: 'c1',
      name: 'web',
      imageId: 'i',
      createdAt: 1,
      record: JSON.stringify(record),
      state: 'created',
      ...noTask,
    },
    'quick',
  )
  containers.updateTask('c1', { state: 'running', pid: 4_000_000, pidStart: 1, startedAt: 1 }, 'quick')
  // Only what the end of a task is made of.
  context = {
    containers,
    events: createEventBus({ history: eventTable(database) }),
    tasks: new Map(),
    cleanUps: new Map(),
    backOffs: createBackOffs(),
    health: { begin: () => {}, end: () => {} },
    log: createLog('silent'),
    paths: { bundle: (id: string) => join(directory, id) },
    runtimes: { get: () => ({ delete: async () => {} }) },
  } as unknown as ContainerContext
})

afterEach(async () => {
  await Promise.all(context.cleanUps.values())
  database.close()
  rmSync(directory, { recursive: true })
})

test('a shim that dies after it has written the exit leaves a status that is true, not a loss', async () => {
  const [shim, socket] = duplexPair()
  watchTask(context, 'c1', new ShimConnection(socket))
  const exit = { status: 3, signal: null, exitedAt: '2026-01-01T00:00:00.000Z', pid: 4_000_000 }
  writeFileSync(join(directory, 'c1', 'exit'), JSON.stringify(exit))
  const { ended } = context.tasks.get('c1') ?? {}
  shim.destroy()
  socket.destroy()
  await ended
  expect(context.containers.find('c1')).toMatchObject({ state: 'exited', exitStatus: 3, pid: null })
})

test.for([['nothing'], ['{"status":']])(
  'a shim that dies and has written %s is a loss',
  async ([written]) => {
    const [, socket] = duplexPair()
    watchTask(context, 'c1', new ShimConnection(socket))
    if (written !== 'nothing') writeFileSync(join(directory, 'c1', 'exit'), written ?? '')
    const { ended } = context.tasks.get('c1') ?? {}
    socket.destroy()
    await ended
    expect(context.containers.find('c1')).toMatchObject({ state: 'lost', exitStatus: null, pid: null })
  },
)
