/** Questions that are passed on: the servers in their order, the next one as soon as one fails or keeps silent. */
import { ask, type Transport, type Upstream } from './ask.ts'
import { type Query, rcodeOf, rcodes } from './message.ts'

export interface Forwarder {
  /** The first good reply; else one that tells of a failure; undefined when nobody answers in time or there is no room. */
  forward(forwarded: Forwarded): Promise<Buffer | undefined>
  /** Ends whatever is still being asked. */
  close(): void
}

export interface Forwarded {
  query: Query
  bytes: Buffer
  transport: Transport
  servers: readonly Upstream[]
  /** Whose question it is: each asker has a share of the room. */
  asker: string
}

export interface ForwarderOptions {
  /** How long a server may keep silent before the next one is asked too; it may still answer. */
  patienceMilliseconds?: number
  /** Clients wait for five seconds by default; they are told before that. */
  totalMilliseconds?: number
  maxPending?: number
  maxPendingPerAsker?: number
}

/** How often every server is asked. */
const rounds = 2
/** How long a server that kept silent is asked last. */
const penaltyMilliseconds = 30_000

export function createForwarder({
  patienceMilliseconds = 1000,
  totalMilliseconds = 4500,
  maxPending = 512,
  maxPendingPerAsker = 128,
}: ForwarderOptions = {}): Forwarder {
  const end = new AbortController()
  const pending = new Map<string, number>()
  const silent = new Map<string, number>()
  let total = 0

  return {
    async forward(forwarded) {
      const { asker } = forwarded
      const own = pending.get(asker) ?? 0
      if (total >= maxPending || own >= maxPendingPerAsker || end.signal.aborted) return undefined
      total++
      pending.set(asker, own + 1)
      const controller = new AbortController()
      const stop = () => {
        controller.abort(new Error('nobody waits for this answer any more'))
      }
      const timer = setTimeout(stop, totalMilliseconds)
      end.signal.addEventListener('abort', stop, { once: true })
      try {
        return await askInTurn(forwarded, controller.signal)
      } finally {
        clearTimeout(timer)
        end.signal.removeEventListener('abort', stop)
        stop()
        total--
        const left = (pending.get(asker) ?? 1) - 1
        if (left === 0) pending.delete(asker)
        else pending.set(asker, left)
      }
    },
    close() {
      end.abort()
    },
  }

  async function askInTurn(forwarded: Forwarded, signal: AbortSignal): Promise<Buffer | undefined> {
    const { query, bytes, transport, servers } = forwarded
    const order = inOrder(servers)
    const turns = Array.from({ length: rounds }, () => order).flat()
    let failure: Buffer | undefined
    const { promise: answer, resolve } = Promise.withResolvers<Buffer | undefined>()
    const exchanges: Promise<void>[] = []
    for (const server of turns) {
      const name = nameOf(server)
      let isOver = false
      const exchange = ask(query, bytes, transport, server, signal)
        .then((reply) => {
          silent.delete(name)
          const rcode = rcodeOf(reply)
          if (rcode === rcodes.serverFailure || rcode === rcodes.refused || rcode === rcodes.notImplemented)
            failure ??= reply
          else resolve(reply)
        })
        .catch(() => {
          // Which server could not be reached does not matter as long as another can; the asker is told in the end.
        })
        .finally(() => {
          isOver = true
        })
      exchanges.push(exchange)
      const given = await firstOf(answer, exchange, patienceMilliseconds)
      if (given !== undefined) return given
      if (!isOver) punish(name)
      if (signal.aborted) return failure
    }
    void Promise.all(exchanges).then(() => {
      resolve(failure)
    })
    return await answer
  }

  function inOrder(servers: readonly Upstream[]): Upstream[] {
    const now = Date.now()
    const isSilent = (server: Upstream) => (silent.get(nameOf(server)) ?? 0) > now
    return [...servers.filter((one) => !isSilent(one)), ...servers.filter(isSilent)]
  }

  function punish(name: string): void {
    if (silent.size > 100) silent.clear()
    silent.set(name, Date.now() + penaltyMilliseconds)
  }
}

/** The answer, or undefined when the exchange is over without one or has been silent for too long. */
async function firstOf(
  answer: Promise<Buffer | undefined>,
  exchange: Promise<void>,
  milliseconds: number,
): Promise<Buffer | undefined> {
  const { promise: patience, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => {
    resolve(undefined)
  }, milliseconds)
  try {
    // The answer comes before the end of the exchange that brought it.
    return await Promise.race([answer, exchange.then(() => undefined), patience])
  } finally {
    clearTimeout(timer)
  }
}

function nameOf({ address, port }: Upstream): string {
  return `${address} ${port}`
}
