/** One client's TCP connection: messages are answered one after the other, and who has nothing to say is let go. */
import type { Socket } from 'node:net'
import { frameMessage, MessageReader } from './stream.ts'

/** RFC 7766, 6.2.3 asks for seconds, not minutes. */
const idleMilliseconds = 10_000
const maxMessageBytes = 4096

/** While a question is open, nothing more is read: a client that asks faster than it is answered has to wait. */
export function serveConnection(
  socket: Socket,
  answer: (message: Buffer) => Promise<Buffer | undefined>,
): void {
  socket.setTimeout(idleMilliseconds, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  serve(socket, answer).catch(() => {
    // Too long a message, or a connection that broke: either way there is nobody left to tell.
    socket.destroy()
  })
}

async function serve(
  socket: Socket,
  answer: (message: Buffer) => Promise<Buffer | undefined>,
): Promise<void> {
  const reader = new MessageReader(maxMessageBytes)
  for await (const chunk of socket) {
    for (const message of reader.push(chunk)) {
      const reply = await answer(message)
      if (reply === undefined || socket.destroyed) {
        socket.destroy()
        return
      }
      if (!socket.write(frameMessage(reply))) await drained(socket)
    }
  }
  socket.end()
}

async function drained(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const done = () => {
    resolve(undefined)
  }
  socket.once('drain', done)
  socket.once('close', done)
  await promise
}
