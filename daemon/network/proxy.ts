/** Passes a TCP connection on to a container, both ways, each half to its own end. */
import { connect, type Socket } from 'node:net'
import type { Target } from './ports.ts'

/** Takes the connection over; what it returns cuts it. */
export function passConnection(client: Socket, target: Target | undefined): () => void {
  const destroy = () => client.destroy()
  client.on('error', destroy)
  if (target === undefined) {
    client.resetAndDestroy()
    return destroy
  }
  const container = connect({ host: target.address, port: target.port, allowHalfOpen: true, noDelay: true })
  const both = () => {
    client.destroy()
    container.destroy()
  }
  // Nobody there: the client is told what it would have been told by the container.
  container.once('error', () => {
    client.resetAndDestroy()
    container.destroy()
  })
  container.once('connect', () => {
    client.pipe(container)
    container.pipe(client)
  })
  client.once('error', both)
  client.once('close', both)
  container.once('close', both)
  return both
}
