/**
 * How much containers have written, without walking all of them at every question.
 *
 * A container that does not run is measured when it ends, after a copy into it, and never changes between: its entry in the
 * ledger is exact while it is younger than the last end. One that never ran and has no entry has written nothing.
 * Those that run are measured when somebody asks, all of them within a common deadline: who is not done by then is told as it
 * was last known, marked as an estimate, and measured to the end behind the reply.
 */
import { join } from 'node:path'
import { measureTree } from '../host/tree-usage.ts'
import type { ContainerRow } from '../state/containers.ts'
import type { UsageRow } from '../state/disk-usage.ts'
import { cleanUp } from './clean-up.ts'
import type { ContainerContext } from './context.ts'
import { isAlive } from './lifecycle.ts'

export interface WritableUsage {
  bytes: number
  isEstimate: boolean
}

type Row = Pick<ContainerRow, 'id' | 'state' | 'createdAt' | 'startedAt' | 'finishedAt'>

const budgetMs = 40

/** Measures to the end and keeps it. */
export async function measureWritable(context: ContainerContext, id: string): Promise<number> {
  const measuredAt = Date.now()
  const { bytes } = await measureTree(join(context.paths.container(id), 'upper'))
  if (context.containers.find(id) !== undefined) context.usage.set('container', { id, bytes, measuredAt })
  return bytes
}

/** By container. */
export async function writableUsage(
  context: ContainerContext,
  rows: readonly Row[],
): Promise<Map<string, WritableUsage>> {
  const deadline = performance.now() + budgetMs
  const known = context.usage.list('container')
  const result = new Map<string, WritableUsage>()
  const late: string[] = []
  for (const row of rows) {
    const last = known.get(row.id)
    if (isExact(context, row, last)) {
      result.set(row.id, { bytes: last?.bytes ?? 0, isEstimate: false })
      continue
    }
    const measuredAt = Date.now()
    const upper = join(context.paths.container(row.id), 'upper')
    const { bytes, isWhole } = await measureTree(upper, deadline)
    result.set(row.id, { bytes: isWhole ? bytes : Math.max(bytes, last?.bytes ?? 0), isEstimate: !isWhole })
    if (!isWhole) late.push(row.id)
    else if (bytes !== last?.bytes || !isAlive(row.state))
      context.usage.set('container', { id: row.id, bytes, measuredAt })
  }
  // One round at a time.
  if (late.length > 0 && !context.cleanUps.has(queue)) measureLater(context, late)
  return result
}

function isExact({ image }: ContainerContext, row: Row, last: UsageRow | undefined): boolean {
  if (isAlive(row.state)) return false
  if (last === undefined) return row.startedAt === null && image.snapshotter.name === 'overlay'
  return last.measuredAt >= Math.max(row.finishedAt ?? 0, row.startedAt ?? 0)
}

/** Behind all replies, one after the other; whoever starts one of them does not wait. */
export function measureLater(context: ContainerContext, ids: readonly string[]): void {
  cleanUp(context, queue, async () => {
    for (const id of ids) if (context.containers.find(id) !== undefined) await measureWritable(context, id)
  })
}

/** Among what goes on after replies; no container has such an id. */
const queue = 'measuring'
