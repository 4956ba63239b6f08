/** What the prunes have in common: the plan and its bytes are always shown first, then somebody is asked, then it is done. */
import { shortId } from '../../shared/id.ts'
import type {
  PrunedContainer,
  PrunedImage,
  PrunedNetwork,
  PrunedVolume,
} from '../../shared/protocol/prune.ts'
import { formatBytes } from '../../shared/units.ts'
import { alignColumns } from '../format/table.ts'
import { renderJson } from '../format/render.ts'
import { flag, list } from '../options/spec.ts'
import { confirm } from '../terminal/confirm.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const pruneOptions = {
  'dry-run': flag('Only say what would go'),
  filter: list('KEY=VALUE', 'Only those with: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]'),
  force: flag('Do not ask', { short: 'f' }),
  json: flag('Print what went, or would go, as JSON'),
} as const

interface Chosen {
  'dry-run': boolean
  force: boolean
  json: boolean
}

/** Lines of the plan, and how it is done; `T` is what the daemon answers to both. */
export interface Prune<T> {
  readonly name: string
  readonly plan: T
  readonly sections: (answer: T) => Section[]
  readonly act: () => Promise<T>
}

export interface Section {
  readonly title: string
  /** Cells of a line each. */
  readonly lines: readonly string[][]
  readonly bytes: number
}

export async function runPrune<T>(
  { name, plan, sections, act }: Prune<T>,
  chosen: Chosen,
): Promise<undefined> {
  const planned = sections(plan)
  if (!chosen.json) await print(describePlan(planned))
  if (chosen['dry-run']) {
    if (chosen.json) await print(renderJson(plan))
    return undefined
  }
  if (planned.some(({ lines }) => lines.length > 0)) {
    if (!chosen.force) await confirm('Remove them?', `${name} --force`)
    const done = await act()
    if (chosen.json) await print(renderJson(done))
    else await print(`Freed: ${formatBytes(bytesOf(sections(done)))}\n`)
  } else if (chosen.json) {
    await print(renderJson(plan))
  }
  return undefined
}

function describePlan(sections: readonly Section[]): string {
  const filled = sections.filter(({ lines }) => lines.length > 0)
  if (filled.length === 0) return 'There is nothing to remove.\n'
  const parts = filled.map(
    ({ title, lines, bytes }) =>
      `${title} (${lines.length}${bytes > 0 ? `, ${formatBytes(bytes)}` : ''}):\n${alignColumns(lines.map((cells) => `  ${cells.map(escapeLine).join('\t')}`))}`,
  )
  return `${parts.join('')}To be freed: ${formatBytes(bytesOf(filled))}\n`
}

function bytesOf(sections: readonly Section[]): number {
  return sections.reduce((sum, { bytes }) => sum + bytes, 0)
}

export function containerSection(containers: readonly PrunedContainer[]): Section {
  return {
    title: 'Containers that do not run',
    lines: containers.map(({ id, name, state, bytes }) => [shortId(id), name, state, formatBytes(bytes)]),
    bytes: containers.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

export function imageSection(images: readonly PrunedImage[], isAll: boolean): Section {
  return {
    title: isAll ? 'Images that no container needs' : 'Images without a name that no container needs',
    lines: images.map(({ id, names, bytes }) => [
      shortId(id),
      names.join(', ') || '<none>',
      formatBytes(bytes),
    ]),
    bytes: images.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** Networks take no room worth counting. */
export function networkSection(networks: readonly PrunedNetwork[]): Section {
  return {
    title: 'Networks that no container is in',
    lines: networks.map(({ id, name, subnets }) => [shortId(id), name, subnets.join(', ')]),
    bytes: 0,
  }
}

export function volumeSection(volumes: readonly PrunedVolume[], isAll: boolean): Section {
  return {
    title: isAll ? 'Volumes that no container mounts' : 'Volumes without a name that no container mounts',
    lines: volumes.map(({ name, bytes }) => [name, formatBytes(bytes)]),
    bytes: volumes.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
