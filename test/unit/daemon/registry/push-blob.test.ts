/** Whatever a registry answers, an upload ends: soon, in words, and with its credentials kept to the registry. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { insecureHosts } from '../../../../daemon/registry/addresses.ts'
import { createAuthenticator } from '../../../../daemon/registry/auth.ts'
import type { RegistryContext } from '../../../../daemon/registry/context.ts'
import { registryMirrors } from '../../../../daemon/registry/mirrors.ts'
import { pushBlob } from '../../../../daemon/registry/push-blob.ts'
import { KagoError } from '../../../../shared/errors.ts'
import { type Asked, type FakeAnswer, fakeTransport } from './fake-transport.ts'

const digest = `sha256:${'a'.repeat(64)}` as const
const repository = { registry: 'registry.example', repository: 'mine/app' }
const credentials = { username: 'me', password: 'canary-password' }

async function push(
  size: number,
  answer: (method: string, count: number) => FakeAnswer,
): Promise<{ end: unknown; asked: Asked[] }> {
  const { send, asked } = fakeTransport(({ method }, count) => answer(method, count))
  const insecure = insecureHosts([])
  const context: RegistryContext = {
    send,
    insecure,
    mirrors: registryMirrors({}, insecure),
    authenticator: createAuthenticator(),
    schemes: new Map(),
    timeouts: { connectMs: 100, headersMs: 100, stallMs: 100, commitMs: 100 },
    retry: { attempts: 3, baseMs: 0, maximumMs: 0 },
    uploadChunkBytes: 1000,
    log: { debug: () => undefined, warn: () => undefined },
  }
  async function* source(start: number, end: number) {
    await Promise.resolve()
    yield Buffer.alloc(end - start)
  }
  const options = { credentials, neighbours: ['a/b', 'c/d', 'e/f'] }
  const end = await pushBlob(context, repository, { digest, size }, source, options).catch(
    (error: unknown) => error,
  )
  return { end, asked }
}

const answers = fc.record(
  {
    status: fc.constantFrom(
      200,
      201,
      202,
      204,
      206,
      301,
      307,
      400,
      401,
      403,
      404,
      405,
      413,
      416,
      429,
      500,
      503,
    ),
    location: fc.constantFrom(
      '/v2/mine/app/blobs/uploads/1',
      'next?_state=x',
      'https://elsewhere.example/upload?sig=1',
      'http://registry.example/plain',
      'http://10.0.0.1/plain',
      'file:///etc/passwd',
      'http://[',
    ),
    range: fc.constantFrom('0-0', '0-999', '0-500', 'bytes=0-1999', '0-99999999', '5-10', 'nonsense'),
    'docker-content-digest': fc.constantFrom(digest, `sha256:${'b'.repeat(64)}`, 'x\u0000'),
    'www-authenticate': fc.constantFrom(
      'Basic realm="x"',
      'Negotiate',
      'Bearer realm="https://registry.example/t"',
    ),
    'retry-after': fc.constantFrom('0', '99999', 'soon'),
    'oci-chunk-min-length': fc.constantFrom('0', '1500', '999999999999', '-1'),
    body: fc.constantFrom(
      '',
      '{}',
      '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}',
      '{"token":"t"}',
      '\u001b[31m',
    ),
  },
  { requiredKeys: ['status'] },
)

describe('an upload', () => {
  it('ends, whatever the registry answers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(answers, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(0, 10, 2500),
        async (list, size) => {
          const { end, asked } = await push(size, (_, count) => {
            const { status = 200, body = '', ...headers } = list[(count - 1) % list.length] ?? {}
            return { status, body, headers }
          })
          if (end instanceof Error) expect(end).toBeInstanceOf(KagoError)
          else expect(end).toHaveProperty('how')
          expect(asked.length).toBeLessThan(150)
          const strangers = asked.filter(({ url }) => !url.startsWith('https://registry.example/'))
          expect(strangers.filter(({ authorization }) => authorization !== undefined)).toEqual([])
          expect(strangers.filter(({ url }) => !url.startsWith('https://'))).toEqual([])
        },
      ),
      { numRuns: 400 },
    )
  })

  it('goes on by TLS where the registry believes that it has none', async () => {
    const { end, asked } = await push(10, (method) => {
      if (method === 'HEAD') return { status: 404 }
      if (method === 'POST')
        return { status: 202, headers: { location: 'http://registry.example/up?a=%2F~b' } }
      return { status: 201 }
    })
    expect(end).toEqual({ how: 'uploaded' })
    expect(asked.at(-1)?.url).toBe(`https://registry.example/up?a=%2F~b&digest=${encodeURIComponent(digest)}`)
  })

  it('takes no smaller pieces than the registry takes', async () => {
    const { asked } = await push(2500, (method) => {
      if (method === 'HEAD') return { status: 404 }
      const headers = { location: '/up', 'oci-chunk-min-length': '1500' }
      return { status: method === 'PUT' ? 201 : 202, headers }
    })
    expect(asked.filter(({ method }) => method === 'PATCH')).toHaveLength(2)
  })
})
