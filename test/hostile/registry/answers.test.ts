/** Answers made to fill memory, waste time or write on the terminal (U13, U26, U35). */
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { collect, failureOf, setUp } from '../../integration/registry/setup.ts'

describe('a manifest', () => {
  it('of more than 4 MiB is not read to its end', async () => {
    const { client, reference, registry } = await setUp()
    registry.faults.add({ on: 'manifest', method: 'GET', kind: 'body', body: Buffer.alloc(64 << 20, ' ') })
    const before = process.memoryUsage().arrayBuffers
    expect(await failureOf(client.resolve(reference))).toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('larger than 4194304 bytes'),
    })
    // The server of this test holds the whole in this process once; the client must not hold it again.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 << 20)
  })

  it('that comes a byte at a time, for ever, is given up', async () => {
    const { client, reference, registry } = await setUp(
      {},
      { timeouts: { stallMs: 200 }, retry: { attempts: 1 } },
    )
    registry.faults.add({ on: 'manifest', method: 'GET', kind: 'drip', bytes: 1, everyMs: 20 })
    expect(await failureOf(client.resolve(reference))).toMatchObject({ code: 'timed_out' })
  })

  it('that comes compressed, unasked, is refused', async () => {
    const { client, reference, registry } = await setUp()
    registry.faults.add({ on: 'manifest', method: 'GET', kind: 'gzip' })
    expect(await failureOf(client.resolve(reference))).toMatchObject({
      message: expect.stringContaining('comes compressed (gzip)'),
    })
  })
})

describe('an error of a registry', () => {
  it('cannot write on the terminal', async () => {
    const { client, reference, registry } = await setUp()
    const message = '\u001b]0;owned\u0007\u001b[2J\u009b31m\r\nfake line\u202e'
    const body = JSON.stringify({ errors: [{ code: 'DENIED\u001b[2J', message }] })
    registry.faults.add({ on: 'manifest', kind: 'status', status: 400, body })
    const failure = await failureOf(client.resolve(reference))
    expect(failure).toMatchObject({ message: expect.stringContaining('\\u{1b}]0;owned\\u{7}') })
    expect(JSON.parse(JSON.stringify(failure))).toMatchObject({ code: 'unavailable' })
    const {
      message: told = '',
      hint = '',
      details,
    } = failure as { message?: string; hint?: string; details?: unknown }
    expect(
      [
        told,
        hint,
        ...Object.values(details ?? {})
          .flat()
          .map(String),
      ].join(''),
    ).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })

  it.each([
    ['too long', 'x'.repeat(10 << 20)],
    ['no JSON', '<html>\u001b[31m</html>'],
    ['another JSON', '[[[[1]]]]'],
    ['null', 'null'],
    ['of odd errors', '{"errors":[null,1,{"message":{}},{"code":1}]}'],
    ['of the prototype', '{"__proto__":{"message":"x"},"errors":{"length":1e9}}'],
  ])('that is %s is told by its status', async (_name, body) => {
    const { client, reference, registry } = await setUp()
    registry.faults.add({ on: 'manifest', kind: 'status', status: 418, body })
    expect(await failureOf(client.resolve(reference))).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /^127\.0\.0\.1:\d+ answered 418 for 127\.0\.0\.1:\d+\/library\/thing:latest$/,
      ),
    })
  })

  it('that says too much is cut', async () => {
    const { client, reference, registry } = await setUp()
    const body = JSON.stringify({ errors: [{ code: 'X', message: 'y'.repeat(20_000) }] })
    registry.faults.add({ on: 'manifest', kind: 'status', status: 418, body })
    expect(inspect(await failureOf(client.resolve(reference))).length).toBeLessThan(3000)
  })
})

describe('a blob', () => {
  it('that is larger than it says is stopped, and not read on', async () => {
    const { client, reference, layer, registry } = await setUp()
    registry.faults.add({ on: 'blob', kind: 'body', body: Buffer.alloc(32 << 20) })
    let received = 0
    const reading = (async () => {
      for await (const chunk of client.fetchBlob(reference, layer)) received += chunk.length
    })()
    expect(await failureOf(reading)).toMatchObject({ code: 'corrupt' })
    expect(received).toBeLessThanOrEqual(layer.size)
  })

  it('that is a gzip bomb under Content-Encoding is stopped', async () => {
    const { client, reference, layer, registry } = await setUp()
    const headers = { 'content-encoding': 'gzip' }
    const bomb = gzipSync(Buffer.alloc(64 << 20))
    registry.faults.add({ on: 'blob', kind: 'body', body: bomb, headers })
    expect(await failureOf(collect(client.fetchBlob(reference, layer)))).toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(`more than the ${layer.size} bytes`),
    })
  })

  it('in an encoding that nobody asked for is refused', async () => {
    const { client, reference, layer, registry } = await setUp()
    const headers = { 'content-encoding': 'br' }
    registry.faults.add({ on: 'blob', kind: 'body', body: 'short', headers })
    expect(await failureOf(collect(client.fetchBlob(reference, layer)))).toMatchObject({
      code: 'not_supported',
    })
  })
})
