/** Removes volumes that no container mounts: first as a plan with the bytes, then, when it was agreed to, what the plan says. */
import { isKagoError } from '../../shared/errors.ts'
import type { PrunedVolume } from '../../shared/protocol/prune.ts'
import { runTool } from '../host/exec.ts'
import { parsePruneFilters } from '../image/prune-filters.ts'
import { volumeData } from '../volume/context.ts'
import { volumeLabels } from '../volume/describe.ts'
import { removeVolume } from '../volume/remove.ts'
import type { ContainerContext } from './context.ts'

export interface VolumePruneOptions {
  /** Those with a name too. */
  all?: boolean | undefined
  filter?: readonly string[] | undefined
  /** Only those: names of a plan that somebody has seen. */
  only?: readonly string[] | undefined
  /** Containers that will be gone by then, in a plan. */
  withoutContainers?: ReadonlySet<string> | undefined
}

export async function planVolumes(
  { volume }: ContainerContext,
  { all = false, filter = [], only, withoutContainers }: VolumePruneOptions = {},
): Promise<PrunedVolume[]> {
  const matches = parsePruneFilters(filter, Date.now())
  const wanted = only === undefined ? undefined : new Set(only)
  const unused = volume.volumes
    .list()
    .filter((row) => all || row.anonymous === 1)
    .filter(({ name }) => wanted?.has(name) !== false)
    .filter((row) => matches({ createdAt: row.createdAt, labels: volumeLabels(row) }))
    .filter(({ name }) => volume.volumes.users(name).every(({ id }) => withoutContainers?.has(id) === true))
  const bytes = await bytesBelow(unused.map((row) => volumeData(volume, row)))
  return unused.map(({ name }, index) => ({ name, bytes: bytes[index] ?? 0 }))
}

/** What was mounted since the plan stays. */
export async function pruneVolumes(
  context: ContainerContext,
  options: VolumePruneOptions = {},
): Promise<PrunedVolume[]> {
  const removed: PrunedVolume[] = []
  for (const volume of await planVolumes(context, options)) {
    try {
      await removeVolume(context.volume, volume.name)
      removed.push(volume)
    } catch (error) {
      if (!isKagoError(error, 'not_found', 'in_use')) throw error
    }
  }
  return removed
}

/** As du counts them. A volume may be removed meanwhile. */
async function bytesBelow(directories: readonly string[]): Promise<number[]> {
  const sizes: number[] = []
  for (const directory of directories) {
    const words = ['--summarize', '--block-size=1', '--one-file-system', '--', directory]
    const { stdout } = await runTool('du', words, { allow: [1], timeoutMs: 600_000 })
    sizes.push(Number.parseInt(stdout, 10) || 0)
  }
  return sizes
}
