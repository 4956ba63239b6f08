/** Counts how long operations took, as their ends pass into the journal. */
import type { OperationTable } from '../state/operations.ts'
import { DurationHistogram } from '../telemetry/metrics.ts'

export function operationDurations(): DurationHistogram {
  return new DurationHistogram('kago_operation_duration_seconds', 'How long operations took, by kind and end')
}

/** The same journal; `durations` sees what it writes. */
export function withDurations(journal: OperationTable, durations: DurationHistogram): OperationTable {
  return {
    ...journal,
    end(operation, steps) {
      journal.end(operation, steps)
      const { kind, status, durationMs } = operation
      // What an earlier daemon left is rolled back long after it began: that is no duration.
      if (durationMs !== null && status !== 'rolled-back')
        durations.observe({ kind, status }, durationMs / 1000)
    },
  }
}
