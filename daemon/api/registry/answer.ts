/** Answers as the OCI distribution specification has them. */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** What goes back, but for the bytes of a blob. */
export interface Answer {
  status: number
  headers?: Record<string, string>
  body?: Buffer
}

/** A request that cannot be answered by what it asks for. */
export class Refusal extends Error {
  readonly answer: Answer

  /** @param code one of the specification's: `MANIFEST_UNKNOWN` */
  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.answer = json({ errors: [{ code, message, detail: null }] }, status, headers)
  }
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  }
}

/** To a HEAD go the same headers and no body. */
export function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers = {}, body = Buffer.alloc(0) }: Answer,
): void {
  response.writeHead(status, { 'content-length': String(body.length), ...headers })
  response.end(request.method === 'HEAD' ? undefined : body)
}
