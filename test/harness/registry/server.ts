/** An HTTP server of a test: on a free port of 127.0.0.1, writing down what it is asked. */
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Signer } from './token.ts'

export interface RecordedRequest {
  server: 'registry' | 'token' | 'storage'
  method: string
  /** Path and query. */
  url: string
  authorization: string | undefined
  range: string | undefined
  /** Of requests with a short one, as those for tokens by POST. */
  body: string
  /** Bytes of the body that came. */
  bodyBytes: number
  /** Once it is answered. */
  readonly status: number | undefined
}

export interface TestServer {
  /** `http://127.0.0.1:PORT` or `https://…`. */
  url: string
  host: string
  port: number
  close(): Promise<void>
}

export type Handle = (
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
  bytes: Buffer,
) => Promise<void>

export async function serve(
  name: RecordedRequest['server'],
  requests: RecordedRequest[],
  handle: Handle,
  tls?: Signer,
): Promise<TestServer> {
  const listener: RequestListener = (request, response) => {
    void respond(request, response)
  }
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    const { method = 'GET', url = '/', headers } = request
    const { authorization, range } = headers
    const record: RecordedRequest = {
      server: name,
      method,
      url,
      authorization,
      range,
      body: '',
      bodyBytes: 0,
      get status() {
        return response.headersSent ? response.statusCode : undefined
      },
    }
    requests.push(record)
    try {
      for await (const chunk of request) {
        const bytes = Buffer.from(chunk)
        chunks.push(bytes)
        record.bodyBytes += bytes.length
      }
      const whole = Buffer.concat(chunks)
      if (whole.length < 64 * 1024) record.body = whole.toString()
      await handle(request, response, record.body, whole)
    } catch (error) {
      if (response.destroyed) return
      if (!response.headersSent) response.writeHead(500)
      response.end(String(error))
    }
  }
  const server: Server = tls
    ? createTlsServer({ key: tls.keyPem, cert: tls.certificatePem }, listener)
    : createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  const host = `127.0.0.1:${address.port}`
  return {
    url: `${tls ? 'https' : 'http'}://${host}`,
    host,
    port: address.port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
