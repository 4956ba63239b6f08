/** Published ports as the command line writes them, as the protocol has them. Pure. */
import { KagoError } from '../../shared/errors.ts'
import type { PublishedPort } from '../../shared/protocol/containers.ts'

/**
 * `[ADDRESS:][HOST[-END]:]PORT[-END][/PROTOCOL]`, an IPv6 address in brackets, an empty HOST for any free one; or
 * `published=8080,target=80,protocol=tcp`. Two ranges of the same length are as many ports; a range for one port means
 * the first that is free.
 * @throws invalid_argument naming the option.
 */
export function parsePublish(text: string, option = '--publish'): PublishedPort[] {
  const fail = (why: string) =>
    new KagoError('invalid_argument', `${option}: ${JSON.stringify(text)} ${why}`, {
      hint: 'write -p 8080:80, -p 127.0.0.1:8080:80, -p [::1]:8080:80, -p 53:53/udp, -p 8000-8010:8000-8010 or -p 80',
    })
  const { place, container, protocol } = split(text, fail)
  const inside = readRange(container, fail)
  if (inside === undefined) throw fail('names no port of the container')
  const outside = readRange(place.ports, fail)
  const count = inside.last - inside.first + 1
  const hostCount = outside === undefined ? 0 : outside.last - outside.first + 1
  const common = { protocol, ...(place.address !== '' && { hostAddress: place.address }) }
  if (outside !== undefined && count === 1 && hostCount > 1) {
    return [{ ...common, hostPort: outside.first, hostPortEnd: outside.last, containerPort: inside.first }]
  }
  if (outside !== undefined && count !== hostCount) throw fail('has ranges of different lengths')
  return Array.from({ length: count }, (_, index) => ({
    ...common,
    ...(outside !== undefined && { hostPort: outside.first + index }),
    containerPort: inside.first + index,
  }))
}

/** What is to be published no more: `8080`, `127.0.0.1:8080`, `8080:80`, each with `/udp` if it is. */
export function parseUnpublish(text: string): PublishedPort {
  const parsed = /^(?:(\[[0-9a-f:.]+\]|\d+\.\d+\.\d+\.\d+):)?(\d{1,5})(?::(\d{1,5}))?(?:\/(\w+))?$/i.exec(
    text,
  )
  const protocol = readProtocol(parsed?.[4] ?? 'tcp')
  if (parsed === null || protocol === undefined) {
    throw new KagoError('invalid_argument', `--publish-rm: not a port of the host: ${JSON.stringify(text)}`, {
      hint: 'write --publish-rm 8080, 127.0.0.1:8080, 8080:80 or 53/udp',
    })
  }
  const [, address, host, container] = parsed
  return {
    protocol,
    hostPort: Number(host),
    containerPort: Number(container ?? 0),
    ...(address !== undefined && { hostAddress: address.replace(/[[\]]/g, '') }),
  }
}

/** `80`, `80/tcp`, `8000-8010/udp` of `--expose`. */
export function parseExpose(text: string): string[] {
  const fail = (why: string) =>
    new KagoError('invalid_argument', `--expose: ${JSON.stringify(text)} ${why}`, {
      hint: 'write --expose 80, 53/udp or 8000-8010',
    })
  const [numbers = '', name = 'tcp'] = text.split('/')
  const protocol = readProtocol(name)
  const range = readRange(numbers, fail)
  if (range === undefined || protocol === undefined) throw fail('is no port')
  return Array.from(
    { length: range.last - range.first + 1 },
    (_, index) => `${range.first + index}/${protocol}`,
  )
}

type Fail = (why: string) => KagoError

interface Parts {
  place: { address: string; ports: string }
  container: string
  protocol: PublishedPort['protocol']
}

function split(text: string, fail: Fail): Parts {
  if (text.includes('=')) return splitLong(text, fail)
  const slash = text.lastIndexOf('/')
  const protocol = readProtocol(slash < 0 ? 'tcp' : text.slice(slash + 1))
  if (protocol === undefined) throw fail('has a protocol that is not tcp, udp or sctp')
  const fields = (slash < 0 ? text : text.slice(0, slash)).split(':')
  const container = fields.pop() ?? ''
  const ports = fields.pop() ?? ''
  const written = fields.join(':')
  const address = /^\[(.*)\]$/.exec(written)?.[1] ?? written
  if (address.includes(']') || address.includes('[')) throw fail('has an address that is none')
  return { place: { address, ports }, container, protocol }
}

function bare(text: string): string {
  return text.replace(/^\[|\]$/g, '')
}

function splitLong(text: string, fail: Fail): Parts {
  const fields = new Map(
    text.split(',').map((field) => {
      const at = field.indexOf('=')
      return [field.slice(0, Math.max(at, 0)), field.slice(at + 1)] as const
    }),
  )
  const unknown = [...fields.keys()].find((key) => !['published', 'target', 'protocol', 'mode'].includes(key))
  if (unknown !== undefined) throw fail(`has a key that is none: ${JSON.stringify(unknown)}`)
  const protocol = readProtocol(fields.get('protocol') ?? 'tcp')
  if (protocol === undefined) throw fail('has a protocol that is not tcp, udp or sctp')
  const published = fields.get('published') ?? ''
  const at = published.lastIndexOf(':')
  const place = { address: bare(published.slice(0, Math.max(at, 0))), ports: published.slice(at + 1) }
  return { place, container: fields.get('target') ?? '', protocol }
}

function readProtocol(name: string): PublishedPort['protocol'] | undefined {
  return (['tcp', 'udp', 'sctp'] as const).find((known) => known === name.toLowerCase())
}

function readRange(text: string, fail: Fail): { first: number; last: number } | undefined {
  if (text === '') return undefined
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (match === null || first < 1 || last > 65535 || first > last) {
    // Docker takes 0 for any free port.
    if (text === '0') return undefined
    throw fail(`has ${JSON.stringify(text)}, which is no port or range of ports`)
  }
  return { first, last }
}
