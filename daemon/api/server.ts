/** The daemon's HTTP server: routes from the contract, checked requests, one form of error. */
import type { Socket } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { KagoError, errorTable, toKagoError } from '../../shared/errors.ts'
import { bodyTypes } from '../../shared/protocol/endpoints.ts'
import { routes } from '../../shared/protocol/index.ts'
import { methodOf, pathOf, type Route } from '../../shared/protocol/route.ts'
import type { Log } from '../telemetry/log.ts'
import { readCredentials } from './credentials.ts'
import { replyWithLines } from './lines.ts'
import { replyWithStream } from './stream.ts'
import type { Call, Handlers, Upgraded } from './route-table.ts'
import { acceptUpgrades, upgradeReply } from './upgrade.ts'
import { compileValidator } from './validate.ts'

const jsonBodyLimit = 16 * 1024 * 1024

/** Builds the server; it listens nowhere yet. */
export function createServer(handlers: Handlers, log: Log): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: jsonBodyLimit,
    routerOptions: { maxParamLength: 4096 },
    forceCloseConnections: true,
    frameworkErrors: (error, request, reply) => {
      sendError(log, request, reply, error)
    },
    clientErrorHandler: refuseBytes,
  })
  app.setValidatorCompiler(({ schema, httpPart }) => compileValidator(schema, httpPart ?? 'body'))
  app.removeContentTypeParser('text/plain')
  app.addContentTypeParser(bodyTypes.tar, (_request, payload, done) => {
    done(null, payload)
  })
  app.addHook('onRequest', refuseBrowsers)
  app.setErrorHandler((error, request, reply) => {
    sendError(log, request, reply, error)
  })
  app.setNotFoundHandler((request, reply) => {
    sendError(
      log,
      request,
      reply,
      new KagoError('not_found', `no such route: ${request.method} ${request.url.split('?')[0]}`, {
        hint: 'client and daemon may be of different versions: compare with kago version',
      }),
    )
  })
  for (const route of Object.values(routes)) addRoute(app, route, handlers)
  acceptUpgrades(app)
  return app
}

function addRoute(app: FastifyInstance, route: Route, handlers: Handlers): void {
  const handler = handlers[route.id] as unknown as (call: Call<Route>, report?: unknown) => unknown
  app.route({
    method: methodOf(route.id),
    url: pathOf(route.id),
    exposeHeadRoute: false,
    schema: {
      ...(route.params !== undefined && { params: route.params }),
      querystring: route.query ?? emptyQuery,
      ...(typeof route.body === 'object' && { body: route.body }),
    },
    handler: async (request, reply) => {
      const call = {
        params: request.params,
        query: request.query,
        body: request.body,
        signal: clientSignal(reply),
        credentials: readCredentials(request.headers),
      } as unknown as Call<Route>
      switch (route.reply) {
        case 'json':
          return await handler(call)
        case 'lines':
          return await replyWithLines(reply, (report) => handler(call, report) as Promise<unknown>)
        case 'stream':
          return await replyWithStream(reply, handler(call) as AsyncIterator<object>, call.signal)
        case 'text':
          return await reply.type(bodyTypes.text).send(await handler(call))
        case 'frames':
        case 'tar': {
          const stream = await handler(call)
          return await reply.type(route.reply === 'tar' ? bodyTypes.tar : bodyTypes.frames).send(stream)
        }
        case 'upgrade':
          return await upgradeReply(request, reply, () => handler(call) as Promise<Upgraded>)
        default:
          return route.reply satisfies never
      }
    },
  })
}

const emptyQuery = { type: 'object', properties: {}, additionalProperties: false }

/** Aborted when the connection closes before the reply is complete. */
function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new KagoError('cancelled', 'the client went away'))
  })
  return controller.signal
}

const ownHosts = /^(kago|localhost|127\.0\.0\.1|\[::1\])?(:\d+)?$/

/**
 * A page in a browser must never reach the daemon, not even by a name that resolves to this machine:
 * browsers send Origin or Sec-Fetch-Site, and the Host they believe in.
 */
async function refuseBrowsers(request: FastifyRequest): Promise<void> {
  const { origin, host, 'sec-fetch-site': site } = request.headers
  if (origin === undefined && site === undefined && ownHosts.test(host ?? '')) return
  throw new KagoError('permission_denied', 'requests from web pages, or for another host, are refused', {
    hint: 'use a client that sends no Origin, and localhost as the host',
  })
}

/** What node:http cannot read as a request, in the one form of error. */
function refuseBytes(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || socket.destroyed || error.code === 'ECONNRESET') return void socket.destroy()
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'the headers are too large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'the request did not come in time']
        : ['400 Bad Request', 'this is not an HTTP request']
  const body = JSON.stringify({ error: { code: 'invalid_argument', message } })
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
}

function sendError(log: Log, request: FastifyRequest, reply: FastifyReply, thrown: unknown): void {
  const error = fromFastify(thrown)
  if (error.code === 'internal') {
    log.error(
      { err: error.cause ?? error, method: request.method, url: request.routeOptions.url },
      'request failed',
    )
  }
  void reply.code(errorTable[error.code].http).type('application/json').send({ error: error.toBody() })
}

/** fastify's own refusals (a body that is no JSON, too large, of another type) are the request's fault. */
function fromFastify(thrown: unknown): KagoError {
  if (thrown instanceof KagoError) return thrown
  if (thrown instanceof Error && 'statusCode' in thrown && Number(thrown.statusCode) < 500) {
    return new KagoError(
      'invalid_argument',
      thrown.message.charAt(0).toLowerCase() + thrown.message.slice(1),
      {
        cause: thrown,
      },
    )
  }
  return toKagoError(thrown)
}
