/** What the daemon does first: it takes back the operations that its own death cut short. */
import { type OperationContext, undoSteps } from './operation.ts'

/** Rolls back every unfinished operation, newest first. A second call finds nothing to do. */
export async function recoverOperations(context: OperationContext): Promise<number> {
  const unfinished = context.journal.unfinished()
  for (const { operation, steps } of unfinished) {
    await undoSteps(context, operation.id, steps)
    context.journal.end(
      {
        ...operation,
        status: 'rolled-back',
        durationMs: Date.now() - operation.startedAt,
        error: 'kagod ended in the middle',
      },
      steps,
    )
    context.log.warn(
      { operation: operation.id, kind: operation.kind, target: operation.target },
      'rolled back',
    )
  }
  return unfinished.length
}
