/** The filters of `kago ps`: `key=value`, all keys must agree, of one key's values any may (labels: all). */
import { KagoError } from '../../shared/errors.ts'
import type { ContainerSummary } from '../../shared/protocol/containers.ts'
import type { ContainerContext } from './context.ts'
import { networkNames } from './describe-networks.ts'
import { findContainer } from './find.ts'
import { readHealth } from './health-monitor.ts'
import { lifecycle } from './lifecycle.ts'
import type { Container } from './record.ts'

/** A container and what is told of it; the latter is made when a filter asks for it. */
export interface Listed {
  container: Container
  summary: () => ContainerSummary
}

export interface ListFilter {
  /** The keys that were given. */
  keys: ReadonlySet<string>
  matches(listed: Listed): boolean
}

type Filter = (context: ContainerContext, value: string) => (listed: Listed) => boolean

const filterTable: Readonly<Record<string, Filter>> = {
  id:
    (_context, value) =>
    ({ container }) =>
      container.id.startsWith(value),
  name: (_context, value) => byName(value),
  label: (_context, value) => byLabel(value),
  status: (_context, value) => byStatus(value),
  health:
    (_context, value) =>
    ({ container }) =>
      (readHealth(container.health)?.status ?? 'none') === value,
  exited:
    (_context, value) =>
    ({ container }) =>
      container.state === 'exited' && container.exitStatus === Number(value),
  ancestor: (_context, value) => byImage(value),
  network: byNetwork,
  volume: (_context, value) => byMount(value),
  publish: (_context, value) => byPort('publish', value, ({ hostPort }) => hostPort),
  expose: (_context, value) => byPort('expose', value, ({ containerPort }) => containerPort),
  before: (context, value) => byAge(findContainer(context, value), (created, than) => created < than),
  since: (context, value) => byAge(findContainer(context, value), (created, than) => created > than),
}

/** @throws invalid_argument naming the filters there are; not_found when `before` or `since` names no container. */
export function parseListFilters(context: ContainerContext, texts: readonly string[]): ListFilter {
  const groups = Map.groupBy(texts.map(split), ({ key }) => key)
  const tests = [...groups].map(([key, entries]) => {
    const some = entries.map(({ filter, value }) => filter(context, value))
    return (listed: Listed) =>
      key === 'label' ? some.every((test) => test(listed)) : some.some((test) => test(listed))
  })
  return {
    keys: new Set(groups.keys()),
    matches: (listed) => tests.every((test) => test(listed)),
  }
}

function split(text: string): { key: string; value: string; filter: Filter } {
  const at = text.indexOf('=')
  const key = text.slice(0, Math.max(at, 0))
  const filter = Object.hasOwn(filterTable, key) ? filterTable[key] : undefined
  if (filter === undefined) {
    throw new KagoError('invalid_argument', `no such filter: ${text}`, {
      hint: `a filter is KEY=VALUE with one of ${Object.keys(filterTable).join(', ')}`,
    })
  }
  return { key, value: text.slice(at + 1), filter }
}

/** A part of the name; `^` and `$` tie it to the beginning and the end, as scripts for Docker do. */
function byName(value: string): (listed: Listed) => boolean {
  const [, begin = '', part = '', end = ''] = /^(\^?)\/?(.*?)(\$?)$/s.exec(value) ?? []
  return ({ container: { name } }) =>
    begin !== '' && end !== ''
      ? name === part
      : begin !== ''
        ? name.startsWith(part)
        : end !== ''
          ? name.endsWith(part)
          : name.includes(part)
}

function byLabel(value: string): (listed: Listed) => boolean {
  const at = value.indexOf('=')
  return ({ container }) => {
    const { labels } = container.record.options
    return at < 0 ? Object.hasOwn(labels, value) : labels[value.slice(0, at)] === value.slice(at + 1)
  }
}

/** Scripts for Docker ask for `dead`, too: what is left when something went wrong. */
function byStatus(value: string): (listed: Listed) => boolean {
  const states = Object.keys(lifecycle)
  const meant = value === 'dead' ? 'lost' : value
  if (!states.includes(meant)) {
    throw new KagoError('invalid_argument', `no container can be ${JSON.stringify(value)}`, {
      hint: `a status is one of ${states.join(', ')}`,
    })
  }
  return ({ container }) => container.state === meant
}

function byImage(value: string): (listed: Listed) => boolean {
  return ({ container }) => {
    const { image } = container.record
    return (
      image.reference === value ||
      image.reference === `${value}:latest` ||
      image.id === value ||
      image.id.startsWith(`sha256:${value}`)
    )
  }
}

/** By the network's name, or the beginning of its id. */
function byNetwork(context: ContainerContext, value: string): (listed: Listed) => boolean {
  const isId = /^[0-9a-f]{6,64}$/.test(value)
  return ({ container: { id, record } }) =>
    record.options.network === value ||
    networkNames(context, id).includes(value) ||
    (isId && context.network.endpoints.ofContainer(id).some(({ networkId }) => networkId.startsWith(value)))
}

/** By what is mounted, or where. */
function byMount(value: string): (listed: Listed) => boolean {
  return ({ container }) =>
    container.record.options.mounts.some(({ source, target }) => source === value || target === value)
}

/** `80`, `80/udp` or `8000-8010`; tcp unless it says otherwise. */
function byPort(
  key: string,
  value: string,
  portOf: (port: ContainerSummary['ports'][number]) => number | undefined,
): (listed: Listed) => boolean {
  const [, first, last, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(\w+))?$/.exec(value) ?? []
  if (first === undefined) {
    throw new KagoError('invalid_argument', `${key}: not a port: ${JSON.stringify(value)}`, {
      hint: 'write 80, 80/udp or 8000-8010',
    })
  }
  const [low, high] = [Number(first), Number(last ?? first)]
  return ({ summary }) =>
    summary().ports.some((port) => {
      const number = portOf(port)
      return number !== undefined && number >= low && number <= high && port.protocol === protocol
    })
}

function byAge(
  { createdAt }: Container,
  compare: (created: number, than: number) => boolean,
): (listed: Listed) => boolean {
  return ({ container }) => compare(container.createdAt, createdAt)
}
