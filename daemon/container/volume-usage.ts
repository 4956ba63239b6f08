/**
 * How much volumes hold. The ledger has what was measured since a container last had the volume; one that a running
 * container has is measured when somebody asks, within a deadline for all, as in usage.ts.
 */
import { measureTree } from '../host/tree-usage.ts'
import type { VolumeRow } from '../state/volumes.ts'
import { volumeData } from '../volume/context.ts'
import type { ContainerContext } from './context.ts'
import { isAlive } from './lifecycle.ts'
import type { Container } from './record.ts'
import type { WritableUsage } from './usage.ts'

const budgetMs = 40

/** By id. Without a deadline everything is measured to the end, as for a plan that somebody is to agree to. */
export async function volumeUsage(
  context: ContainerContext,
  rows: readonly VolumeRow[],
  { isPatient = false }: { isPatient?: boolean } = {},
): Promise<Map<string, WritableUsage>> {
  const { volume, usage } = context
  const deadline = isPatient ? Number.POSITIVE_INFINITY : performance.now() + budgetMs
  const known = usage.list('volume')
  const states = volume.volumes.userStates()
  const result = new Map<string, WritableUsage>()
  for (const row of rows) {
    const last = known.get(row.id)
    const isWritten = states.get(row.name)?.some((state) => isAlive(state)) === true
    if (last !== undefined && !isWritten) {
      result.set(row.id, { bytes: last.bytes, isEstimate: false })
      continue
    }
    const measuredAt = Date.now()
    const { bytes, isWhole } = await measureTree(volumeData(volume, row), deadline)
    result.set(row.id, { bytes: isWhole ? bytes : Math.max(bytes, last?.bytes ?? 0), isEstimate: !isWhole })
    if (isWhole) usage.set('volume', { id: row.id, bytes, measuredAt })
  }
  return result
}

/** What was measured is not true any more: a container that mounts them has run, or was copied into. */
export function forgetVolumeUsage(
  { volume, usage }: Pick<ContainerContext, 'volume' | 'usage'>,
  { record }: Pick<Container, 'record'>,
): void {
  for (const { type, source = '' } of record.options.mounts) {
    const row = type === 'volume' ? volume.volumes.find(source) : undefined
    if (row !== undefined) usage.remove('volume', row.id)
  }
}
