/** A container's record with other limits, labels, environment or restart policy. Pure. */
import { KagoError } from '../../shared/errors.ts'
import type { ContainerOptions, PublishedPort, UpdateBody } from '../../shared/protocol/containers.ts'
import type { HostFacts } from '../runtime/spec.ts'
import { isPortOf } from '../network/ports.ts'
import type { PortRow } from '../state/ports.ts'
import { checkPort, refusePublishing } from './port-options.ts'
import { checkRestart, resolveProcess } from './create-options.ts'
import type { ContainerRecord } from './record.ts'

/** @throws invalid_argument where nothing is to change, or a change cannot be. */
export function changedRecord(
  id: string,
  record: ContainerRecord,
  change: UpdateBody,
  host: HostFacts,
  live: readonly PortRow[] = [],
): ContainerRecord {
  const isEmpty = (value: unknown) =>
    value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  if (Object.values(change).every(isEmpty)) {
    throw new KagoError('invalid_argument', 'nothing to change', {
      hint: 'give a limit, such as --memory 512m; see kago update --help',
    })
  }
  const { options, imageConfig } = record
  const restart = change.restart ?? options.restart
  const changed: ContainerOptions = {
    ...options,
    resources: { ...options.resources, ...change.resources },
    labels: changedLabels(options.labels, change),
    env: changedEnvironment(options.env, imageConfig.Env ?? [], change),
    ...(restart !== undefined && { restart }),
    publish: changedPorts(options, change, live),
  }
  checkRestart(changed)
  return { ...record, options: changed, process: resolveProcess(id, changed, imageConfig, host).process }
}

function changedLabels(
  labels: Readonly<Record<string, string>>,
  { labelAdd = {}, labelRemove = [] }: UpdateBody,
): Record<string, string> {
  const kept = Object.entries(labels).filter(([key]) => !labelRemove.includes(key))
  return { ...Object.fromEntries(kept), ...labelAdd }
}

/** What it publishes from its next start on; `live` are the ports that it publishes now. */
function changedPorts(
  { publish, network }: ContainerOptions,
  { publishAdd = [], publishRemove = [] }: UpdateBody,
  live: readonly PortRow[],
): PublishedPort[] {
  refusePublishing(network, publishAdd)
  for (const port of publishAdd) checkPort(port)
  const isGoing = (port: PublishedPort, wanted: PublishedPort) =>
    port.protocol === wanted.protocol &&
    (port.hostPort === undefined || port.hostPortEnd !== undefined
      ? live.some((row) => row.containerPort === port.containerPort && isPortOf(row, wanted))
      : port.hostPort === wanted.hostPort) &&
    (wanted.containerPort === 0 || port.containerPort === wanted.containerPort) &&
    (wanted.hostAddress === undefined || port.hostAddress === wanted.hostAddress)
  for (const wanted of publishRemove) {
    if (live.some((row) => isPortOf(row, wanted)) || publish.some((port) => isGoing(port, wanted))) continue
    throw new KagoError('not_found', `port ${wanted.hostPort ?? ''}/${wanted.protocol} is not published`, {
      hint: 'see which are: kago port CONTAINER',
    })
  }
  const kept = publish.filter((port) => !publishRemove.some((wanted) => isGoing(port, wanted)))
  return [...kept, ...publishAdd]
}

/** What is removed is removed whoever set it: a bare name takes away what the image has. */
function changedEnvironment(
  env: readonly string[],
  imageEnv: readonly string[],
  { envAdd = [], envRemove = [] }: UpdateBody,
): string[] {
  const keyOf = (entry: string) => entry.split('=', 1)[0] ?? ''
  const bad = envRemove.find((key) => key === '' || key.includes('='))
  if (bad !== undefined) {
    throw new KagoError('invalid_argument', `not the name of a variable: ${JSON.stringify(bad)}`, {
      hint: 'write only its name: --env-rm NAME',
    })
  }
  const touched = new Set([...envRemove, ...envAdd.map(keyOf)])
  const fromImage = new Set(imageEnv.map(keyOf))
  return [
    ...env.filter((entry) => !touched.has(keyOf(entry))),
    ...envRemove.filter((key) => fromImage.has(key)),
    ...envAdd,
  ]
}
