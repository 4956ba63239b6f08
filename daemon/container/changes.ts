/** What a container changed in its image's files. */
import type { FileChange } from '../../shared/protocol/files.ts'
import type { ContainerContext } from './context.ts'
import type { Container } from './record.ts'
import { settledContainer } from './root.ts'
import type { ChangesJob } from './tree/job.ts'
import { runTree } from './tree/run-tree.ts'

export async function listChanges(
  context: ContainerContext,
  text: string,
  signal: AbortSignal,
): Promise<FileChange[]> {
  const container = await settledContainer(context, text)
  const run = runTree(context, changesJob(context, container, 'changes'), { signal })
  run.done.catch(() => undefined)
  const chunks: Buffer[] = []
  for await (const chunk of run.bytes) chunks.push(chunk)
  const lines = Buffer.concat(chunks).toString().split('\n')
  // Our own program's lines.
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as FileChange)
}

/** A container's writable layer beside what is below it. */
export function changesJob(
  context: ContainerContext,
  { id, record }: Container,
  what: ChangesJob['do'],
): ChangesJob {
  const { snapshotter } = context.image
  return {
    do: what,
    format: snapshotter.name === 'overlay' ? 'overlay' : 'tree',
    upper: `${context.paths.container(id)}/upper`,
    lowers: snapshotter.directories(undefined, record.chainIds),
    stubs: stubsOf(record.options),
  }
}

const alwaysMounted = [
  'dev',
  'proc',
  'sys',
  'etc/hosts',
  'etc/hostname',
  'etc/resolv.conf',
  'sbin/kago-init',
  'dev/console',
]

/** The places of mounts, and the directories that had to be made for them. */
function stubsOf({ mounts, tmpfs }: Container['record']['options']): string[] {
  const targets = [...mounts, ...tmpfs].map(({ target }) =>
    target
      .split('/')
      .filter((part) => part !== '')
      .join('/'),
  )
  const stubs = new Set<string>()
  for (const target of [...alwaysMounted, ...targets]) {
    for (let at = target; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) stubs.add(at)
  }
  return [...stubs]
}
