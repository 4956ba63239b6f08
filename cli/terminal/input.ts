/** Sends what is typed, or piped in, as stdin frames: as fast as it is taken, watching for the detach keys. */
import type { Readable } from 'node:stream'
import { encodeFrame, frameTypes } from '../../shared/protocol/frames.ts'
import { DetachKeys } from './detach-keys.ts'

export interface InputSink {
  send(frame: Uint8Array): boolean
  onDrain(callback: () => void): void
  readonly detachKeys: Uint8Array
  onDetach(): void
  /** No more will come; output goes on. */
  onEnd(): void
}

const maxFrame = 1024 * 1024

/** Begins to read. Answers with what ends it. */
export function sendInput(source: Readable, sink: InputSink): () => void {
  const keys = new DetachKeys(sink.detachKeys)
  let isOver = false

  const read = (chunk: Uint8Array) => {
    const { pass, isDetached } = keys.take(chunk)
    const wantsMore = sendAll(pass)
    if (isDetached) {
      stop()
      sink.onDetach()
    } else if (!wantsMore) {
      source.pause()
      sink.onDrain(() => {
        if (!isOver) source.resume()
      })
    }
  }
  const end = () => {
    if (isOver) return
    sendAll(keys.rest())
    stop()
    sink.onEnd()
  }
  function sendAll(bytes: Uint8Array): boolean {
    let wantsMore = true
    for (let at = 0; at < bytes.length; at += maxFrame) {
      wantsMore = sink.send(encodeFrame(frameTypes.stdin, bytes.subarray(at, at + maxFrame)))
    }
    return wantsMore
  }
  function stop(): void {
    if (isOver) return
    isOver = true
    source.off('data', read)
    source.off('end', end)
    source.pause()
  }

  source.on('data', read)
  source.on('end', end)
  // A stdin that cannot be read (closed, or the terminal has gone) has ended.
  source.on('error', end)
  return stop
}
