/** Makes a container: its image, its options, its writable layer, and last its name. */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { KagoError } from '../../shared/errors.ts'
import type { CreateBody } from '../../shared/protocol/containers.ts'
import type { Report } from '../../shared/protocol/progress.ts'
import type { Credentials } from '../../shared/protocol/system.ts'
import type { KagoEvent } from '../events/bus.ts'
import { type EnsuredImage, ensureImage } from '../image/ensure.ts'
import { type Operation, operate } from '../operation/operation.ts'
import { noTask } from '../state/containers.ts'
import type { Durability } from '../state/database.ts'
import { knownObstacle } from '../network/obstacles.ts'
import { createVolumeStep } from '../volume/create.ts'
import type { ContainerContext } from './context.ts'
import { resolveOptions } from './create-options.ts'
import { checkName, randomName } from './names.ts'
import { dropHalves, fillVolumes } from './fill-volumes.ts'
import { planMounts } from './plan-mounts.ts'
import { planNetworks } from './plan-networks.ts'
import { type Container, type ContainerRecord, readContainer } from './record.ts'

export interface CreateOptions {
  credentials?: Credentials | undefined
  report: Report
  signal: AbortSignal
}

export async function createContainer(
  context: ContainerContext,
  body: CreateBody,
  options: CreateOptions,
): Promise<Container> {
  const image = await prepareImage(context, body, options)
  return await operate(
    context,
    { kind: 'container.create', target: body.name ?? body.image, signal: options.signal },
    (operation) => createSteps(context, operation, newContainerId(), body, image, options.report),
  )
}

/** The image, pulled if the request says so. An operation of its own: a pull outlives the container it was for. */
export async function prepareImage(
  context: ContainerContext,
  body: CreateBody,
  { credentials, report, signal }: CreateOptions,
): Promise<EnsuredImage> {
  if (body.name !== undefined) {
    checkName(body.name)
    refuseTakenName(context, body.name)
  }
  return await ensureImage(
    context.image,
    { reference: body.image, platform: body.platform, pull: body.pull ?? 'missing' },
    { credentials, report, signal },
  )
}

export function newContainerId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex')
    // It begins the host name, and resolvers take a name of digits alone for an address.
    if (/^.{0,11}[a-f]/.test(id)) return id
  }
}

/** The steps of a creation, for the verbs that begin with one. */
export async function createSteps(
  context: ContainerContext,
  operation: Operation,
  id: string,
  body: CreateBody,
  image: EnsuredImage,
  report: Report,
): Promise<Container> {
  const { paths, config } = context
  operation.setTarget(id)
  const { network, memberships } = planNetworks(context, id, body)
  const { mounts, toMake, toFill } = planMounts(context, id, body, image.config)
  const resolved = resolveOptions(id, { ...body, ...network, mounts }, image.config, context.host)
  const runtime = resolved.options.runtime ?? config.defaultRuntime
  context.runtimes.get(runtime)
  const snapshotter = context.image.snapshotter
  const record: ContainerRecord = {
    image: {
      reference: body.image,
      id: image.row.id,
      manifestDigest: image.row.manifestDigest,
      platform: image.row.platform,
    },
    ...resolved,
    chainIds: image.chainIds,
    runtime,
    snapshotter: snapshotter.name,
  }

  for (const volume of toMake) await createVolumeStep(context.volume, operation, volume)
  const directory = paths.container(id)
  await operation.step(
    'make the writable layer',
    {
      by: 'mkdir(2)',
      shell: `mkdir -p -m 0700 ${directory}/log ${directory}/upper ${directory}/work`,
      undo: ['container.delete-files', id],
    },
    async () => {
      mkdirSync(directory, { mode: 0o700 })
      mkdirSync(paths.log(id), { mode: 0o700 })
      await snapshotter.createWritable(directory, image.chainIds)
    },
  )

  const unfilled = mounts.flatMap(({ type, source = '' }) =>
    type === 'volume' && !toFill.some(({ name }) => name === source) ? [source] : [],
  )
  await dropHalves(context, operation, unfilled)
  if (toFill.length > 0)
    await fillVolumes(context, operation, { directory, chainIds: image.chainIds }, toFill)

  const container = await operation.step(
    'write the record',
    { by: 'kago.db', undo: ['container.forget', id] },
    () => {
      const created = (): KagoEvent[] => [{ type: 'container', action: 'create', id }]
      // A container that is removed at its end need not outlive a power cut.
      const durability = record.options.autoRemove ? 'quick' : 'durable'
      return context.events.record(durability, created, () => {
        if (memberships.length > 0) context.network.endpoints.insert(memberships, durability)
        return insertRecord(context, { id, name: body.name, record }, durability)
      })
    },
  )
  await tellObstacle(context, container, report)
  report({ type: 'created', id, name: container.name, operation: operation.id })
  return container
}

/** A published port that another firewall cuts off is no error: its owner may open it. But it is not kept quiet. */
async function tellObstacle(
  { network }: ContainerContext,
  { record }: Container,
  report: Report,
): Promise<void> {
  if (record.options.publish.length === 0) return
  const obstacle = await knownObstacle(network)
  if (obstacle === undefined) return
  report({ type: 'notice', message: `${obstacle.detail}; let them through with: ${obstacle.hint}` })
}

function insertRecord(
  context: ContainerContext,
  { id, name, record }: { id: string; name: string | undefined; record: ContainerRecord },
  durability: Durability,
): Container {
  // An rmi may have run since the image was found; from the insertion on, the record holds its layers.
  if (context.image.images.find(record.image.id) === undefined) {
    throw new KagoError('not_found', `image ${record.image.reference} was removed meanwhile`, {
      hint: `pull it again: kago pull ${record.image.reference}`,
    })
  }
  const lost = record.options.mounts.find(
    ({ type, source = '' }) => type === 'volume' && context.volume.volumes.find(source) === undefined,
  )
  if (lost !== undefined)
    throw new KagoError('not_found', `volume ${lost.source} was removed meanwhile`, { hint: 'try again' })
  for (let attempt = 0; attempt < 12; attempt++) {
    const row = {
      id,
      name: name ?? randomName(attempt),
      imageId: record.image.id,
      createdAt: Date.now(),
      record: JSON.stringify(record),
      state: 'created',
      ...noTask,
    } as const
    if (context.containers.insert(row, durability)) return readContainer(row)
    if (name !== undefined) refuseTakenName(context, name)
  }
  throw new KagoError('exhausted', 'no free name was found', { hint: 'choose one: --name NAME' })
}

function refuseTakenName({ containers }: ContainerContext, name: string): void {
  const holder = containers.findByName(name)
  if (holder === undefined) return
  throw new KagoError('already_exists', `the name ${name} is taken by container ${holder.id.slice(0, 12)}`, {
    hint: `choose another, or remove it: kago rm ${name}`,
    details: { id: holder.id },
  })
}
