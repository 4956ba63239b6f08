import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KagoError } from '../../../../shared/errors.ts'
import { faultsFromFile, noFaults, parsePlan } from '../../../../daemon/operation/faults.ts'
import { operate, type OperationContext, type UndoTable } from '../../../../daemon/operation/operation.ts'
import { recoverOperations } from '../../../../daemon/operation/recover.ts'
import { type Database, openDatabase } from '../../../../daemon/state/database.ts'
import { operationTable, type OperationRow, type StepRow } from '../../../../daemon/state/operations.ts'
import { createLog } from '../../../../daemon/telemetry/log.ts'

let database: Database
let context: OperationContext
let undone: unknown[][]

beforeEach(() => {
  database = openDatabase(':memory:')
  undone = []
  const undos: UndoTable = new Map([['test.undo', (...args: unknown[]) => void undone.push(args)]])
  context = {
    journal: operationTable(database),
    undos,
    faults: noFaults,
    log: createLog('silent'),
  }
})

afterEach(() => {
  database.close()
})

test('an operation that succeeds is in the journal with its steps, their order and what they stand for', async () => {
  const result = await operate(context, { kind: 'test.verb', target: 'web' }, async (operation) => {
    await operation.step('first', { by: 'mkdir(2)', shell: 'mkdir x', undo: ['test.undo', 1] }, () => 'a')
    return await operation.step('second', { by: 'kago.db' }, () => 'b')
  })
  expect(result).toBe('b')
  const [summary] = context.journal.list(10)
  expect(summary).toMatchObject({ kind: 'test.verb', target: 'web', status: 'done', steps: 2, error: null })
  const details = context.journal.find(summary?.id ?? '')
  expect(details?.steps).toMatchObject([
    { name: 'first', by: 'mkdir(2)', shell: 'mkdir x', undo: ['test.undo', 1], status: 'done' },
    { name: 'second', by: 'kago.db', shell: null, undo: null, status: 'done' },
  ])
  expect(undone).toEqual([])
})

test('a failure undoes the steps that had begun, newest first, and names the operation', async () => {
  const failure = operate(context, { kind: 'test.verb', target: 'web' }, async (operation) => {
    await operation.step('one', { by: 'x', undo: ['test.undo', 1] }, () => {})
    await operation.step('two', { by: 'x', undo: ['test.undo', 2] }, () => {})
    await operation.step('three', { by: 'x', undo: ['test.undo', 3] }, () => {
      throw new KagoError('in_use', 'taken')
    })
  })
  const error = await failure.catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'in_use', operation: context.journal.list(1)[0]?.id })
  expect(undone).toEqual([[3], [2], [1]])
  expect(context.journal.list(1)[0]).toMatchObject({ status: 'failed', error: 'taken' })
})

test('an undo that fails does not keep the others from being run', async () => {
  context.undos.set('test.broken', () => {
    throw new Error('no')
  })
  await expect(
    operate(context, { kind: 'test.verb', target: 'web' }, async (operation) => {
      await operation.step('one', { by: 'x', undo: ['test.undo', 1] }, () => {})
      await operation.step('two', { by: 'x', undo: ['test.broken'] }, () => {})
      throw new KagoError('internal', 'later')
    }),
  ).rejects.toThrow('later')
  expect(undone).toEqual([[1]])
})

test('what the journal cannot record as done is undone at once, not by the next start of the daemon', async () => {
  const { journal } = context
  const full = {
    ...context,
    journal: {
      ...journal,
      end: (row: OperationRow, steps: readonly StepRow[]) => {
        if (row.status === 'done') throw new KagoError('exhausted', 'no space left')
        journal.end(row, steps)
      },
    },
  }
  const ended = operate(full, { kind: 'test.verb', target: 'web' }, (operation) =>
    operation.step('one', { by: 'x', undo: ['test.undo', 1] }, () => {}),
  )
  await expect(ended).rejects.toMatchObject({ code: 'exhausted' })
  expect(undone).toEqual([[1]])
  expect(journal.list(1)[0]).toMatchObject({ status: 'failed', error: 'no space left' })
  expect(journal.isBusy()).toBe(false)
})

test('a journal that records nothing does not hide why the operation failed', async () => {
  const broken = {
    ...context,
    journal: {
      ...context.journal,
      end: () => {
        throw new KagoError('exhausted', 'no space left')
      },
    },
  }
  const failed = operate(broken, { kind: 'test.verb', target: 'web' }, async () => {
    throw new KagoError('in_use', 'taken')
  })
  await expect(failed).rejects.toMatchObject({ code: 'in_use' })
  expect(context.journal.isBusy()).toBe(true)
})

test('the undo is in the journal before its effect begins', async () => {
  await operate(context, { kind: 'test.verb', target: 'web' }, async (operation) => {
    await operation.step('one', { by: 'x', undo: ['test.undo', 7] }, () => {
      expect(context.journal.unfinished()).toMatchObject([
        {
          operation: { id: operation.id },
          steps: [{ name: 'one', undo: '["test.undo",7]', status: 'running' }],
        },
      ])
    })
  })
})

test('what a dead daemon left unfinished is rolled back once, and only once', async () => {
  const journal = context.journal
  const row = {
    id: 'aa',
    kind: 'test.verb',
    target: 'web',
    status: 'running',
    startedAt: Date.now(),
    durationMs: null,
    error: null,
  } as const
  journal.begin(row)
  const step = {
    name: 's',
    by: 'x',
    shell: null,
    status: 'running',
    offsetMs: 0,
    durationMs: null,
    error: null,
  } as const
  journal.writeStep('aa', { ...step, position: 0, undo: '["test.undo","a"]' })
  journal.writeStep('aa', { ...step, position: 1, undo: '["test.undo","b"]' })
  expect(await recoverOperations(context)).toBe(1)
  expect(undone).toEqual([['b'], ['a']])
  expect(journal.find('aa')).toMatchObject({
    status: 'rolled-back',
    steps: [{ status: 'undone' }, { status: 'undone' }],
  })
  expect(await recoverOperations(context)).toBe(0)
  expect(undone).toHaveLength(2)
})

test('a cancelled operation stops at its next step and is undone', async () => {
  const controller = new AbortController()
  const cancelled = operate(
    context,
    { kind: 'test.verb', target: 'web', signal: controller.signal },
    async (operation) => {
      await operation.step('one', { by: 'x', undo: ['test.undo', 1] }, () => {
        controller.abort()
      })
      await operation.step('two', { by: 'x' }, () => expect.unreachable('a step after the cancel'))
    },
  )
  await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
  expect(undone).toEqual([[1]])
  expect(context.journal.list(1)[0]?.status).toBe('cancelled')
})

test.for(['before', 'after'])('a fault %s a step fails the operation and undoes it', async (when) => {
  const plan = join(mkdtempSync(join(tmpdir(), 'kago-fault-')), 'plan')
  writeFileSync(plan, `test.verb/one/${when}/ENOSPC`)
  const faulty = { ...context, faults: faultsFromFile(plan) }
  let isDone = false
  await expect(
    operate(faulty, { kind: 'test.verb', target: 'web' }, (operation) =>
      operation.step('one', { by: 'x', undo: ['test.undo', 1] }, () => {
        isDone = true
      }),
    ),
  ).rejects.toMatchObject({ code: 'exhausted' })
  rmSync(dirname(plan), { recursive: true })
  expect(isDone).toBe(when === 'after')
  expect(undone).toEqual([[1]])
})

test('a fault plan that is not one is refused', () => {
  expect(() => parsePlan('nonsense')).toThrow('not a fault')
  expect(parsePlan('\n')).toBeUndefined()
})

test('the journal forgets all but the newest operations', async () => {
  for (let index = 0; index < 5; index++) {
    await operate(context, { kind: 'test.verb', target: String(index) }, async () => {})
  }
  context.journal.prune(2)
  expect(context.journal.list(10).map((row) => row.target)).toEqual(['4', '3'])
})
