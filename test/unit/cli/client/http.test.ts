import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatRequest, maxHeadBytes, readReply } from '../../../../cli/client/http.ts'

async function* pieces(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    if (cut > at && cut < bytes.length) {
      yield bytes.subarray(at, cut)
      at = cut
    }
  }
  yield bytes.subarray(at)
}

async function read(bytes: Buffer | string, cuts: readonly number[] = []) {
  const reply = await readReply(pieces(Buffer.from(bytes), cuts))
  const chunks: Buffer[] = []
  for await (const chunk of reply.body) chunks.push(chunk)
  return { status: reply.status, headers: reply.headers, body: Buffer.concat(chunks) }
}

function chunked(parts: readonly Uint8Array[]): Buffer {
  const chunks = parts
    .filter((part) => part.length > 0)
    .map((part) =>
      Buffer.concat([Buffer.from(`${part.length.toString(16)};x=y\r\n`), part, Buffer.from('\r\n')]),
    )
  return Buffer.concat([...chunks, Buffer.from('0\r\nTrailer: x\r\n\r\n')])
}

const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 })
const cuts = fc.array(fc.nat(600), { maxLength: 30 })

test('a chunked body comes out whole, cut anywhere', async () => {
  await fc.assert(
    fc.asyncProperty(bodies, cuts, async (parts, where) => {
      const head = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      const { body } = await read(Buffer.concat([head, chunked(parts), Buffer.from('more')]), where)
      expect(body).toEqual(Buffer.concat(parts))
    }),
  )
})

test('a body with a length comes out whole, cut anywhere, and no more than it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), cuts, async (bytes, where) => {
      const head = Buffer.from(`HTTP/1.1 404 Not Found\r\ncontent-length: ${bytes.length}\r\nX: y\r\n\r\n`)
      const { status, headers, body } = await read(Buffer.concat([head, bytes, Buffer.from('more')]), where)
      expect({ status, x: headers.get('x') }).toEqual({ status: 404, x: 'y' })
      expect(body).toEqual(Buffer.from(bytes))
    }),
  )
})

test('after an upgrade everything belongs to the body', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), cuts, async (bytes, where) => {
      const head = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: kago-frames\r\n\r\n')
      const { body } = await read(Buffer.concat([head, bytes]), where)
      expect(body).toEqual(Buffer.from(bytes))
    }),
  )
})

test('interim answers are passed over', async () => {
  const { status } = await read('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  expect(status).toBe(200)
})

test.each([
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'does not speak the kago protocol'],
  ['a header without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n', 'a header has no name'],
  ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', 'its length is not a number'],
  ['a body cut short', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', 'in the middle of its answer'],
  ['a head cut short', 'HTTP/1.1 200 OK\r\n', 'in the middle of its answer'],
  [
    'a chunk without a size',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
    'a chunk has no size',
  ],
  [
    'a chunk longer than it says',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n',
    'does not speak the kago protocol',
  ],
  [
    'a body of chunks cut short',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    'in the middle',
  ],
  ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(maxHeadBytes + 100)}`, 'is longer than'],
])('%s is an error that says so', async (_name, text, message) => {
  await expect(read(text)).rejects.toMatchObject({ code: 'unavailable' })
  await expect(read(text)).rejects.toThrow(message)
})

test('a request names its host and its headers', () => {
  expect(formatRequest({ method: 'GET', path: '/v1/ping', headers: { Connection: 'close' } })).toBe(
    'GET /v1/ping HTTP/1.1\r\nHost: kago\r\nConnection: close\r\n\r\n',
  )
})
