/** What a container wrote, as frames of its two streams. */
import { Readable } from 'node:stream'
import { KagoError } from '../../shared/errors.ts'
import { encodeFrame, encodeFrameHeader, frameTypes } from '../../shared/protocol/frames.ts'
import type { Routes } from '../../shared/protocol/index.ts'
import type { QueryOf } from '../../shared/protocol/route.ts'
import type { LogChunk } from '../logs/chunk.ts'
import { formatLogTime, splitLines } from '../logs/lines.ts'
import { type ReadLogOptions, readLog } from '../logs/read.ts'
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'
import { isAlive } from './lifecycle.ts'

type LogQuery = QueryOf<Routes['container.logs']>

/** Ends with the log, or with the container's end when it is followed. Without `stdout` and `stderr`: both. */
export function containerLogs(
  context: ContainerContext,
  text: string,
  query: LogQuery,
  signal: AbortSignal,
): Readable {
  const { id, record } = findContainer(context, text)
  const both = query.stdout !== true && query.stderr !== true
  const end = query.follow === true ? untilEnd(context, id, signal) : undefined
  const chunks = readLog(context.paths.log(id), {
    stdout: both || query.stdout === true,
    stderr: both || query.stderr === true,
    since: nanoseconds(query.since),
    until: nanoseconds(query.until),
    tail: query.tail,
    signal,
    ...(end !== undefined && { follow: end.signal }),
  } satisfies ReadLogOptions)
  const details = query.details === true ? `${describeLabels(record.options.labels)} ` : ''
  const isByLine = query.timestamps === true || details !== ''
  const frames = isByLine ? lineFrames(chunks, query.timestamps === true, details) : plainFrames(chunks)
  const stream = Readable.from(frames, { objectMode: false, highWaterMark: 256 * 1024 })
  return end === undefined ? stream : stream.once('close', end.release)
}

async function* plainFrames(chunks: AsyncIterable<LogChunk>): AsyncGenerator<Uint8Array> {
  for await (const { stream, data } of chunks) {
    yield encodeFrameHeader(frameTypes[stream], data.length)
    yield data
  }
}

/** A frame for each line, so that what stands before it stays with it. */
async function* lineFrames(
  chunks: AsyncIterable<LogChunk>,
  isStamped: boolean,
  details: string,
): AsyncGenerator<Uint8Array> {
  for await (const { timeNs, stream, data, isComplete } of splitLines(chunks)) {
    const time = isStamped ? `${formatLogTime(timeNs)} ` : ''
    const line = [Buffer.from(time + details), data, Buffer.from(isComplete ? '\n' : '')]
    yield encodeFrame(frameTypes[stream], Buffer.concat(line))
  }
}

/** It goes before every line, and a frame has room for so much. */
const longestDetails = 64 * 1024

/** As Docker writes details: by key, each escaped as in a URL, so that a label breaks no line. */
function describeLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map((pair) => pair.map(encodeURIComponent).join('='))
    .join(',')
    .slice(0, longestDetails)
}

/** After these it may have ended for good; `stop` is that of one that waited for its next start. */
const endings: ReadonlySet<string> = new Set(['exit', 'stop', 'start-failed', 'remove'])

/** Fires when the container has ended and its restart policy does not bring it back, or at once if it does not run. */
function untilEnd(
  { events, containers }: ContainerContext,
  id: string,
  signal: AbortSignal,
): { signal: AbortSignal; release: () => void } {
  const goesOn = () => {
    const state = containers.find(id)?.state
    return state !== undefined && (state === 'restarting' || isAlive(state))
  }
  if (!goesOn()) return { signal: AbortSignal.abort(), release: () => {} }
  const controller = new AbortController()
  const end = () => {
    release()
    controller.abort()
  }
  // Not `task.ended`: a promise keeps those who ask it for as long as the task runs.
  const unsubscribe = events.subscribe((event) => {
    if (event.type !== 'container' || event.id !== id) return
    if (endings.has(event.action) && !goesOn()) end()
  })
  const release = () => {
    unsubscribe()
    signal.removeEventListener('abort', end)
  }
  signal.addEventListener('abort', end, { once: true })
  return { signal: controller.signal, release }
}

/** @throws invalid_argument for what is no time. */
function nanoseconds(time: string | undefined): bigint | undefined {
  if (time === undefined) return undefined
  const milliseconds = Date.parse(time)
  if (Number.isNaN(milliseconds)) {
    throw new KagoError('invalid_argument', `not a time: ${JSON.stringify(time)}`, {
      hint: 'write it as RFC 3339: 2026-01-31T12:00:00Z',
    })
  }
  const fraction = /\.(\d{1,9})/.exec(time)?.[1] ?? ''
  return BigInt(Math.floor(milliseconds / 1000)) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
}
