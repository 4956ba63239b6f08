/** What happens to containers and images, told to whoever listens inside the daemon. */
import { EventEmitter } from 'node:events'

export type KagoEvent =
  | { type: 'container'; action: 'exit'; id: string; status: number | null }
  | {
      type: 'container'
      action:
        | 'create'
        | 'start'
        | 'start-failed'
        | 'stop'
        | 'remove'
        | 'rename'
        | 'pause'
        | 'unpause'
        | 'update'
      id: string
    }
  | { type: 'image'; action: 'pull' | 'load' | 'tag' | 'untag' | 'remove'; name: string }

export interface EventBus {
  publish(event: KagoEvent): void
  /** Calls `listener` for each event until the returned function is called. It must not throw. */
  subscribe(listener: (event: KagoEvent) => void): () => void
}

export function createEventBus(): EventBus {
  const emitter = new EventEmitter()
  emitter.setMaxListeners(0)
  return {
    publish: (event) => void emitter.emit('event', event),
    subscribe(listener) {
      emitter.on('event', listener)
      return () => void emitter.off('event', listener)
    },
  }
}
