/** Notices that a client has gone before anything was sent to it: its end of the connection is read, and kept. */
import type { Duplex } from 'node:stream'
import { KagoError } from '../../shared/errors.ts'

export interface HangupWatch {
  /** Aborted when the client has closed its end or the connection broke. */
  readonly signal: AbortSignal
  /** From then on somebody else reads the connection; what came meanwhile is still in it. */
  stop(): void
}

export function watchHangup(client: Duplex): HangupWatch {
  const controller = new AbortController()
  const gone = () => {
    controller.abort(new KagoError('cancelled', 'the client went away'))
  }
  // Reading nothing makes the stream notice the end; bytes stay in its buffer for who comes after.
  const look = () => {
    if (client.readableLength === 0) client.read(0)
  }
  client.on('readable', look)
  client.once('end', gone)
  client.once('close', gone)
  return {
    signal: controller.signal,
    stop() {
      client.off('readable', look)
      client.off('end', gone)
      client.off('close', gone)
    },
  }
}
