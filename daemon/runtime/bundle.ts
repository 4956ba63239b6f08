/** The bundle on disk: the directory in which daemon, shim and runtime meet. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { Mount, Process, RuntimeSpec } from '../../shared/oci/runtime-spec.ts'

/** What the runtime writes its messages to, one JSON object a line. */
export function runtimeLogPath(bundle: string): string {
  return join(bundle, 'runtime.log')
}

/**
 * Makes the bundle (0700: nobody else may pass through it to a setuid file in the rootfs) with its config.json and an
 * empty rootfs. Synchronous: it is a few small files on a tmpfs, on the path of every start.
 */
export function writeBundle(bundle: string, spec: RuntimeSpec): void {
  mkdirSync(bundle, { recursive: true, mode: 0o700 })
  mkdirSync(join(bundle, 'rootfs'), { recursive: true, mode: 0o755 })
  writeFileSync(
    join(bundle, 'config.json'),
    toSpecJson({ ...spec, mounts: spec.mounts.map(plainFileBind) }),
    { mode: 0o600 },
  )
}

/** A file has nothing below it that could be read-only too, and crun 1.8 trips over `rro` there. */
function plainFileBind(mount: Mount): Mount {
  const { source, options } = mount
  if (source === undefined || !options?.includes('rro')) return mount
  const isDirectory = statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? true
  return isDirectory ? mount : { ...mount, options: options.filter((option) => option !== 'rro') }
}

/**
 * JSON with `noRlimit` as the 64-bit number that it stands for. The key and its quotes cannot be part of a string, where
 * quotes have a backslash.
 */
function toSpecJson(value: RuntimeSpec | Process): string {
  return JSON.stringify(value).replace(
    /"(soft|hard)":18446744073709552000(?=[,}])/g,
    '"$1":18446744073709551615',
  )
}

/** Writes the process file of an exec and says where it is. */
export function writeProcessFile(bundle: string, execId: string, process: Process): string {
  const path = join(bundle, `exec-${execId}.json`)
  writeFileSync(path, toSpecJson(process), { mode: 0o600 })
  return path
}

/** The spec that `writeBundle` wrote. */
export function readBundleSpec(bundle: string): RuntimeSpec {
  const path = join(bundle, 'config.json')
  try {
    const spec: RuntimeSpec = JSON.parse(readFileSync(path, 'utf8'))
    return spec
  } catch (error) {
    throw new KagoError('corrupt', `the bundle's ${path} cannot be read`, { cause: error })
  }
}
