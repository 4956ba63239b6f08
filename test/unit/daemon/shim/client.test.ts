import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { attachShim, connectShim, readExitFile, ShimConnection } from '../../../../daemon/shim/client.ts'
import {
  encodeError,
  encodeExit,
  encodeFrame,
  encodeStarted,
  FrameParser,
  frameTypes,
} from '../../../../shared/protocol/frames.ts'

const exit = { status: 0, signal: null, exitedAt: '2026-01-01T00:00:00.000Z' }

describe('a connection to a shim', () => {
  it('tells of start and exit', async () => {
    const [shim, socket] = duplexPair()
    const connection = new ShimConnection(socket)
    shim.write(Buffer.concat([encodeStarted({ pid: 7, startTime: 8 }), encodeExit(exit)]))
    expect(await connection.started).toEqual({ pid: 7, startTime: 8 })
    expect(await connection.exited).toEqual(exit)
  })

  it('fails with the error of the shim', async () => {
    const [shim, socket] = duplexPair()
    const connection = new ShimConnection(socket)
    shim.end(encodeError({ code: 'exhausted', message: 'no space', details: { stage: 'mount' } }))
    await expect(connection.started).rejects.toMatchObject({ code: 'exhausted', details: { stage: 'mount' } })
    await expect(connection.exited).rejects.toMatchObject({ code: 'exhausted' })
  })

  it('that ends without a word fails with what the shim said before it died', async () => {
    const [shim, socket] = duplexPair()
    const connection = new ShimConnection(socket, { explainDeath: async () => 'kago-shim: aargh\n' })
    shim.destroy()
    socket.destroy()
    await expect(connection.started).rejects.toMatchObject({
      code: 'unavailable',
      details: { stderr: 'kago-shim: aargh' },
    })
  })

  it.each([
    ['noise', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['output, which was not asked for', encodeFrame(frameTypes.stdout, Buffer.from('x'))],
    ['an exit that is none', encodeFrame(frameTypes.exit, Buffer.from('{}'))],
  ])('that sends %s is closed', async (_, bytes) => {
    const [shim, socket] = duplexPair()
    const connection = new ShimConnection(socket)
    shim.write(bytes)
    await expect(connection.exited).rejects.toThrow(/protocol error|type 1/)
    expect(socket.destroyed).toBe(true)
  })

  it('sends signals by their short name and sizes', async () => {
    const [shim, socket] = duplexPair()
    const connection = new ShimConnection(socket)
    await connection.signal('SIGTERM')
    await connection.resize(80, 24)
    const frames = new FrameParser().push(shim.read())
    expect(frames.map(({ type, payload }) => [type, Buffer.from(payload).toString('latin1')])).toEqual([
      [frameTypes.signal, 'TERM'],
      [frameTypes.resize, '\0P\0\x18'],
    ])
  })

  it('of a container that has ended takes signals in silence', async () => {
    const [, socket] = duplexPair()
    const connection = new ShimConnection(socket)
    connection.close()
    await connection.signal('TERM')
    await expect(connection.exited).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('a shim that is not there', () => {
  it.each(['/nowhere/shim.sock', `/nowhere/${'d'.repeat(120)}/shim.sock`])(
    'is unavailable: %s',
    async (path) => {
      await expect(connectShim(path)).rejects.toMatchObject({
        code: 'unavailable',
        message: `no shim answers on ${path}`,
      })
    },
  )

  it('is not waited for by who has gone', async () => {
    const wants = { output: true, stdin: true }
    await expect(attachShim('/nowhere/x', wants, AbortSignal.abort())).rejects.toMatchObject({
      code: 'cancelled',
    })
  })
})

describe('the exit file', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'kago-exit-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it('is read back', async () => {
    const path = join(directory, 'exit')
    writeFileSync(path, JSON.stringify({ ...exit, pid: 5 }))
    expect(await readExitFile(path)).toEqual({ ...exit, pid: 5 })
  })

  it('that is not there is no exit', async () => {
    expect(await readExitFile(join(directory, 'exit'))).toBeUndefined()
  })

  it.each(['', '{', 'null', '[]', '{"pid":1}', '{"status":0,"signal":null,"exitedAt":"x"}'])(
    'that holds %j is corrupt',
    async (text) => {
      const path = join(directory, 'exit')
      writeFileSync(path, text)
      await expect(readExitFile(path)).rejects.toMatchObject({ code: 'corrupt' })
    },
  )
})

test('a shim that ends before it has read what a client sent ends the stream, not the daemon', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'kago-reset-'))
  const path = join(directory, 'shim.sock')
  // Closing with bytes unread is what the kernel tells the other side as a reset.
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    setTimeout(() => socket.destroy(), 20)
  })
  server.listen(path)
  await once(server, 'listening')
  const stream = await attachShim(path, { output: true, stdin: true })
  // Nobody listens to its errors yet: as while the size of the terminal is set.
  await new Promise((resolve) => stream.once('close', resolve))
  expect(stream.destroyed).toBe(true)
  server.close()
  rmSync(directory, { recursive: true })
})
