/**
 * Takes shims out of the cgroup of the daemon's service, so that what is done to the service (`systemctl kill kagod`, the
 * end of a login session) is not done to the containers, and what they use is not counted as the daemon's.
 */
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CgroupLayout, readCgroupLayout } from '../host/cgroup.ts'
import { readProcessStat } from '../host/process.ts'
import type { ContainerContext } from './context.ts'

/** No container has this for its id. */
const group = '/kago/shims'

/** Moving stops every fork and exit of the machine for a moment: what runs for less than this is left alone. */
const waitMs = 1000

/** For a task that runs; its process is a child of its shim. */
export async function leaveUnit({ tasks, log }: ContainerContext, id: string): Promise<void> {
  const task = tasks.get(id)
  if (task === undefined) return
  try {
    const trees = unitTrees(readCgroupLayout(), readFileSync('/proc/self/cgroup', 'utf8'))
    if (trees.length === 0) return
    const { pid } = await task.shim.started
    await sleep(waitMs, undefined, { ref: false })
    const shimPid = tasks.get(id) === task ? readProcessStat(pid)?.parentPid : undefined
    if (shimPid === undefined) return
    for (const tree of trees) {
      const directory = join(tree, group)
      await mkdir(directory, { recursive: true })
      await writeFile(join(directory, 'cgroup.procs'), String(shimPid))
    }
  } catch (error) {
    // It works all the same: the unit stops the daemon alone.
    log.debug({ err: error, container: id }, 'the shim stays in the cgroup of the daemon')
  }
}

/**
 * The trees whose groups a service manager takes for its services, if this process is in one: v2's, and v1's named
 * `systemd`. `membership` is the text of /proc/self/cgroup.
 */
export function unitTrees({ trees, unified }: CgroupLayout, membership: string): string[] {
  return membership.split('\n').flatMap((line) => {
    const [, , name, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
    const tree = name === '' ? unified : name === 'name=systemd' ? trees.get(name) : undefined
    return tree === undefined || path === '/' ? [] : [tree]
  })
}
