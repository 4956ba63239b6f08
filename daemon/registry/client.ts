/** Docker Hub and every other OCI registry, for those who pull and push. The only file that knows undici. */
import { lookup } from 'node:dns'
import { Readable } from 'node:stream'
import { createSecureContext } from 'node:tls'
import type { Agent } from 'undici'
import { KagoError } from '../../shared/errors.ts'
import type { Descriptor } from '../../shared/oci/descriptor.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import {
  apiHost,
  defaultRegistry,
  parseReference,
  type Reference,
  type Repository,
} from '../../shared/reference.ts'
import { insecureHosts } from './addresses.ts'
import { createAuthenticator } from './auth.ts'
import { hasOwnCertificates, trustedCertificates } from './certificates.ts'
import type { RegistryContext } from './context.ts'
import type { Credentials } from './credentials.ts'
import { type FetchBlobOptions, streamBlob } from './fetch.ts'
import { foreignLookup } from './foreign-lookup.ts'
import { checkLogin, type LoginResult } from './login.ts'
import { orAborted } from './or-aborted.ts'
import { registryMirrors } from './mirrors.ts'
import { type BlobSource, pushBlob, type PushBlobOptions, type PushedBlob } from './push-blob.ts'
import { pushManifest, type PushManifestOptions } from './push-manifest.ts'
import {
  fetchDocument,
  headReference,
  type ResolvedDocument,
  type ResolveOptions,
  resolveReference,
} from './resolve.ts'
import type { RetryPolicy } from './retry.ts'
import { listTags } from './tags.ts'
import type { Body, RegistryLog, Request, Response, Route, Send, Timeouts } from './transport.ts'

export interface RegistryConfig {
  /** `host`, `host:port` or an address range; loopback is always among them. */
  insecureRegistries: string[]
  /** Per registry, URLs that are asked before it. */
  mirrors: Record<string, string[]>
  /** Other kagods that are asked for what has a digest. */
  peers?: string[] | undefined
  /** Directory with `HOST[:PORT]/ca.crt`. */
  certsDir?: string | undefined
  timeouts?: Partial<Timeouts> | undefined
  retry?: Partial<RetryPolicy> | undefined
  /** Larger blobs are uploaded in pieces of this size, so that they can go on after a failure: 32 MiB. */
  uploadChunkBytes?: number | undefined
}

export interface RegistryClient {
  /** The verified index or manifest that a reference names. */
  resolve(reference: Reference, options?: ResolveOptions): Promise<ResolvedDocument>
  /** What a reference names now, without fetching it; undefined when there is no such manifest to be seen. */
  headManifest(reference: Reference, options?: ResolveOptions): Promise<Descriptor | undefined>
  /** The tags of a repository, as the registry lists them. */
  listTags(repository: Repository, options?: ResolveOptions): Promise<string[]>
  /** The verified bytes of a manifest (or index) that an index lists. */
  fetchManifest(
    repository: Repository,
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    options?: ResolveOptions,
  ): Promise<Uint8Array>
  /** A blob's bytes from an offset to its end, in one stream; as many as its size says, their digest unchecked. */
  fetchBlob(
    repository: Repository,
    blob: { digest: Digest; size: number },
    options?: FetchBlobOptions,
  ): AsyncIterable<Uint8Array>
  /** Brings a blob into a repository, unless it is there; see push-blob.ts. */
  pushBlob(
    repository: Repository,
    blob: { digest: Digest; size: number },
    source: BlobSource,
    options?: PushBlobOptions,
  ): Promise<PushedBlob>
  /** Brings a manifest or index to a tag or digest; what it lists must be there. */
  pushManifest(
    reference: Reference,
    manifest: { digest: Digest; mediaType: string; bytes: Uint8Array },
    options?: PushManifestOptions,
  ): Promise<void>
  /** @throws unauthenticated when the registry does not accept the credentials. */
  checkLogin(
    registry: string,
    credentials: Credentials,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<LoginResult>
  /** Ends all connections; calls that are under way fail. */
  close(): Promise<void>
}

const silent: RegistryLog = { debug: () => undefined, warn: () => undefined }

/** @throws invalid_argument for entries of insecureRegistries or mirrors that cannot be meant. */
export function createRegistryClient(config: RegistryConfig, log: RegistryLog = silent): RegistryClient {
  const timeouts: Timeouts = {
    connectMs: 10_000,
    headersMs: 30_000,
    stallMs: 30_000,
    commitMs: 300_000,
    ...config.timeouts,
  }
  const insecure = insecureHosts(config.insecureRegistries)
  const { send, close } = createSend(config.certsDir, timeouts)
  const context: RegistryContext = {
    send,
    insecure,
    mirrors: registryMirrors(config.mirrors, insecure, config.peers),
    authenticator: createAuthenticator(),
    schemes: new Map(),
    timeouts,
    retry: { attempts: 5, baseMs: 500, maximumMs: 30_000, ...config.retry },
    uploadChunkBytes: config.uploadChunkBytes ?? 32 << 20,
    log,
  }
  return {
    resolve: async (reference, options = {}) => await resolveReference(context, reference, options),
    headManifest: async (reference, options = {}) => await headReference(context, reference, options),
    listTags: async (repository, options = {}) => await listTags(context, repository, options),
    fetchManifest: async (repository, descriptor, options = {}) =>
      await fetchDocument(context, repository, descriptor, options),
    fetchBlob: (repository, blob, options = {}) => streamBlob(context, repository, blob, options),
    pushBlob: async (repository, blob, source, options = {}) =>
      await pushBlob(context, repository, blob, source, options),
    pushManifest: async (reference, manifest, options = {}) =>
      await pushManifest(context, reference, manifest, options),
    checkLogin: async (registry, credentials, options = {}) =>
      await checkLogin(context, registryOf(registry), credentials, options.signal),
    close,
  }
}

/** A registry as a person names it at login, by any of its names. @throws invalid_argument */
function registryOf(text: string): string {
  if (text === apiHost(defaultRegistry)) return defaultRegistry
  const { registry, repository } = parseReference(`${text}/login`)
  // What was no host has become part of the repository.
  if (repository === 'login' || repository === 'library/login') return registry
  throw new KagoError('invalid_argument', `not a registry: ${JSON.stringify(text.slice(0, 100))}`, {
    hint: 'a registry is a host, with or without a port: ghcr.io',
  })
}

/** Connections are shared by all who need the same kind of trust, and kept for the next request. */
function createSend(
  certsDir: string | undefined,
  timeouts: Timeouts,
): { send: Send; close: () => Promise<void> } {
  const agents = new Map<string, Promise<Agent>>()
  return {
    async send(exchange, route) {
      const isTls = exchange.url.protocol === 'https:'
      const host = isTls && !route.isInsecure && (await hasOwnCertificates(certsDir, exchange.url.host))
      const key = `${isTls} ${route.isInsecure} ${route.isForeign} ${host ? exchange.url.host : ''}`
      let agent = agents.get(key)
      if (agent === undefined) {
        agent = createAgent(exchange.url, route, certsDir, timeouts)
        agents.set(key, agent)
        agent.catch(() => agents.delete(key))
      }
      return await sendWith(await agent, exchange, timeouts)
    },
    async close() {
      const all = [...agents.values()]
      agents.clear()
      await Promise.all(all.map(async (agent) => (await agent).destroy()))
    },
  }
}

async function createAgent(
  url: URL,
  route: Route,
  certsDir: string | undefined,
  timeouts: Timeouts,
): Promise<Agent> {
  const isTls = url.protocol === 'https:'
  // Loaded with the first request to a registry: a daemon that only runs containers does without.
  const undici = await import('undici')
  // One context for all connections: reading some hundred authorities takes its time.
  const ca = isTls && !route.isInsecure ? await trustedCertificates(certsDir, url.host) : undefined
  return new undici.Agent({
    headersTimeout: timeouts.headersMs,
    // Bodies are watched by readSteadily, which does not count the time that the reader takes.
    bodyTimeout: 0,
    connections: 16,
    pipelining: 1,
    allowH2: false,
    connect: {
      timeout: timeouts.connectMs,
      ...(isTls && route.isInsecure && { rejectUnauthorized: false }),
      ...(ca && { secureContext: createSecureContext({ ca }) }),
      ...(route.isForeign && { lookup: foreignLookup(lookup) }),
    },
  })
}

/** A source is opened by its first reading, and closed by undici whatever becomes of the request. */
function bodyOf(body: Body): string | Uint8Array | Readable {
  return typeof body === 'function' ? Readable.from(body(), { objectMode: false }) : body
}

async function sendWith(agent: Agent, exchange: Request, timeouts: Timeouts): Promise<Response> {
  const answer = agent.request({
    origin: exchange.url.origin,
    path: exchange.url.pathname + exchange.url.search,
    method: exchange.method,
    headers: { 'user-agent': 'kago', ...exchange.headers },
    headersTimeout: exchange.headersMs ?? timeouts.headersMs,
    ...(exchange.body !== undefined && { body: bodyOf(exchange.body) }),
    ...(exchange.signal && { signal: exchange.signal }),
  })
  // undici looks at the signal once it is connected: a host that accepts and never says a word would hold us till then.
  const { statusCode, headers, body } = await orAborted(answer, exchange.signal)
  // Who reads the body gets its errors from the reading; without a listener they would be thrown at nobody as well.
  body.on('error', () => undefined)
  const all = (name: string): string[] => [headers[name] ?? []].flat()
  return {
    status: statusCode,
    url: exchange.url,
    body,
    header: (name) => all(name)[0],
    headers: all,
    async drain() {
      try {
        await body.dump({ limit: 64 * 1024, signal: AbortSignal.timeout(2000) })
      } catch {
        body.destroy()
      }
    },
    discard() {
      if (!body.readableEnded) body.destroy()
    },
  }
}
