/** What is answered to one message of one client. */
import type { Answer } from 'dns-packet'
import type { Log } from '../../telemetry/log.ts'
import { type Address, isOnlyForHost } from './addresses.ts'
import type { Transport, Upstream } from './ask.ts'
import type { Forwarder } from './forward.ts'
import {
  encodeCut,
  encodeReply,
  internetClass,
  type Query,
  rcodes,
  readQuery,
  type Reply,
} from './message.ts'
import type { Names, View } from './names.ts'
import type { HostResolvers } from './resolvers.ts'
import { answerFromZone, type ZoneAnswer } from './zone.ts'

export interface Responder {
  names: Names
  resolvers: HostResolvers
  forwarder: Forwarder
  log: Log
  /** Of the servers that questions are passed on to; 53 but in tests. */
  upstreamPort: number
  /** Whether it is the name server itself, which must not ask itself. */
  isOwn: (server: Upstream) => boolean
  nextTurn: () => number
}

export interface Client {
  networkId: string
  source: Address
  transport: Transport
}

/** What was true a moment ago may be false now: nobody is to keep an answer. */
const timeToLive = 0

/** Undefined if nothing is to be answered. Local names are answered in the same turn of the loop. */
export function respond(
  responder: Responder,
  client: Client,
  bytes: Buffer,
): Buffer | Promise<Buffer | undefined> | undefined {
  const view = responder.names.view(client.networkId, client.source)
  if (view === undefined) return undefined
  const read = readQuery(bytes)
  if (read === undefined || 'reply' in read) return read?.reply
  const { query } = read
  const answer = answerHere(responder, view, query)
  if (answer.kind === 'elsewhere') return passOn(responder, client, view, query, bytes)
  return encodeReply(query, replyOf(query, answer), maxBytesOf(client, query))
}

function answerHere(responder: Responder, view: View, query: Query): ZoneAnswer {
  if (query.class !== internetClass || query.name === undefined)
    return { kind: view.isForwarding ? 'elsewhere' : 'unknown' }
  return answerFromZone(view, query.name, query.type, responder.nextTurn())
}

function replyOf(query: Query, answer: Exclude<ZoneAnswer, { kind: 'elsewhere' }>): Reply {
  const common = { name: query.writtenName, ttl: timeToLive, class: 'IN' } as const
  const isAuthoritative = true
  switch (answer.kind) {
    case 'addresses': {
      const answers = answer.addresses.map(
        ({ family, text }): Answer => ({ ...common, type: family === 4 ? 'A' : 'AAAA', data: text }),
      )
      return { rcode: rcodes.ok, answers, isAuthoritative }
    }
    case 'name':
      return { rcode: rcodes.ok, answers: [{ ...common, type: 'PTR', data: answer.name }], isAuthoritative }
    case 'nothing':
      return { rcode: rcodes.ok, isAuthoritative }
    case 'unknown':
      return { rcode: rcodes.noSuchName, isAuthoritative }
  }
}

async function passOn(
  responder: Responder,
  client: Client,
  view: View,
  query: Query,
  bytes: Buffer,
): Promise<Buffer | undefined> {
  const maxBytes = maxBytesOf(client, query)
  const servers = upstreamsOf(responder, view)
  // Only recursion is on offer, and a zone is nothing to pass on: RFC 5936 is between servers.
  const isTransfer = query.type === 251 || query.type === 252
  if (isTransfer) return encodeReply(query, { rcode: rcodes.refused }, maxBytes)
  const reply =
    servers.length === 0
      ? undefined
      : await responder.forwarder.forward({
          query,
          bytes,
          transport: client.transport,
          servers,
          asker: client.source.text,
        })
  if (reply === undefined) return encodeReply(query, { rcode: rcodes.serverFailure }, maxBytes)
  return client.transport === 'tcp' || reply.length <= maxBytes ? reply : encodeCut(query)
}

function upstreamsOf({ resolvers, upstreamPort, isOwn }: Responder, view: View): Upstream[] {
  const addresses = view.nameServers ?? resolvers.read().nameServers
  return addresses
    .filter((address) => view.nameServers === undefined || !isOnlyForHost(address))
    .map((address) => ({ address, port: upstreamPort }))
    .filter((server) => !isOwn(server))
}

function maxBytesOf({ transport }: Client, query: Query): number {
  return transport === 'tcp' ? 0xffff : query.udpBytes
}
