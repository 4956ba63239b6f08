import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import {
  encodeError,
  encodeExit,
  encodeFrame,
  encodeJsonFrame,
  frameTypes,
} from '../../../../shared/protocol/frames.ts'
import { runCli } from '../../../harness/cli.ts'
import {
  type FakeConnection,
  type FakeDaemon,
  type FakeHandlers,
  startFakeDaemon,
} from '../../../harness/fake-daemon.ts'

let daemon: FakeDaemon | undefined
afterEach(async () => {
  await daemon?.close()
  daemon = undefined
})

async function fake(handlers: FakeHandlers): Promise<FakeDaemon> {
  daemon = await startFakeDaemon(handlers)
  return daemon
}

const exit = (status: number) => encodeExit({ status, signal: null, exitedAt: '2026-01-01T00:00:00.000Z' })
const stdout = (bytes: string | Uint8Array) => encodeFrame(frameTypes.stdout, Buffer.from(bytes))
const stderr = (text: string) => encodeFrame(frameTypes.stderr, Buffer.from(text))
const created = encodeJsonFrame(frameTypes.event, { type: 'created', id: 'c'.repeat(64), name: 'web' })
const is = (type: number) => (frame: { type: number }) => frame.type === type

/** A daemon whose `run` behaves as told. */
const running = (frames: (connection: FakeConnection) => void | Promise<void>) =>
  fake({ 'container.run': () => ({ frames }) })

async function sendAll(connection: FakeConnection, frame: Uint8Array): Promise<void> {
  if (!connection.send(frame)) await once(connection.socket, 'drain')
}

test('a run is one request, and its exit code the container’s', async () => {
  const { host, requests } = await running((connection) => {
    connection.send(created)
    connection.send(stdout('out\n'))
    connection.send(stderr('err\n'))
    connection.send(exit(37))
    connection.end()
  })
  const result = await runCli(['run', '--rm', 'alpine', 'ls', '-la'], { host })
  expect(result).toMatchObject({ status: 37, stdout: 'out\n', stderr: 'err\n' })
  expect(requests).toHaveLength(1)
  expect(requests[0]?.body).toEqual({
    create: { image: 'alpine', command: ['ls', '-la'], autoRemove: true },
    attach: { stdin: false, output: true },
  })
})

test('stdin is sent, and its end closes only that direction', async () => {
  const { host } = await running(async (connection) => {
    connection.send(created)
    await connection.next(is(frameTypes.close))
    const input = connection.received.filter(is(frameTypes.stdin)).map(({ payload }) => Buffer.from(payload))
    connection.send(stdout(Buffer.concat(input)))
    connection.send(exit(0))
    connection.end()
  })
  const input = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
  const { stdoutBytes, status } = await runCli(['run', '-i', 'alpine', 'cat'], { host, input })
  expect(status).toBe(0)
  expect(stdoutBytes.equals(input)).toBe(true)
})

test('without -i nothing of stdin is read or sent', async () => {
  let received = -1
  const { host } = await running((connection) => {
    connection.send(created)
    connection.send(exit(0))
    received = connection.received.length
    connection.end()
  })
  expect((await runCli(['run', 'alpine'], { host, input: 'x' })).status).toBe(0)
  expect(received).toBe(0)
})

test('40 MB of output come through byte for byte, the last of it just before the exit', async () => {
  const chunk = Buffer.from(Array.from({ length: 65_536 }, (_, index) => (index * 7) % 256))
  const hash = createHash('sha256')
  const { host } = await running(async (connection) => {
    connection.send(created)
    for (let index = 0; index < 640; index++) {
      hash.update(chunk)
      await sendAll(connection, stdout(chunk))
    }
    hash.update('last line')
    connection.send(stdout('last line'))
    connection.send(exit(3))
    connection.end()
  })
  const { stdoutBytes, status } = await runCli(['run', 'alpine'], { host })
  expect(status).toBe(3)
  expect(createHash('sha256').update(stdoutBytes).digest('hex')).toBe(hash.digest('hex'))
})

test('a reader of stdout that goes away ends kago without a word', async () => {
  const { host } = await running(async (connection) => {
    connection.send(created)
    while (!connection.socket.destroyed) {
      connection.send(stdout('y\n'.repeat(30_000)))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  })
  const result = await runCli(['run', 'alpine', 'yes'], {
    host,
    meanwhile: async (child) => {
      await once(child.stdout, 'data')
      child.stdout.destroy()
    },
  })
  expect(result).toMatchObject({ status: 141, stderr: '' })
})

test('kago’s own failure is 125, unless the daemon names 126 or 127', async () => {
  const failing = (details?: Record<string, unknown>) =>
    encodeError({ code: 'not_found', message: 'no such thing', hint: 'look', ...(details && { details }) })
  const handlers = [{ exitCode: 127 }, { exitCode: 126 }, undefined, { exitCode: 'x' }, { exitCode: 0 }]
  const codes: (number | null)[] = []
  for (const details of handlers) {
    const { host, close } = await running((connection) => {
      connection.socket.end(failing(details))
    })
    const { status, stderr: told } = await runCli(['run', 'alpine'], { host })
    expect(told).toBe('kago: no such thing\n  look\n')
    codes.push(status)
    await close()
  }
  daemon = undefined
  expect(codes).toEqual([127, 126, 125, 125, 125])
})

test('a refusal before the upgrade is told and gives 125', async () => {
  const error = { code: 'invalid_argument', message: 'not a name: \u001b[31m' }
  const { host } = await fake({ 'container.run': () => ({ status: 400, json: { error } }) })
  expect(await runCli(['run', 'x'], { host })).toMatchObject({
    status: 125,
    stderr: 'kago: not a name: \\x1b[31m\n',
  })
})

test('a daemon that vanishes is told, and that the container may still run', async () => {
  const { host } = await running((connection) => {
    connection.send(created)
    connection.send(stdout('some'))
    connection.socket.once('drain', () => {})
    setTimeout(() => connection.socket.destroy(), 50)
  })
  const { status, stdout: out, stderr: told } = await runCli(['run', 'alpine'], { host })
  expect({ status, out }).toEqual({ status: 125, out: 'some' })
  expect(told).toMatch(/the connection to kagod was lost|kagod closed the connection/)
})

test('a daemon that breaks the protocol ends the session', async () => {
  const { host } = await running((connection) => {
    connection.send(Uint8Array.of(99, 0, 0, 0, 0, 0, 0, 0))
  })
  expect(await runCli(['run', 'alpine'], { host })).toMatchObject({ status: 125 })
})

test('signals go on to the container and its end is the end', async () => {
  const { host } = await running(async (connection) => {
    connection.send(created)
    connection.send(stdout('up\n'))
    const { payload } = await connection.next(is(frameTypes.signal))
    connection.send(stdout(Buffer.from(payload)))
    connection.send(exit(143))
    connection.end()
  })
  const result = await runCli(['run', 'alpine'], {
    host,
    meanwhile: async (child) => {
      await once(child.stdout, 'data')
      child.kill('SIGTERM')
    },
  })
  expect(result).toMatchObject({ status: 143, stdout: 'up\nTERM' })
})

test('after a second interrupt a way out is told, the third takes it', async () => {
  let signals = 0
  const { host } = await running(async (connection) => {
    connection.send(created)
    connection.send(stdout('up\n'))
    await connection.closed
    signals = connection.received.filter(is(frameTypes.signal)).length
  })
  const result = await runCli(['run', '--name', 'web', 'alpine'], {
    host,
    meanwhile: async (child) => {
      await once(child.stdout, 'data')
      child.kill('SIGINT')
      await new Promise((resolve) => setTimeout(resolve, 100))
      child.kill('SIGINT')
      await once(child.stderr, 'data')
      child.kill('SIGINT')
    },
  })
  expect(result).toMatchObject({ status: 130 })
  expect(result.stderr).toContain('once more leaves it running, or: kago kill web')
  expect(signals).toBe(2)
})

test('before there is a container, an interrupt ends kago at once', async () => {
  let left = false
  const { host } = await running(async (connection) => {
    connection.send(encodeJsonFrame(frameTypes.event, { type: 'notice', message: 'pulling' }))
    await connection.closed
    left = true
  })
  const result = await runCli(['run', 'alpine'], {
    host,
    meanwhile: async (child) => {
      await once(child.stderr, 'data')
      child.kill('SIGINT')
    },
  })
  expect(result).toMatchObject({ status: 130, stderr: 'pulling\n' })
  await expect.poll(() => left).toBe(true)
})

test('with --sig-proxy=false a signal is kago’s own', async () => {
  const { host } = await running((connection) => {
    connection.send(created)
    connection.send(stdout('up\n'))
  })
  const result = await runCli(['run', '--sig-proxy=false', 'alpine'], {
    host,
    meanwhile: async (child) => {
      await once(child.stdout, 'data')
      child.kill('SIGTERM')
    },
  })
  expect(result.status).toBe(143)
})

test('a terminal for the container needs one here', async () => {
  const { host, requests } = await running(() => {})
  const result = await runCli(['run', '-it', 'alpine'], { host, input: '' })
  expect(result).toMatchObject({ status: 125 })
  expect(result.stderr).toContain('the input device is not a TTY')
  expect(requests).toHaveLength(0)
})

test('--attach shows only the streams that were named', async () => {
  const { host } = await running((connection) => {
    connection.send(created)
    connection.send(stdout('out'))
    connection.send(stderr('err'))
    connection.send(exit(0))
    connection.end()
  })
  expect(await runCli(['run', '-a', 'stderr', 'alpine'], { host })).toMatchObject({
    stdout: '',
    stderr: 'err',
  })
  expect((await runCli(['run', '-a', 'stdlog', 'alpine'], { host })).stderr).toContain('no stream "stdlog"')
})

test('a cidfile holds the id, is never written over, and goes where no container came', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'kago-cid-'))
  const path = join(directory, 'cid')
  const { host } = await fake({
    'container.run': ({ body }) => ({
      frames: (connection) => {
        if (JSON.stringify(body).includes('"bad"'))
          connection.send(encodeError({ code: 'not_found', message: 'no' }))
        else {
          connection.send(created)
          connection.send(exit(0))
        }
        connection.end()
      },
    }),
  })
  expect((await runCli(['run', '--cidfile', path, 'bad'], { host })).status).toBe(125)
  expect(existsSync(path)).toBe(false)
  expect((await runCli(['run', '--cidfile', path, 'alpine'], { host })).status).toBe(0)
  expect(readFileSync(path, 'utf8')).toBe('c'.repeat(64))
  writeFileSync(path, 'mine')
  const refused = await runCli(['run', '--cidfile', path, 'alpine'], { host })
  expect(refused).toMatchObject({ status: 125 })
  expect(refused.stderr).toContain('is there already')
  expect(readFileSync(path, 'utf8')).toBe('mine')
  rmSync(directory, { recursive: true })
})
