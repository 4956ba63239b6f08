import { createServer } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { parseHost } from '../../../../cli/client/address.ts'
import {
  call,
  callLines,
  errorFromReply,
  fillPath,
  formatQuery,
  openFrames,
} from '../../../../cli/client/client.ts'
import type { Progress } from '../../../../shared/protocol/progress.ts'
import { type FakeDaemon, type FakeHandlers, startFakeDaemon } from '../../../harness/fake-daemon.ts'

let daemon: FakeDaemon | undefined
afterEach(async () => {
  await daemon?.close()
  daemon = undefined
})

async function clientOf(handlers: FakeHandlers) {
  daemon = await startFakeDaemon(handlers)
  return { address: parseHost(daemon.host) }
}

describe('an address', () => {
  test('is a socket, by URL or by path, or the default one', () => {
    expect(parseHost(undefined)).toEqual({ socketPath: '/run/kago/kagod.sock' })
    expect(parseHost('unix:///a/b.sock')).toEqual({ socketPath: '/a/b.sock' })
    expect(parseHost('/a/b.sock')).toEqual({ socketPath: '/a/b.sock' })
  })

  test('of another kind is refused', () => {
    expect(() => parseHost('tcp://1.2.3.4:1')).toThrow('kago does not speak tcp:// yet')
    expect(() => parseHost('a.sock')).toThrow('not an address of a daemon')
  })
})

describe('a request', () => {
  test('puts names into the path and lists into the query, safely', () => {
    expect(fillPath('/v1/containers/:id/stop', { id: '../a b?c' })).toBe('/v1/containers/..%2Fa%20b%3Fc/stop')
    expect(formatQuery({ all: true, no: false, none: undefined, filter: ['a=b&c', 'd'] })).toBe(
      '?all=true&filter=a%3Db%26c&filter=d',
    )
  })

  test('carries its body and gives the answer', async () => {
    const client = await clientOf({
      'container.rename': ({ params }) => ({ json: { id: params['id'], name: 'é' } }),
    })
    const answer = await call(client, 'container.rename', { params: { id: 'a/b' }, body: { name: 'é' } })
    expect(answer).toEqual({ id: 'a/b', name: 'é' })
    expect(daemon?.requests[0]).toMatchObject({ params: { id: 'a/b' }, body: { name: 'é' } })
  })

  test('that is refused throws the daemon’s own error', async () => {
    const error = {
      code: 'in_use',
      message: 'image x is in use',
      hint: 'h',
      details: { by: ['a'] },
      operation: 'o',
    }
    const client = await clientOf({ 'system.ping': () => ({ status: 409, json: { error } }) })
    await expect(call(client, 'system.ping', {})).rejects.toMatchObject(error)
  })

  test('that is answered by nonsense says so', async () => {
    const client = await clientOf({
      'system.ping': () => ({ status: 500, json: 'no' }),
      'system.info': () => ({ bytes: Buffer.from('<html>') }),
    })
    await expect(call(client, 'system.ping', {})).rejects.toThrow('kagod answered 500 without saying why')
    await expect(call(client, 'system.info', {})).rejects.toThrow('something that is not JSON')
    expect(errorFromReply({ error: { code: 'toString', message: 'x' } }, 500)).toMatchObject({
      code: 'internal',
    })
  })

  test('to nobody names the socket and how to start the daemon', async () => {
    const address = { socketPath: '/nonexistent/kagod.sock' }
    await expect(call({ address }, 'system.ping', {})).rejects.toMatchObject({
      code: 'unavailable',
      message: 'cannot reach kagod at /nonexistent/kagod.sock: there is no such socket',
      hint: 'is kagod running? start it with: sudo systemctl start kagod',
    })
  })

  test('to a socket that nobody listens on says that', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kago-client-'))
    const socketPath = join(directory, 'file')
    writeFileSync(socketPath, '')
    await expect(call({ address: { socketPath } }, 'system.ping', {})).rejects.toThrow(
      /nobody listens|not a socket/,
    )
    rmSync(directory, { recursive: true })
  })

  test('whose connection is closed before the answer fails as unavailable', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kago-client-'))
    const socketPath = join(directory, 's')
    const server = createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    await expect(call({ address: { socketPath } }, 'system.ping', {})).rejects.toMatchObject({
      code: 'unavailable',
    })
    server.close()
    rmSync(directory, { recursive: true })
  })
})

describe('a long request', () => {
  const pulled = { reference: 'x', digest: 'sha256:d', id: 'i', upToDate: false }

  test('reports as it goes and ends with its result', async () => {
    const notice = { type: 'notice', message: 'é\n' }
    const client = await clientOf({
      'image.pull': () => ({ lines: [notice, { type: 'result', result: pulled }] }),
    })
    const seen: Progress[] = []
    const result = await callLines(client, 'image.pull', { body: { reference: 'x' } }, (one) =>
      seen.push(one),
    )
    expect({ result, seen }).toEqual({ result: pulled, seen: [notice] })
  })

  test('throws the error of its last line', async () => {
    const client = await clientOf({
      'image.pull': () => ({ lines: [{ type: 'error', error: { code: 'corrupt', message: 'm' } }] }),
    })
    await expect(
      callLines(client, 'image.pull', { body: { reference: 'x' } }, () => {}),
    ).rejects.toMatchObject({
      code: 'corrupt',
    })
  })

  test('without a last line was not done', async () => {
    const client = await clientOf({ 'image.pull': () => ({ lines: [{ type: 'notice', message: 'm' }] }) })
    await expect(callLines(client, 'image.pull', { body: { reference: 'x' } }, () => {})).rejects.toThrow(
      'closed the connection before it was done',
    )
  })

  test('sends an archive as it is read, every byte of it', async () => {
    const client = await clientOf({
      'image.load': ({ body }) => ({
        lines: [{ type: 'result', result: [{ id: String((body as Buffer).length), names: [] }] }],
      }),
    })
    async function* archive() {
      for (let index = 0; index < 50; index++) yield Buffer.alloc(100_000, index)
      yield Buffer.alloc(0)
    }
    const result = await callLines(client, 'image.load', {}, () => {}, archive())
    expect(result).toEqual([{ id: '5000000', names: [] }])
  })

  test('whose archive cannot be read fails by that', async () => {
    const client = await clientOf({ 'image.load': () => ({ lines: [] }) })
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('x')
      throw new Error('the disk is bad')
    }
    await expect(callLines(client, 'image.load', {}, () => {}, broken())).rejects.toThrow('the disk is bad')
  })
})

test('an upgrade that is refused throws the error of the refusal', async () => {
  const error = { code: 'wrong_state', message: 'container x is not running' }
  const client = await clientOf({ 'container.attach': () => ({ status: 409, json: { error } }) })
  await expect(
    openFrames(client, 'container.attach', { params: { id: 'x' }, body: {} }),
  ).rejects.toMatchObject(error)
})
