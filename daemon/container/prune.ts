/** Removes containers that do not run: first as a plan with the bytes, then, when it was agreed to, what the plan says. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isKagoError } from '../../shared/errors.ts'
import type { PrunedContainer } from '../../shared/protocol/prune.ts'
import { errnoCode } from '../host/files.ts'
import { parsePruneFilters } from '../image/prune-filters.ts'
import type { ContainerContext } from './context.ts'
import { lifecycle } from './lifecycle.ts'
import { readContainer } from './record.ts'
import { removeContainer } from './remove.ts'
import { writableUsage } from './usage.ts'

export interface ContainerPruneOptions {
  filter?: readonly string[] | undefined
  /** Only those: ids of a plan that somebody has seen. */
  only?: readonly string[] | undefined
}

/** With the bytes of what each wrote and of its log. */
export async function planContainers(
  context: ContainerContext,
  { filter = [], only }: ContainerPruneOptions = {},
): Promise<PrunedContainer[]> {
  const matches = parsePruneFilters(filter, Date.now())
  const wanted = only === undefined ? undefined : new Set(only)
  const rows = context.containers
    .list()
    .map(readContainer)
    // Those that wait for their policy to start them are in use.
    .filter(({ state }) => state !== 'restarting' && lifecycle[state].remove === 'removing')
    .filter(({ id }) => wanted?.has(id) !== false)
    .filter(({ createdAt, record }) => matches({ createdAt, labels: record.options.labels }))
  const usage = await writableUsage(context, rows)
  return rows.map(({ id, name, state }) => ({
    id,
    name,
    state,
    bytes: (usage.get(id)?.bytes ?? 0) + logBytes(context, id),
  }))
}

/** What was started since the plan stays. */
export async function pruneContainers(
  context: ContainerContext,
  options: ContainerPruneOptions = {},
): Promise<PrunedContainer[]> {
  const removed: PrunedContainer[] = []
  for (const container of await planContainers(context, options)) {
    try {
      await removeContainer(context, container.id)
      removed.push(container)
    } catch (error) {
      if (!isKagoError(error, 'wrong_state', 'not_found', 'in_use')) throw error
    }
  }
  return removed
}

/** Of the few files of a log. */
export function logBytes({ paths }: Pick<ContainerContext, 'paths'>, id: string): number {
  const directory = paths.log(id)
  try {
    const files = readdirSync(directory)
    return files.reduce(
      (sum, file) => sum + (statSync(join(directory, file), { throwIfNoEntry: false })?.size ?? 0),
      0,
    )
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return 0
    throw error
  }
}
