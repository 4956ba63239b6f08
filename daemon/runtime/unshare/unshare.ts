/** kago's own runtime: no program but util-linux and busybox, driven by a script that a person can read and run. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { KagoError } from '../../../shared/errors.ts'
import type { Process } from '../../../shared/oci/runtime-spec.ts'
import {
  freezeCgroup,
  isFrozen,
  listPids,
  readCgroupLayout,
  removeCgroup,
  thawCgroup,
  writeControl,
} from '../../host/cgroup.ts'
import { runQuickTool, toolEnvironment } from '../../host/exec.ts'
import { findTool } from '../../host/features.ts'
import { readMountTable } from '../../host/mount-table.ts'
import { readProcessStat } from '../../host/process.ts'
import { readBundleSpec } from '../bundle.ts'
import type { Runtime, RuntimeFeature, RuntimeState } from '../contract.ts'
import { explainLog } from '../explain-failure.ts'
import { controlWrites } from './cgroup-files.ts'
import { noticesOf, refuseProcess, refuseSpec } from './refuse.ts'
import { enterScript } from './enter-script.ts'
import { execEntry, execScript, startScript } from './script.ts'
import type { ScriptHost } from './script-input.ts'

const features: readonly RuntimeFeature[] = ['pause', 'update', 'exec', 'cgroup-v2']
const killSignal = 9

/** `root` keeps one small file per container: where its bundle is. */
export function createUnshareRuntime({ root }: { root: string }): Runtime {
  const recordPath = (id: string): string => join(root, id)

  const bundleOf = (id: string): string | undefined => readIfThere(recordPath(id))
  const known = (id: string): { bundle: string; group: string } => {
    const bundle = bundleOf(id)
    if (bundle === undefined) throw new KagoError('not_found', `the unshare runtime knows no container ${id}`)
    return { bundle, group: readBundleSpec(bundle).linux.cgroupsPath ?? '' }
  }
  const stateOf = (id: string): RuntimeState | undefined => {
    const bundle = bundleOf(id)
    if (bundle === undefined) return undefined
    const pid = Number(readIfThere(join(bundle, 'unshare.pid')) ?? 0)
    if (pid === 0) return { status: 'created' }
    const layout = readCgroupLayout()
    const group = readBundleSpec(bundle).linux.cgroupsPath ?? ''
    // a pid that the kernel has given to another process since is not in the container's cgroup
    if (!listPids(layout, group).includes(pid) || readProcessStat(pid)?.state === 'Z')
      return { status: 'stopped' }
    return { status: isFrozen(layout, group) ? 'paused' : 'running', pid }
  }
  const running = (id: string): number => {
    known(id)
    const pid = stateOf(id)?.pid
    if (pid === undefined) throw new KagoError('wrong_state', `container ${id} is not running`)
    return pid
  }

  return {
    name: 'unshare',
    terminal: 'pty',
    supports: new Set(features),
    refuse: refuseSpec,
    notices: (spec) => noticesOf(spec, readCgroupLayout().version),

    prepare: async ({ id, bundle }) => {
      const spec = readBundleSpec(bundle)
      const host = await scriptHost()
      mkdirSync(root, { recursive: true, mode: 0o700 })
      rmSync(join(bundle, 'unshare.pid'), { force: true })
      writeScript(join(bundle, 'start.sh'), startScript({ id, bundle, spec, host }))
      writeEnter(bundle, 'start', spec.process)
      writeFileSync(recordPath(id), bundle, { mode: 0o600 })
    },

    startCommand: ({ bundle, pidFile }) => {
      const network = readBundleSpec(bundle).linux.namespaces.find(({ type }) => type === 'network')
      return [
        ...cleanEnvironment,
        ...(network?.path === undefined ? [] : ['nsenter', `--net=${network.path}`]),
        'unshare',
        '--uts',
        '--ipc',
        ...(network !== undefined && network.path === undefined ? ['--net'] : []),
        'busybox',
        'sh',
        join(bundle, 'start.sh'),
        pidFile,
      ]
    },

    prepareExec: async ({ id, bundle, processFile }) => {
      const process: Process = JSON.parse(readFileSync(processFile, 'utf8'))
      refuseProcess(process)
      const pid = running(id)
      const shimPid = readProcessStat(pid)?.parentPid
      if (shimPid === undefined) throw new KagoError('wrong_state', `container ${id} is not running`)
      const name = scriptName(processFile)
      const input = {
        id,
        bundle,
        spec: readBundleSpec(bundle),
        host: await scriptHost(),
        process,
        pid,
        shimPid,
        name,
      }
      writeScript(join(bundle, `${name}.sh`), execScript(input))
      writeEnter(bundle, name, process)
    },

    execCommand: ({ id, bundle, processFile, pidFile }) => {
      const pid = running(id)
      const shimPid = readProcessStat(pid)?.parentPid ?? 0
      return [
        ...cleanEnvironment,
        ...execEntry({ pid, shimPid }),
        'busybox',
        'sh',
        join(bundle, `${scriptName(processFile)}.sh`),
        pidFile,
      ]
    },

    kill: async (id, signal, options = {}) => {
      const pid = running(id)
      const targets = options.all ? listPids(readCgroupLayout(), known(id).group) : [pid]
      for (const target of targets) sendSignal(target, signal)
    },

    pause: async (id) => {
      running(id)
      await freezeCgroup(readCgroupLayout(), known(id).group)
    },
    resume: async (id) => {
      running(id)
      await thawCgroup(readCgroupLayout(), known(id).group)
    },

    update: async (id, { devices: _, ...resources }) => {
      const layout = readCgroupLayout()
      const writes = controlWrites(layout, known(id).group, resources)
      // v1 keeps memory ≤ memory and swap at every moment: raising both begins with the second
      for (const { path, value } of writes) {
        try {
          writeControl(path, value)
        } catch (error) {
          const swap = writes.find((write) => write.path.endsWith('memory.memsw.limit_in_bytes'))
          if (!path.endsWith('memory.limit_in_bytes') || swap === undefined) throw error
          writeControl(swap.path, swap.value)
          writeControl(path, value)
        }
      }
    },

    delete: async (id, options = {}) => {
      const state = stateOf(id)
      if (state === undefined) return
      const { group } = known(id)
      const layout = readCgroupLayout()
      if (state.pid !== undefined && !options.force) {
        throw new KagoError('wrong_state', `container ${id} is still running`)
      }
      if (options.force) {
        if (isFrozen(layout, group)) await thawCgroup(layout, group)
        for (const pid of listPids(layout, group)) sendSignal(pid, killSignal)
      }
      await removeCgroup(layout, group)
      rmSync(recordPath(id), { force: true })
    },

    state: async (id) => stateOf(id),
    processes: async (id) => listPids(readCgroupLayout(), known(id).group),
    explainFailure: (bundle, shimMessage) =>
      explainLog('unshare', readIfThere(join(bundle, 'runtime.log'))?.slice(-64 * 1024) ?? '', shimMessage),
  }
}

/** The scripts start from nothing: the daemon's own variables are none of the container's business. */
const cleanEnvironment = [
  'env',
  '-i',
  ...Object.entries(toolEnvironment).map(([name, value]) => `${name}=${value}`),
]

function scriptName(processFile: string): string {
  return (processFile.split('/').at(-1) ?? '').replace(/\.json$/, '')
}

function writeScript(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o700 })
}

/** 0644: it is opened through /proc/self/fd by the container's user; the bundle around it is 0700. */
function writeEnter(bundle: string, name: string, process: Process): void {
  writeFileSync(join(bundle, `${name}-enter.sh`), enterScript(process), { mode: 0o644 })
}

let cachedHost: ScriptHost | undefined

async function scriptHost(): Promise<ScriptHost> {
  if (cachedHost) return cachedHost
  const busybox = findTool('busybox')
  if (busybox === undefined || !isStatic(busybox) || !(await isStandalone(busybox))) {
    throw new KagoError(
      'not_supported',
      'the unshare runtime needs a static busybox whose shell has its own mount',
      {
        hint: 'install it with: apt install busybox-static',
      },
    )
  }
  const program = realpathSync(busybox)
  cachedHost = {
    layout: readCgroupLayout(),
    busybox: program,
    mount: utilLinux('mount'),
    unshare: utilLinux('unshare'),
    nsenter: utilLinux('nsenter'),
    setpriv: utilLinux('setpriv'),
    prlimit: utilLinux('prlimit'),
    programMounts: [mountOf(program)],
  }
  return cachedHost
}

function utilLinux(name: string): string {
  const path = findTool(name)
  if (path !== undefined) return path
  throw new KagoError('not_supported', `the unshare runtime needs ${name}, which is not installed`, {
    hint: 'install it with: apt install util-linux',
  })
}

/** The target of the mount that holds a file. */
function mountOf(path: string): string {
  return readMountTable()
    .map(({ target }) => target)
    .filter((target) => target === '/' || path.startsWith(`${target}/`))
    .reduce((longest, target) => (target.length > longest.length ? target : longest), '/')
}

/** Debian's is built with FEATURE_SH_STANDALONE; one that is not would look for mkdir in PATH. */
async function isStandalone(busybox: string): Promise<boolean> {
  const { status } = await runQuickTool(busybox, ['sh', '-c', 'PATH=/nonexistent; mkdir -p /'], {
    allow: [126, 127],
  })
  return status === 0
}

/** An ELF program without an interpreter (PT_INTERP, type 3, among the program headers; 64-bit little-endian). */
function isStatic(path: string): boolean {
  const head = Buffer.alloc(4096)
  const file = openSync(path, 'r')
  try {
    readSync(file, head, 0, head.length, 0)
  } finally {
    closeSync(file)
  }
  if (head.readUInt32BE(0) !== 0x7f454c46) return false
  const offset = Number(head.readBigUInt64LE(32))
  const size = head.readUInt16LE(54)
  const count = head.readUInt16LE(56)
  return Array.from({ length: count }, (_, index) => offset + index * size)
    .filter((at) => at + 4 <= head.length)
    .every((at) => head.readUInt32LE(at) !== 3)
}

function sendSignal(pid: number, signal: number): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    const hasGone = error instanceof Error && 'code' in error && error.code === 'ESRCH'
    if (!hasGone) throw error
  }
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
