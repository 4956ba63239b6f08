/** Writes a container's bundle: the files of its names, its user looked up, its specification as config.json. */
import { type EtcFiles, etcFilesIn, writeEtcFiles } from '../network/etc-files.ts'
import { writeBundle } from '../runtime/bundle.ts'
import type { Runtime } from '../runtime/contract.ts'
import { listHostDevices, resolveDevices } from '../runtime/devices.ts'
import { buildSpec, type SpecInput } from '../runtime/spec.ts'
import { type ResolvedUser, resolveUser } from '../runtime/user.ts'
import type { ContainerContext } from './context.ts'
import { specInput } from './create-options.ts'
import { mountSources } from './mount-sources.ts'
import { nameOptions } from './name-options.ts'
import { sharedContainer } from './plan-networks.ts'
import type { Container } from './record.ts'
import { readRootFile } from './root-files.ts'

/** @throws what is wrong with the container's options on this machine, before anything runs. */
export async function writeContainerBundle(
  context: ContainerContext,
  container: Container,
  runtime: Runtime,
  networkMode: SpecInput['networkMode'],
  size?: { columns: number; rows: number },
): Promise<void> {
  const { id, record } = container
  const { imageConfig } = record
  const options = { ...record.options, mounts: mountSources(context, container) }
  const { host, paths } = context
  const bundle = paths.bundle(id)
  const user = await lookUpUser(context, container, record.process.user, options.groupAdd)
  const etcFiles = etcFilesOf(context, container)
  const spec = buildSpec(
    specInput({
      id,
      options,
      imageConfig,
      host,
      user,
      etcFiles,
      networkMode,
      initPath: paths.programs.init,
      devices: options.privileged ? listHostDevices() : resolveDevices(options.devices),
    }),
  )
  runtime.refuse(spec)
  for (const notice of runtime.notices(spec)) context.log.warn({ container: id }, notice)
  if (size !== undefined) spec.process.consoleSize = { width: size.columns, height: size.rows }
  writeBundle(bundle, spec)
  await runtime.prepare({ id, bundle })
}

/** Who shares another container's network shares the files of its names. */
function etcFilesOf(context: ContainerContext, container: Container): EtcFiles {
  const other = sharedContainer(container.record.options.network)
  if (other !== undefined) return etcFilesIn(context.paths.container(other))
  return writeEtcFiles(context.paths.container(container.id), nameOptions(context, container))
}

/** Names are looked up in the container's own /etc/passwd and /etc/group, never in the host's. */
export async function lookUpUser(
  context: ContainerContext,
  container: Container,
  user: string,
  groupAdd: readonly string[],
): Promise<ResolvedUser> {
  const [passwd, group] = await Promise.all([
    readRootFile(context, container, 'etc/passwd'),
    readRootFile(context, container, 'etc/group'),
  ])
  return resolveUser({ user, groupAdd, passwd: passwd ?? '', group: group ?? '' })
}
