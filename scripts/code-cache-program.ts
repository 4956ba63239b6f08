/** Plays the usual commands of DIRECTORY/cli.cjs in this process, and writes the bytecode of all they called beside it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { encodeFrame, frameTypes } from '../shared/protocol/frames.ts'

const plays = [
  ['version'],
  ['run', '--rm', 'busybox', 'true'],
  ['run', '-d', '--name', 'web', 'busybox', 'true'],
  ['exec', 'web', 'true'],
  ['ps'],
  ['stop', '-t', '0', 'web'],
  ['rm', 'web'],
]

type Program = (
  exports: object,
  require: NodeJS.Require,
  module: object,
  filename: string,
  directory: string,
) => void

const [directory = ''] = process.argv.slice(2)
const filename = join(directory, 'cli.cjs')
const text = readFileSync(filename, 'latin1')
const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
  filename,
})
const server = createServer((socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', (head) => {
    const [line = ''] = head.toString('latin1').split('\r\n')
    socket.end(head.includes('kago-frames') ? frames() : reply(line))
  })
})
await new Promise<void>((resolve) => server.listen(join(directory, 'kagod.sock'), resolve))
for (const words of plays) await play(words)
server.close()
writeFileSync(join(directory, 'cli.bytecode'), script.createCachedData())

/** A program that ends itself does so by process.exit. */
async function play(words: readonly string[]): Promise<void> {
  const { argv, exit } = process
  const over = Promise.withResolvers<void>()
  process.argv = [process.execPath, filename, ...words]
  process.exit = (() => over.resolve()) as unknown as typeof process.exit
  const program = script.runInThisContext() as Program
  program({}, createRequire(filename), { exports: {} }, filename, directory)
  await over.promise
  Object.assign(process, { argv, exit })
}

function frames(): Buffer {
  const json = (type: 6 | 8 | 10, value: object) => encodeFrame(type, Buffer.from(JSON.stringify(value)))
  return Buffer.concat([
    Buffer.from('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: kago-frames\r\n\r\n'),
    json(frameTypes.event, { type: 'created', id: '0'.repeat(64), name: 'web', operation: '0' }),
    encodeFrame(frameTypes.stdout, Buffer.from('hello\n')),
    json(frameTypes.exit, { status: 0, signal: null, exitedAt: new Date(0).toISOString() }),
  ])
}

function reply(line: string): string {
  const isList = line.startsWith('GET /v1/containers?') || line.startsWith('GET /v1/containers ')
  const isCreate = line.startsWith('POST /v1/containers?')
  const body = isList ? '[]' : isCreate ? '{"type":"result","result":{"id":"0","name":"web"}}\n' : '{}'
  const type = isCreate ? 'application/x-ndjson' : 'application/json'
  return `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
}
