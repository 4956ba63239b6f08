/** One HTTP exchange as the rest of this folder sees it; only client.ts knows what carries it. */
export interface Request {
  method: Method
  url: URL
  headers: Record<string, string>
  body?: Body | undefined
  signal: AbortSignal | undefined
  /** How long the answer may take once the body is out, where that is not the transport's usual time. */
  headersMs?: number | undefined
}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Bytes at hand, or where they can be had: asked for anew each time that they are sent. Then Content-Length is given. */
export type Body = string | Uint8Array | (() => AsyncIterable<Uint8Array>)

export interface Response {
  status: number
  /** The header's value, the first if it came several times. */
  header(name: string): string | undefined
  /** All values of a header that may come several times. */
  headers(name: string): string[]
  /** To be read to its end or discarded; nothing is buffered before it is read. */
  body: AsyncIterable<Uint8Array>
  /** Reads a short rest so that the connection can be used again; gives it up if the rest is long or slow. */
  drain(): Promise<void>
  /** Gives the connection up. */
  discard(): void
  /** Where the answer came from, after redirects. */
  url: URL
}

/** How far a destination is trusted, which decides over TLS and over the addresses that a name may resolve to. */
export interface Route {
  /** Certificates are not checked: an insecure registry or this machine itself. */
  isInsecure: boolean
  /** Somebody else chose the URL: addresses that only this machine can reach are refused. */
  isForeign: boolean
}

/** Sends one request, follows nothing, retries nothing. Failures are thrown as they are: see diagnostics.ts. */
export type Send = (request: Request, route: Route) => Promise<Response>

/** What is logged; fields never hold credentials, tokens or queries of URLs. */
export interface RegistryLog {
  debug(fields: Record<string, unknown>, text: string): void
  warn(fields: Record<string, unknown>, text: string): void
}

export interface Timeouts {
  connectMs: number
  /** From the request to the first byte of the answer. */
  headersMs: number
  /** Of a body: a kibibyte must come within it. */
  stallMs: number
  /** From the last byte of an upload to the answer: registries hash it meanwhile, and move it to where it stays. */
  commitMs: number
}
