/**
 * Passes a task's frames on to a client as they are, and holds the exit frame back until the end is recorded:
 * whoever has read the exit status finds it in `ps`, and the name free if the container removed itself.
 */
import type { Duplex } from 'node:stream'
import { once } from 'node:events'
import { frameHeaderLength, frameTypes } from '../../shared/protocol/frames.ts'

/**
 * Connects a shim's stream with a client's connection, both kago-frames. Ends when the task has ended and its last
 * frame was written, or when the client has gone; the container goes on in that case.
 */
export async function spliceFrames(
  shim: Duplex,
  client: Duplex,
  beforeExit: () => Promise<void>,
): Promise<void> {
  const gone = () => shim.destroy()
  if (client.destroyed || client.readableEnded) gone()
  client.pipe(shim)
  // Whoever closes his end has gone: otherwise nothing would tell until the task writes. Stdin ends by a close frame.
  client.once('end', gone)
  client.once('close', gone)
  // A reset connection is a client that has gone; the other side's error ends the loop below.
  client.once('error', gone)
  shim.on('error', () => {})
  try {
    await passOutput(shim, client, beforeExit)
  } finally {
    client.off('end', gone)
    client.off('close', gone)
    client.unpipe(shim)
    shim.destroy()
    client.end()
  }
}

async function passOutput(shim: Duplex, client: Duplex, beforeExit: () => Promise<void>): Promise<void> {
  const boundary = new FrameBoundary()
  try {
    for await (const chunk of shim as AsyncIterable<Buffer>) {
      const exitAt = boundary.findExit(chunk)
      if (exitAt === undefined) {
        if (!client.write(chunk) && !client.destroyed) await drained(client)
        continue
      }
      client.write(chunk.subarray(0, exitAt))
      await beforeExit()
      client.write(chunk.subarray(exitAt))
    }
  } catch (error) {
    if (!shim.destroyed) throw error
  }
}

async function drained(client: Duplex): Promise<void> {
  const stop = new AbortController()
  const closed = () => {
    stop.abort()
  }
  client.once('close', closed)
  try {
    await once(client, 'drain', { signal: stop.signal })
  } catch (error) {
    if (!client.destroyed) throw error
  } finally {
    client.off('close', closed)
  }
}

/** Follows a stream of frames chunk by chunk, copying nothing, to see where an exit frame begins. */
class FrameBoundary {
  #payloadLeft = 0
  #header = Buffer.alloc(frameHeaderLength)
  #headerFilled = 0

  /** Where in `chunk` the exit frame begins; 0 if its header began in an earlier chunk. */
  findExit(chunk: Buffer): number | undefined {
    let at = 0
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const skip = Math.min(this.#payloadLeft, chunk.length - at)
        this.#payloadLeft -= skip
        at += skip
        continue
      }
      const began = this.#headerFilled === 0 ? at : 0
      const take = Math.min(frameHeaderLength - this.#headerFilled, chunk.length - at)
      chunk.copy(this.#header, this.#headerFilled, at, at + take)
      this.#headerFilled += take
      at += take
      if (this.#headerFilled < frameHeaderLength) return undefined
      this.#headerFilled = 0
      if (this.#header[0] === frameTypes.exit) return began
      this.#payloadLeft = this.#header.readUInt32BE(4)
    }
    return undefined
  }
}
