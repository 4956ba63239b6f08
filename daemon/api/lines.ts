/** Replies as NDJSON: progress as it happens, and the result or the error as the last line. */
import { PassThrough } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { toKagoError } from '../../shared/errors.ts'
import { bodyTypes } from '../../shared/protocol/endpoints.ts'
import type { Progress, Report } from '../../shared/protocol/progress.ts'

/** Progress that a slow client has not read is left out beyond this many bytes; it is only news. */
const progressBacklog = 256 * 1024

/** A failure before the first line is an ordinary reply with its status. */
export async function replyWithLines(
  reply: FastifyReply,
  work: (report: Report) => Promise<unknown>,
): Promise<FastifyReply> {
  const stream = new PassThrough({ highWaterMark: progressBacklog })
  const write = (
    line: Progress | { type: 'result'; result: unknown } | { type: 'error'; error: unknown },
  ) => {
    stream.write(`${JSON.stringify(line)}\n`)
  }
  const firstLine = Promise.withResolvers<void>()
  const finished = work((progress) => {
    if (stream.writableLength < progressBacklog) write(progress)
    firstLine.resolve()
  })
  await Promise.race([firstLine.promise, finished])

  const close = () => {
    stream.end()
  }
  finished
    .then(
      (result) => {
        write({ type: 'result', result })
      },
      (error: unknown) => {
        write({ type: 'error', error: toKagoError(error).toBody() })
      },
    )
    .finally(close)
  return await reply.type(bodyTypes.lines).send(stream)
}
