/** kagod as a registry: its own images, for pulling only, on a listener of its own that is off unless configured. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { BlockList, isIP } from 'node:net'
import { KagoError, toKagoError } from '../../../shared/errors.ts'
import type { ImageContext } from '../../image/context.ts'
import { Refusal, write } from './answer.ts'
import { answerRequest } from './routes.ts'
import { openUsers, type Users } from './users.ts'

export interface RegistryListener {
  /** `127.0.0.1:5000`; with the real port where 0 was asked for. */
  address: string
  close(): Promise<void>
}

export interface RegistryOptions {
  /** An address and a port: `127.0.0.1:5000`, `[::]:5000`. */
  listen: string
  /** The file of those who may pull; everybody who reaches the listener if there is none. */
  usersFile?: string | undefined
  /** Files of TLS; both or none. */
  certificateFile?: string | undefined
  keyFile?: string | undefined
}

const connectionsLimit = 512
/** Nothing moved on a connection for so long: whoever began to read has gone to sleep. */
const idleMs = 120_000
const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/**
 * @throws invalid_argument beyond loopback without users and TLS: images are as private as what is in them, and a password
 *   must not be read on its way; unavailable when the address is taken.
 */
export async function serveRegistry(
  context: ImageContext,
  options: RegistryOptions,
): Promise<RegistryListener> {
  const { address, port, isLocal } = parseListen(options.listen)
  const { usersFile, certificateFile, keyFile } = options
  const tls =
    certificateFile === undefined || keyFile === undefined
      ? undefined
      : { cert: readFile(certificateFile), key: readFile(keyFile) }
  if (!isLocal && (usersFile === undefined || tls === undefined))
    throw new KagoError(
      'invalid_argument',
      `registryListen: ${options.listen} can be reached by other machines`,
      {
        hint: 'set registryUsers, registryCertificate and registryKey as well, or listen on 127.0.0.1',
      },
    )
  const users = usersFile === undefined ? undefined : openUsers(usersFile)
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    void respond(context, users, request, response)
  }
  const limits = { maxHeaderSize: 16 * 1024, requestTimeout: 30_000, keepAliveTimeout: 10_000 }
  const server =
    tls === undefined ? createServer(limits, handle) : createTlsServer({ ...limits, ...tls }, handle)
  server.maxConnections = connectionsLimit
  server.setTimeout(idleMs)
  await listen(server, address, port, options.listen)
  const bound = server.address()
  const shown = isIP(address) === 6 ? `[${address}]` : address
  return {
    address: `${shown}:${typeof bound === 'object' && bound !== null ? bound.port : port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function listen(server: Server, host: string, port: number, text: string): Promise<void> {
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new KagoError('unavailable', `registryListen: cannot listen on ${text}`, {
      hint: 'something else may listen there: ss -ltnp',
      cause: error,
    })
  }
}

async function respond(
  context: ImageContext,
  users: Users | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader('docker-distribution-api-version', 'registry/2.0')
  response.setHeader('x-content-type-options', 'nosniff')
  try {
    refuseBrowsers(request, users)
    if (users !== undefined && !(await users.allows(request.headers.authorization)))
      throw new Refusal(401, 'UNAUTHORIZED', 'log in first', {
        'www-authenticate': 'Basic realm="kagod", charset="UTF-8"',
      })
    await answerRequest(context, request, response)
  } catch (thrown) {
    // A client that went away, or bytes that cannot be read: a part of them is out.
    if (response.headersSent) return void response.destroy()
    if (thrown instanceof Refusal) return write(request, response, thrown.answer)
    const error = toKagoError(thrown)
    if (error.code !== 'unavailable')
      context.log.error({ err: thrown, url: request.url }, 'an image could not be served')
    write(request, response, new Refusal(503, 'UNAVAILABLE', 'it cannot be had now').answer)
  }
}

/** A page in a browser must not read images that only this machine may: it sends an Origin, or comes for another host. */
function refuseBrowsers({ headers }: IncomingMessage, users: Users | undefined): void {
  const isPage = headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
  const isOwn =
    users !== undefined || /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(headers.host ?? '')
  if (isPage || !isOwn)
    throw new Refusal(403, 'DENIED', 'requests from web pages, or for another host, are refused')
}

function parseListen(text: string): { address: string; port: number; isLocal: boolean } {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text) ?? []
  const address = bracketed ?? plain ?? ''
  const family = isIP(address)
  if (family === 0 || Number(port) > 65_535)
    throw new KagoError(
      'invalid_argument',
      `registryListen: not an address and a port: ${JSON.stringify(text)}`,
      {
        hint: 'write 127.0.0.1:5000 or [::1]:5000',
      },
    )
  return { address, port: Number(port), isLocal: loopback.check(address, family === 4 ? 'ipv4' : 'ipv6') }
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new KagoError('invalid_argument', `cannot read ${path}, named in the configuration`, {
      cause: error,
    })
  }
}
