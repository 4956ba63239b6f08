/**
 * The one way to change something: a verb is an operation, an operation is a list of steps.
 *
 * A step has a name that a person understands, what it stands for (a system call, a file, a tool), the shell line
 * that does the same, and an undo. The undo is data: a name in the table of undos and its arguments. It is in the
 * journal before the effect, so a failure, a cancel, or the next start of a daemon that was killed in between runs
 * the undos backwards. An undo may find its step done, half done or not begun: it must accept all three.
 */
import { randomBytes } from 'node:crypto'
import { KagoError, toKagoError } from '../../shared/errors.ts'
import type { OperationRow, OperationTable, StepRow } from '../state/operations.ts'
import type { Log } from '../telemetry/log.ts'
import type { Faults } from './faults.ts'

/** A name in the table of undos and its arguments, all JSON. */
export type Undo = readonly [name: string, ...args: (string | number | boolean | null)[]]

/** What takes steps back, by name. Each floor adds its own to the table where the daemon is composed. */
export type UndoTable = Map<string, (...args: never[]) => void | Promise<void>>

export interface StepAbout {
  /** The system call, file or tool it stands for: `mkdir(2)`, `runc`, `kago.db`. */
  by: string
  /** What a person could type instead, as root on the daemon's machine. */
  shell?: string | undefined
  /** Absent where a failure leaves nothing to take back. */
  undo?: Undo | undefined
}

export interface Operation {
  readonly id: string
  /** Does `effect` as a step. Steps of one operation may overlap (layers do). */
  step<T>(name: string, about: StepAbout, effect: () => T | Promise<T>): Promise<T>
  /** Says what it acts on, where that is known only later. */
  setTarget(target: string): void
}

export interface OperationContext {
  readonly journal: OperationTable
  readonly undos: UndoTable
  readonly faults: Faults
  readonly log: Log
}

/**
 * Runs a verb as an operation. What `body` throws is thrown on, as a KagoError that carries the operation's id,
 * after the steps that were done have been undone, newest first.
 */
export async function operate<T>(
  context: OperationContext,
  about: { kind: string; target: string; signal?: AbortSignal | undefined },
  body: (operation: Operation) => Promise<T>,
): Promise<T> {
  const began = performance.now()
  const row: OperationRow = {
    id: randomBytes(8).toString('hex'),
    kind: about.kind,
    target: about.target,
    status: 'running',
    startedAt: Date.now(),
    durationMs: null,
    error: null,
  }
  const steps: StepRow[] = []
  context.journal.begin(row)

  const operation: Operation = {
    id: row.id,
    setTarget(target) {
      row.target = target
      context.journal.setTarget(row.id, target)
    },
    async step(name, { by, shell, undo }, effect) {
      about.signal?.throwIfAborted()
      const offset = performance.now()
      const step: StepRow = {
        position: steps.length,
        name,
        by,
        shell: shell ?? null,
        undo: undo === undefined ? null : JSON.stringify(undo),
        status: 'running',
        offsetMs: offset - began,
        durationMs: null,
        error: null,
      }
      steps.push(step)
      // Only a step that can be undone has to be in the journal before its effect; the others come with the end.
      if (undo !== undefined) context.journal.writeStep(row.id, step)
      try {
        await context.faults.before(about.kind, name)
        const result = await effect()
        await context.faults.after(about.kind, name)
        step.status = 'done'
        return result
      } catch (error) {
        step.status = 'failed'
        step.error = toKagoError(error).message
        throw error
      } finally {
        step.durationMs = performance.now() - offset
      }
    },
  }

  try {
    const result = await body(operation)
    row.status = 'done'
    row.durationMs = performance.now() - began
    // What the journal does not know as done would be taken back by the next start of the daemon: better now.
    context.journal.end(row, steps)
    return result
  } catch (thrown) {
    const error = toKagoError(thrown)
    row.status = error.code === 'cancelled' ? 'cancelled' : 'failed'
    row.error = error.message
    await undoSteps(context, row.id, steps)
    error.operation ??= row.id
    if (error.code === 'internal')
      context.log.error({ err: error.cause ?? error, operation: row.id }, row.kind)
    row.durationMs = performance.now() - began
    try {
      context.journal.end(row, steps)
    } catch (failure) {
      // The next start takes it back once more, which changes nothing.
      context.log.error({ err: failure, operation: row.id }, 'the end of an operation could not be recorded')
    }
    throw error
  }
}

/** Runs the undos of steps backwards. One that fails is logged and does not keep the others from being tried. */
export async function undoSteps(
  context: OperationContext,
  operationId: string,
  steps: readonly StepRow[],
): Promise<void> {
  for (const step of steps.toReversed()) {
    if (step.undo === null || step.status === 'undone') continue
    // Written by `step` above, or read back from the journal it wrote.
    const [name, ...args] = JSON.parse(step.undo) as [string, ...never[]]
    try {
      const undo = context.undos.get(name)
      if (undo === undefined) throw new KagoError('internal', `no undo is called ${name}`)
      await undo(...args)
      step.status = 'undone'
    } catch (error) {
      step.error = `undo failed: ${toKagoError(error).message}`
      context.log.error({ err: error, operation: operationId, step: step.name }, 'undo failed')
    }
  }
}
