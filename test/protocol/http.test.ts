/** The HTTP side against a real daemon: what is refused, how, and that it goes on answering. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Kagod, startKagod } from '../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterAll(async () => {
  await kagod.dispose()
})

/** Sends bytes as they are, and reads until the daemon closes or has been silent for a while. */
async function raw(bytes: string | Buffer): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const socket = connect(kagod.socket)
  let text = ''
  socket.setTimeout(1500, () => socket.destroy())
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('close', () => {
    resolve(text)
  })
  socket.on('error', () => socket.destroy())
  socket.write(bytes)
  return await promise
}

const json = 'Content-Type: application/json\r\n'

describe('requests that a web page could make are refused', () => {
  test.for([
    ['an Origin', 'Host: localhost\r\nOrigin: http://evil.example\r\n'],
    ['an Origin of null', 'Host: localhost\r\nOrigin: null\r\n'],
    ['a foreign Host', 'Host: evil.example\r\n'],
    ['a foreign Host that begins like ours', 'Host: localhost.evil.example\r\n'],
    ['0.0.0.0', 'Host: 0.0.0.0\r\n'],
    ['Sec-Fetch-Site', 'Host: localhost\r\nSec-Fetch-Site: cross-site\r\n'],
  ])('%s', async ([, headers]) => {
    for (const request of ['GET /v1/containers', 'POST /v1/containers', 'GET /nowhere']) {
      expect(await raw(`${request} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1\.1 403 /,
      )
    }
  })

  test('also when they ask for an upgrade', async () => {
    const body = '{"create":{"image":"localhost/busybox"}}'
    const reply = await raw(
      `POST /v1/containers/run HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: kago-frames\r\n${json}Content-Length: ${body.length}\r\n\r\n${body}`,
    )
    expect(reply).toMatch(/^HTTP\/1\.1 403 /)
    expect(await kagod.list()).toEqual([])
  })

  test.for(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'a body of type %s',
    async (type) => {
      const body = '{"image":"localhost/busybox"}'
      const reply = await raw(
        `POST /v1/containers HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      )
      expect(reply).toMatch(/^HTTP\/1\.1 400 /)
      expect(await kagod.list()).toEqual([])
    },
  )

  test('no reply carries a header that lets pages read it', async () => {
    expect(
      await raw('OPTIONS /v1/containers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
    ).not.toMatch(/access-control/i)
  })
})

describe('what is not understood gets an error that says so', () => {
  test.for<[string, string, unknown, number, RegExp]>([
    ['GET', '/v1/nothing', undefined, 404, /no such route: GET \/v1\/nothing/],
    ['PUT', '/v1/containers', {}, 404, /no such route/],
    ['GET', '/v1/containers?al=true', undefined, 400, /unknown key in the query: al/],
    ['GET', '/v1/containers?limit=-1', undefined, 400, /limit/],
    ['GET', '/v1/containers?filter=colour=red', undefined, 400, /no such filter/],
    ['POST', '/v1/containers', { image: 'x', comand: [] }, 400, /unknown key in the body: comand/],
    ['POST', '/v1/containers', { image: 3 }, 400, /body image/],
    ['POST', '/v1/containers', {}, 400, /image/],
    ['POST', '/v1/containers', { image: 'UPPER' }, 400, /UPPER/],
    ['POST', '/v1/containers', { image: 'localhost/busybox', name: '../x' }, 400, /not a container name/],
    ['GET', '/v1/containers/nope', undefined, 404, /no such container: nope/],
    ['POST', '/v1/containers/nope/start', {}, 404, /no such container: nope/],
    ['POST', '/v1/containers/run', { create: { image: 'x' } }, 400, /answers by frames only/],
    ['GET', '/v1/images/inspect?name=nope', undefined, 404, /nope/],
  ])('%s %s', async ([method, path, body, status, message]) => {
    const reply = await kagod.request(method, path, body)
    expect(reply.status).toBe(status)
    expect(reply.body).toMatchObject({ error: { message: expect.stringMatching(message) as string } })
  })

  test('an upgrade that cannot be is refused with a status and an error', async () => {
    const ask = (body: string, more = '') =>
      raw(
        `POST /v1/containers/run HTTP/1.1\r\nHost: kago\r\nConnection: Upgrade\r\nUpgrade: kago-frames\r\n${json}${more}Content-Length: ${body.length}\r\n\r\n${body}`,
      )
    expect(await ask('{"create":{"image":"x","nope":1}}')).toMatch(
      /^HTTP\/1\.1 400 [^]*unknown key in the body: create\.nope/,
    )
    expect(await ask('{')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await ask('{}')).toMatch(/^HTTP\/1\.1 400 /)
    expect(
      await raw(
        `POST /v1/containers/nope/attach HTTP/1.1\r\nHost: kago\r\nConnection: Upgrade\r\nUpgrade: kago-frames\r\n${json}Content-Length: 2\r\n\r\n{}`,
      ),
    ).toMatch(/^HTTP\/1\.1 404 [^]*no such container: nope/)
    expect(
      await raw(
        `POST /v1/containers/run HTTP/1.1\r\nHost: kago\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${json}Content-Length: 2\r\n\r\n{}`,
      ),
    ).toMatch(/^HTTP\/1\.1 400 /)
  })
})

describe('bytes that are no request end their connection and nothing else', () => {
  test.for<[string, string | Buffer]>([
    ['noise', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 151) % 256))],
    [
      'both lengths',
      `POST /v1/containers HTTP/1.1\r\nHost: kago\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/ping HTTP/1.1\r\n\r\n`,
    ],
    [
      'two lengths',
      `POST /v1/containers HTTP/1.1\r\nHost: kago\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`,
    ],
    ['a folded header', 'GET /v1/ping HTTP/1.1\r\nHost: kago\r\nX-A: b\r\n c\r\nConnection: close\r\n\r\n'],
    ['a header without end', `GET /v1/ping HTTP/1.1\r\nHost: kago\r\nX-A: ${'a'.repeat(100_000)}\r\n\r\n`],
    [
      'an upgrade of unknown length',
      `POST /v1/containers/run HTTP/1.1\r\nHost: kago\r\nConnection: Upgrade\r\nUpgrade: kago-frames\r\n${json}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    ],
    [
      'a length beyond reason',
      `POST /v1/containers/run HTTP/1.1\r\nHost: kago\r\nConnection: Upgrade\r\nUpgrade: kago-frames\r\n${json}Content-Length: 99999999999\r\n\r\n`,
    ],
    [
      'a path with escapes',
      'GET /v1/containers/%2e%2e%2f%00 HTTP/1.1\r\nHost: kago\r\nConnection: close\r\n\r\n',
    ],
  ])('%s', async ([, bytes]) => {
    expect(await raw(bytes)).not.toMatch(/^HTTP\/1\.1 2/)
    expect((await kagod.request('GET', '/v1/ping')).status).toBe(200)
  })

  test('a body cut off in the middle of an upgrade is forgotten', async () => {
    const socket = connect(kagod.socket)
    socket.write(
      `POST /v1/containers/run HTTP/1.1\r\nHost: kago\r\nConnection: Upgrade\r\nUpgrade: kago-frames\r\n${json}Content-Length: 500\r\n\r\n{"create"`,
    )
    socket.end()
    await new Promise((resolve) => socket.on('close', resolve).resume())
    expect(await kagod.list()).toEqual([])
  })
})

test('an upgrade behind a request that is not answered yet ends its connection and nothing else', async () => {
  const id = await kagod.runDetached({ image: 'localhost/busybox', command: ['sleep', '1000'] })
  const body = '{}'
  await raw(
    `GET /v1/containers/${id}/wait HTTP/1.1\r\nHost: kago\r\n\r\n` +
      `POST /v1/containers/${id}/attach HTTP/1.1\r\nHost: kago\r\nConnection: Upgrade\r\nUpgrade: kago-frames\r\n${json}Content-Length: ${body.length}\r\n\r\n${body}`,
  )
  expect((await kagod.request('GET', '/v1/ping')).status).toBe(200)
  await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
})

test.for<[string, string, number]>([
  ['a path that cannot be decoded', 'GET /v1/containers/%zz HTTP/1.1\r\nHost: kago\r\n', 400],
  ['a name without end', `GET /v1/containers/${'a'.repeat(5000)} HTTP/1.1\r\nHost: kago\r\n`, 400],
  [
    'headers that are too large',
    `GET /v1/ping HTTP/1.1\r\nHost: kago\r\nX-A: ${'a'.repeat(50_000)}\r\n`,
    431,
  ],
  ['no HTTP', 'HELO kago\r\n', 400],
])('%s is refused in the one form of error', async ([, head, status]) => {
  const reply = await raw(`${head}Connection: close\r\n\r\n`)
  expect(reply).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  expect(JSON.parse(reply.slice(reply.indexOf('\r\n\r\n') + 4))).toMatchObject({
    error: { code: 'invalid_argument', message: expect.any(String) as string },
  })
})

test('a thousand connections that say nothing do not keep others from being served', async () => {
  const idle: Socket[] = []
  for (let batch = 0; batch < 10; batch++) {
    const sockets = Array.from({ length: 100 }, () => connect(kagod.socket))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    idle.push(...sockets)
  }
  expect((await kagod.request('GET', '/v1/ping')).status).toBe(200)
  for (const socket of idle) socket.destroy()
})
