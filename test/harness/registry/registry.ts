/**
 * A registry for tests: Debian's docker-registry behind a front that behaves like Docker Hub.
 * Tokens come from another port, blobs from a third one that refuses who still carries a token; manifests count against a
 * rate limit, and every answer can have a fault.
 */
import { createReadStream, existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { createFaults, type Faults } from './faults.ts'
import { answer, type Reply, writeReply } from './reply.ts'
import { type RecordedRequest, serve, type TestServer } from './server.ts'
import { startStorage, type Storage } from './storage.ts'
import { serveUpload } from './uploads.ts'
import { type Grant, makeCertificate, service, signToken, testSigner } from './token.ts'

export interface RegistryOptions {
  /** `token` unless told: a token server, as Docker Hub's. */
  auth?: 'none' | 'token' | 'basic'
  /** Blobs are answered by a redirect to another port; true unless told. */
  redirectBlobs?: boolean
  /** Repositories below `private/` need the credentials; with this, all do. */
  isPrivate?: boolean
  /** The front speaks TLS, with a certificate that nobody knows: `ca`. */
  tls?: boolean
  /** More names in that certificate: `DNS:registry.example`. */
  tlsNames?: string[]
  tokenLifetimeSeconds?: number
  /** Leaves `expires_in` out of the token answers, and calls the token `access_token`. */
  isTerse?: boolean
  /** Strangers may push, as to a registry without users. */
  isOpen?: boolean
  /** The challenge's scope parameter is repeated, as some registries do. */
  repeatsScope?: boolean
}

export interface TestRegistry {
  /** As in a reference: `127.0.0.1:PORT`. */
  host: string
  port: number
  url: string
  credentials: { username: string; password: string }
  /** The refresh token that a login is given, and that the token server takes by POST. */
  identityToken: string
  faults: Faults
  /** What was asked, in order, of all three servers. */
  requests: RecordedRequest[]
  /** The front's certificate, when it speaks TLS. */
  ca: string | undefined
  tokenUrl: string
  storageUrl: string
  /** The registry behind the front, and a token for it: without faults, records and limits. For pushing. */
  backend: { url: string; authorizationFor(repository: string): Record<string, string> }
  close(): Promise<void>
}

export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const { auth = 'token', redirectBlobs = true } = options
  const signer = testSigner()
  const tls = options.tls === true ? makeCertificate(options.tlsNames) : undefined
  const faults = createFaults()
  const requests: RecordedRequest[] = []
  const credentials = { username: 'kago', password: 'canary-pa55/word:ü' }
  const identityToken = 'canary-identity-token'
  const state: State = {
    options: { ...options, auth },
    faults,
    credentials,
    identityToken,
    remaining: 100,
    expected: new Set(),
    places: new Map(),
  }
  const servers: TestServer[] = []
  let storage: Storage | undefined
  const close = async (): Promise<void> => {
    await Promise.all([...servers.map(async (server) => await server.close()), storage?.close()])
  }
  try {
    const tokens = await serve(
      'token',
      requests,
      async (request, response, body) => await serveToken(state, storage, request, response, body),
    )
    servers.push(tokens)
    const realm = `${tokens.url}/token`
    const behind = await startStorage(signer, auth === 'token' ? realm : undefined)
    storage = behind
    const blobs = await serve(
      'storage',
      requests,
      async (request, response) => await serveBlob(state, behind, request, response),
    )
    servers.push(blobs)
    const front = await serve(
      'registry',
      requests,
      async (request, response, _body, bytes) =>
        await serveFront(state, behind, request, response, bytes, {
          realm,
          blobs: redirectBlobs ? blobs.url : undefined,
        }),
      tls,
    )
    servers.push(front)
    return {
      host: front.host,
      port: front.port,
      url: front.url,
      credentials,
      identityToken,
      faults,
      requests,
      ca: tls?.certificatePem,
      tokenUrl: tokens.url,
      storageUrl: blobs.url,
      backend: {
        url: behind.url,
        authorizationFor(repository): Record<string, string> {
          if (auth !== 'token') return {}
          const grant = { type: 'repository', name: repository, actions: ['pull', 'push'] }
          return { authorization: `Bearer ${signToken(signer, [grant], 300)}` }
        },
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

interface State {
  options: RegistryOptions
  faults: Faults
  credentials: { username: string; password: string }
  identityToken: string
  /** Of the rate limit. */
  remaining: number
  /** Signatures that are good for one request to the storage. */
  expected: Set<string>
  /** Where uploads go on that were cut: the front knows more of them than the client. */
  places: Map<string, string>
}

async function serveToken(
  state: State,
  storage: Storage | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://token')
  const form = request.method === 'POST' ? new URLSearchParams(body) : url.searchParams
  const user = userOf(state, request, form)
  if (user === 'wrong') {
    const refusal = json(401, { details: 'incorrect username or password' })
    await answer(state.faults, 'token', request, response, refusal)
    return
  }
  const scopes = form.getAll('scope').flatMap((scope) => scope.split(' '))
  const grants = scopes.flatMap((scope) => grantOf(state, storage, scope, user === 'known'))
  const seconds = state.options.tokenLifetimeSeconds ?? 300
  const token = signToken(testSigner(), grants, seconds)
  const offline = url.searchParams.get('offline_token') === 'true' && user === 'known'
  const reply = state.options.isTerse
    ? { access_token: token }
    : { token, access_token: token, expires_in: seconds, issued_at: new Date().toISOString() }
  const more = offline ? { refresh_token: state.identityToken } : {}
  await answer(state.faults, 'token', request, response, json(200, { ...reply, ...more }))
}

function userOf(
  state: State,
  request: IncomingMessage,
  form: URLSearchParams,
): 'known' | 'anonymous' | 'wrong' {
  if (request.method === 'POST') {
    const isRefresh = form.get('grant_type') === 'refresh_token' && form.get('service') === service
    return isRefresh && form.get('refresh_token') === state.identityToken ? 'known' : 'wrong'
  }
  const { authorization } = request.headers
  if (authorization === undefined) return 'anonymous'
  return authorization === basicOf(state) ? 'known' : 'wrong'
}

/** Like the Hub's: a repository that is not there, or not yours, is granted without a right. */
function grantOf(state: State, storage: Storage | undefined, scope: string, isKnown: boolean): Grant[] {
  const [type = '', name = '', actions = ''] = scope.split(':')
  const isPrivate = state.options.isPrivate === true || name.startsWith('private/')
  const isPush = actions.split(',').includes('push')
  if (isPush && (isKnown || state.options.isOpen === true))
    return [{ type, name, actions: actions.split(',').filter((action) => ['pull', 'push'].includes(action)) }]
  if (storage?.hasRepository(name) !== true || (isPrivate && !isKnown)) return []
  return [{ type, name, actions: actions.split(',').filter((action) => action === 'pull') }]
}

async function serveFront(
  state: State,
  storage: Storage,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  places: { realm: string; blobs: string | undefined },
): Promise<void> {
  const { method = 'GET', url = '/' } = request
  const subject = subjectOf(url)
  if (state.options.auth === 'basic' && request.headers.authorization !== basicOf(state)) {
    const challenge = { 'www-authenticate': 'Basic realm="kago tests"' }
    const refusal = json(
      401,
      { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] },
      challenge,
    )
    await writeReply(request, response, refusal, undefined)
    return
  }
  if (url.includes('/blobs/uploads/')) {
    await serveUpload(state, storage.url, request, response, bytes, (upstream) =>
      keptHeaders(state, upstream, places.realm),
    )
    return
  }
  const isBlob = subject === 'blob'
  const upstream = await fetch(`${storage.url}${url}`, {
    // The front asks for the blob's existence, and has its bytes from where they are.
    method: isBlob ? 'HEAD' : method,
    redirect: 'manual',
    ...(method === 'PUT' && { body: new Uint8Array(bytes) }),
    headers: Object.fromEntries(
      (['authorization', 'accept', 'content-type'] as const).flatMap((name) => {
        const value = request.headers[name]
        return value === undefined || (name === 'authorization' && state.options.auth !== 'token')
          ? []
          : [[name, value]]
      }),
    ),
  })
  const body = Buffer.from(await upstream.arrayBuffer())
  const headers = keptHeaders(state, upstream.headers, places.realm)
  if (upstream.status === 401) {
    // A challenge is not the answer that a fault is meant for.
    await writeReply(request, response, { status: 401, headers, body }, undefined)
    return
  }
  if (isBlob && upstream.status === 200) {
    await serveBlobFront(state, storage, request, response, places.blobs)
    return
  }
  if (subject === 'manifest' && upstream.status === 200) {
    if (method === 'GET') state.remaining -= 1
    headers['ratelimit-limit'] = '100;w=21600'
    headers['ratelimit-remaining'] = `${state.remaining};w=21600`
  }
  if (method === 'HEAD') {
    const length = upstream.headers.get('content-length')
    const fault = state.faults.take(subject, 'HEAD', url)
    const isRefused = fault?.kind === 'status'
    response.writeHead(isRefused ? fault.status : upstream.status, {
      ...headers,
      ...(fault?.kind === 'headers' && fault.headers),
      ...(length !== null && { 'content-length': length }),
    })
    response.end()
    return
  }
  await answer(state.faults, subject, request, response, { status: upstream.status, headers, body })
}

function subjectOf(url: string): 'manifest' | 'blob' | 'tags' | 'login' {
  if (url.includes('/manifests/')) return 'manifest'
  if (url.includes('/blobs/')) return 'blob'
  return url.includes('/tags/list') ? 'tags' : 'login'
}

async function serveBlobFront(
  state: State,
  storage: Storage,
  request: IncomingMessage,
  response: ServerResponse,
  blobs: string | undefined,
): Promise<void> {
  const { method = 'GET', url = '/' } = request
  const digest = url.slice(url.lastIndexOf('/') + 1)
  if (blobs === undefined || method === 'HEAD') {
    await sendBlob(state, storage, digest, request, response)
    return
  }
  const fault = state.faults.take('redirect', method, url)
  const signature = `canary-signature-${Math.random().toString(36).slice(2)}`
  if (fault?.kind !== 'expired') state.expected.add(signature)
  const signed = `${blobs}/storage/${digest}?X-Signature=${signature}&X-Expires=1`
  const location = fault?.kind === 'location' ? fault.location.replace('{signed}', signed) : signed
  const status = fault?.kind === 'status' ? fault.status : 307
  const retryAfter = fault?.kind === 'status' &&
    fault.retryAfter !== undefined && { 'retry-after': fault.retryAfter }
  response.writeHead(status, { ...(status === 307 && { location }), ...retryAfter, 'content-length': '0' })
  response.end()
}

/** The storage behind: as CDNs do, it takes its own signature or nothing. */
async function serveBlob(
  state: State,
  storage: Storage,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://storage')
  if (request.headers.authorization !== undefined) {
    response.writeHead(400, { 'content-type': 'application/xml' })
    response.end(
      '<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>',
    )
    return
  }
  if (!state.expected.delete(url.searchParams.get('X-Signature') ?? '')) {
    response.writeHead(403, { 'content-type': 'application/xml' })
    response.end('<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>')
    return
  }
  await sendBlob(state, storage, url.pathname.slice('/storage/'.length), request, response)
}

async function sendBlob(
  state: State,
  storage: Storage,
  digest: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = storage.blobPath(digest)
  const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest }
  if (!existsSync(path)) {
    await answer(
      state.faults,
      'blob',
      request,
      response,
      json(404, { errors: [{ code: 'BLOB_UNKNOWN', message: '' }] }),
    )
    return
  }
  const { size } = statSync(path)
  if (request.method === 'HEAD') {
    response.writeHead(200, { ...headers, 'content-length': String(size) })
    response.end()
    return
  }
  const isPlain = request.headers.range === undefined && state.faults.left().every(({ on }) => on !== 'blob')
  if (isPlain) {
    response.writeHead(200, { ...headers, 'content-length': String(size) })
    await pipeline(createReadStream(path), response)
    return
  }
  const reply: Reply = { status: 200, headers, body: await readFile(path) }
  await answer(state.faults, 'blob', request, response, reply)
}

function keptHeaders(state: State, upstream: Headers, realm: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const name of [
    'content-type',
    'docker-content-digest',
    'link',
    'www-authenticate',
    'docker-distribution-api-version',
  ]) {
    const value = upstream.get(name)
    if (value !== null) headers[name] = value
  }
  const challenge = headers['www-authenticate']
  if (challenge === undefined) return headers
  const scope = /scope="([^"]*)"/.exec(challenge)?.[1]
  const repeated = state.options.repeatsScope === true && scope !== undefined ? `,scope="${scope}"` : ''
  const asked = scope === undefined ? '' : `,scope="${scope}"`
  headers['www-authenticate'] = `Bearer realm="${realm}",service="${service}"${asked}${repeated}`
  return headers
}

function basicOf({ credentials }: State): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
}

function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  }
}
