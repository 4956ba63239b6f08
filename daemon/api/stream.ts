/** Replies as NDJSON without end: one object a line as they come, and a result or an error as the last line. */
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { toKagoError } from '../../shared/errors.ts'
import { bodyTypes } from '../../shared/protocol/endpoints.ts'

/** The head of the reply goes out at once; a failure before the first object is an ordinary reply with its status. */
export async function replyWithStream(
  reply: FastifyReply,
  objects: AsyncIterator<object>,
  signal: AbortSignal,
): Promise<FastifyReply> {
  const first = objects.next()
  // What is wrong with the request shows in the first turn; what comes later than that is news.
  await Promise.race([first, new Promise((resolve) => setImmediate(resolve))])
  async function* lines(): AsyncGenerator<string, void> {
    reply.raw.flushHeaders()
    try {
      for (let next = await first; next.done !== true; next = await objects.next()) {
        yield `${JSON.stringify(next.value)}\n`
      }
      yield `${JSON.stringify({ type: 'result', result: {} })}\n`
    } catch (error) {
      if (!signal.aborted) yield `${JSON.stringify({ type: 'error', error: toKagoError(error).toBody() })}\n`
    } finally {
      await objects.return?.()
    }
  }
  return await reply.type(bodyTypes.lines).send(Readable.from(lines(), { objectMode: false }))
}
