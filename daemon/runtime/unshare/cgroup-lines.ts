/** The lines of the scripts that make, limit and enter the container's control group. */
import type { DeviceRule, LinuxResources } from '../../../shared/oci/runtime-spec.ts'
import { cgroupDirectories } from '../../host/cgroup.ts'
import { controlWrites, neededControllers } from './cgroup-files.ts'
import { quote } from './quote.ts'
import type { ScriptInput } from './script-input.ts'

/** Makes the group, sets its limits, and moves the shell into it. */
export function cgroupLines(input: ScriptInput): string[] {
  const { layout } = input.host
  const { cgroupsPath = '', resources = {} } = input.spec.linux
  const directories = cgroupDirectories(layout, cgroupsPath).filter((directory) => isUsed(input, directory))
  const parent = cgroupsPath.slice(0, cgroupsPath.lastIndexOf('/'))
  const enable =
    layout.version === 2
      ? ['', parent].flatMap((group) =>
          [...new Set([...neededControllers(resources), 'memory', 'pids', 'cpu', 'io'])].map(
            (controller) =>
              `echo +${controller} >${quote(`${layout.unified}${group}/cgroup.subtree_control`)} 2>/dev/null || :`,
          ),
        )
      : []
  return [
    `mkdir -p ${directories.map(quote).join(' ')}`,
    ...enable,
    ...cpusetLines(input),
    ...controlWrites(layout, cgroupsPath, withTerminals(resources)).map(
      ({ path, value }) => `echo ${quote(value)} >${quote(path)}`,
    ),
    ...joinLines(input),
  ]
}

/** /dev/ptmx and the terminals behind it belong to every container's own devpts. */
function withTerminals(resources: LinuxResources): LinuxResources {
  const { devices } = resources
  if (devices === undefined) return resources
  const terminals: DeviceRule[] = [
    { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
    { allow: true, type: 'c', major: 136, access: 'rwm' },
  ]
  return { ...resources, devices: [...devices, ...terminals] }
}

/** The lines that move the shell into a group that is there. */
export function joinLines(input: ScriptInput): string[] {
  return cgroupDirectories(input.host.layout, input.spec.linux.cgroupsPath ?? '')
    .filter((directory) => isUsed(input, directory))
    .map((directory) => `echo 0 >${quote(`${directory}/cgroup.procs`)}`)
}

/** A new group of v1's cpuset is empty, and no process may enter it: it is used only when asked for. */
function isUsed({ host, spec }: ScriptInput, directory: string): boolean {
  const cpuset = host.layout.trees.get('cpuset')
  const isOwnTree = ![...host.layout.trees].some(([name, tree]) => name !== 'cpuset' && tree === cpuset)
  const isCpuset = cpuset !== undefined && isOwnTree && directory.startsWith(`${cpuset}/`)
  return !isCpuset || spec.linux.resources?.cpu?.cpus !== undefined
}

function cpusetLines({ host, spec }: ScriptInput): string[] {
  const tree = host.layout.trees.get('cpuset')
  if (tree === undefined || spec.linux.resources?.cpu?.cpus === undefined) return []
  const groups = (spec.linux.cgroupsPath ?? '').split('/').filter((part) => part !== '')
  return groups.flatMap((_, index) => {
    const parent = `${tree}/${groups.slice(0, index).join('/')}`.replace(/\/$/, '')
    const own = `${parent}/${groups[index]}`
    return ['cpus', 'mems'].map((what) => {
      const [from, to] = [quote(`${parent}/cpuset.${what}`), quote(`${own}/cpuset.${what}`)]
      return `read -r now <${to} || :; [ -n "$now" ] || cat ${from} >${to}`
    })
  })
}
