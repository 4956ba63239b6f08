/** The logs of several containers as one: lines in the order of their times, each with its container's name before it. */
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { Routes } from '../../shared/protocol/index.ts'
import type { QueryOf } from '../../shared/protocol/route.ts'
import { toKagoError } from '../../shared/errors.ts'
import { FrameParser, frameTypes, parseError } from '../../shared/protocol/frames.ts'
import { callBytes, type Client } from '../client/client.ts'
import { describeError, exitCodeOf } from '../exit.ts'
import { mergeInOrder } from '../format/merge.ts'
import { inColour, usesColour } from '../terminal/colour.ts'
import { escapeLine } from '../terminal/escape.ts'
import { type OutputName, printError, write } from '../terminal/output.ts'

interface Line {
  /** RFC 3339 with nanoseconds in UTC: these compare as text. */
  time: string
  stream: OutputName
  text: Uint8Array
}

/** How long a container that is followed may keep the others waiting for an older line. */
const patienceMilliseconds = 100

/** @returns the exit code: that of the first failure, or 0. What can be read is read all the same. */
export async function printMerged(
  client: Client,
  names: readonly string[],
  query: QueryOf<Routes['container.logs']>,
): Promise<number> {
  let exit = 0
  const sources = names.map((name) =>
    untilFailure(readLines(client, name, query), async (error) => {
      await printError(describeError(error))
      if (exit === 0) exit = exitCodeOf(toKagoError(error))
    }),
  )
  const prefixes = prefixesOf(names)
  const patience = query.follow === true ? patienceMilliseconds : undefined
  const compare = (a: Line, b: Line) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)
  for await (const { item, index } of mergeInOrder(sources, compare, patience)) {
    const time = query.timestamps === true ? `${item.time} ` : ''
    const end = item.text.at(-1) === newline ? '' : '\n'
    await write(
      item.stream,
      Buffer.concat([Buffer.from(`${prefixes[index]}${time}`), item.text, Buffer.from(end)]),
    )
  }
  return exit
}

const newline = 10
const space = 32

/** Times are asked for in any case: the order is theirs. Read no faster than they are taken. */
function readLines(
  client: Client,
  id: string,
  query: QueryOf<Routes['container.logs']>,
): AsyncIterable<Line> {
  const lines = new PassThrough({ objectMode: true, highWaterMark: 64 })
  const request = { params: { id }, query: { ...query, timestamps: true } }
  callBytes(client, 'container.logs', request, async (body) => {
    const parser = new FrameParser()
    for await (const chunk of body) {
      for (const frame of parser.push(chunk)) {
        const line = toLine(frame)
        if (line !== undefined && !lines.write(line)) await once(lines, 'drain')
      }
    }
  }).then(
    () => lines.end(),
    (error: unknown) => lines.destroy(toKagoError(error)),
  )
  return lines
}

function toLine({ type, payload }: { type: number; payload: Uint8Array }): Line | undefined {
  if (type === frameTypes.error) throw parseError(payload)
  const stream = type === frameTypes.stdout ? 'stdout' : type === frameTypes.stderr ? 'stderr' : undefined
  const at = payload.indexOf(space)
  const time = Buffer.from(payload.subarray(0, at)).toString()
  return stream && { time, stream, text: payload.slice(at + 1) }
}

async function* untilFailure<T>(
  items: AsyncIterable<T>,
  failed: (error: unknown) => Promise<void>,
): AsyncGenerator<T> {
  try {
    yield* items
  } catch (error) {
    await failed(error)
  }
}

/** `web  | `, all of one width. */
function prefixesOf(names: readonly string[]): string[] {
  const shown = names.map(escapeLine)
  const width = Math.max(...shown.map(({ length }) => length))
  const hasColour = usesColour()
  return shown.map((name, index) => {
    const prefix = `${name.padEnd(width)} | `
    return hasColour ? inColour(prefix, index) : prefix
  })
}
