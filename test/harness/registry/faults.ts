/** Faults on demand: what registries do to their clients, one at a time and as often as asked. */

/**
 * What an answer is about. `blob` is the bytes themselves, wherever they are served from; `upload` each request of bringing
 * one; a manifest that is brought is a `manifest` with the method PUT.
 */
export type Subject = 'manifest' | 'blob' | 'redirect' | 'token' | 'login' | 'upload' | 'tags'

export type FaultKind =
  /** The connection ends after so many bytes of the body. */
  | { kind: 'drop'; after: number }
  /** No more bytes come after so many, and the connection stays. */
  | { kind: 'stall'; after: number }
  /** So many bytes at a time, with a pause between. */
  | { kind: 'drip'; bytes: number; everyMs: number }
  | {
      kind: 'status'
      status: number
      retryAfter?: string
      body?: string
      headers?: Record<string, string>
    }
  /** Content-Length is so many bytes off; the connection ends after the true ones. */
  | { kind: 'length'; by: number }
  /** More bytes than there are, chunked. */
  | { kind: 'extra'; bytes: number }
  /** The byte at an offset is changed. */
  | { kind: 'flip'; at: number }
  /** 200 and the whole for a request with a Range. */
  | { kind: 'ignore-range' }
  /** 206 with a Content-Range that begins so many bytes off. */
  | { kind: 'wrong-range'; by: number }
  /** Content-Encoding: gzip, the body compressed; with `isLie` only the header. */
  | { kind: 'gzip'; isLie?: boolean }
  /** Without Content-Length. */
  | { kind: 'chunked' }
  /** These headers are set, or taken away by undefined. */
  | { kind: 'headers'; headers: Record<string, string | undefined> }
  /** The answer's body is another. */
  | { kind: 'body'; body: string | Buffer; headers?: Record<string, string> }
  /** Only for redirects and uploads: where to. `{location}` stands for what it would be. */
  | { kind: 'location'; location: string }
  /** Only for uploads: so many bytes are taken, then the connection breaks without an answer. */
  | { kind: 'cut'; after: number }
  /** Only for uploads: so many bytes of the request are taken, which the answer says. */
  | { kind: 'short'; bytes: number }
  /** Only for redirects: a signature that is no longer good. */
  | { kind: 'expired' }

export type Fault = FaultKind & {
  on: Subject
  /** How often; once unless told. */
  times?: number
  /** Only requests of this method. */
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Only URLs that have this in them. */
  url?: string
}

export interface Faults {
  /** Answers from now on have it, in the order in which they were added, until they are used up. */
  add(fault: Fault): void
  clear(): void
  /** Those that were not used up. */
  left(): Fault[]
  /** Takes the next one that is meant for an answer. */
  take(on: Subject, method: string, url: string): Fault | undefined
}

export function createFaults(): Faults {
  let faults: (Fault & { times: number })[] = []
  return {
    add(fault) {
      faults.push({ times: 1, ...fault })
    },
    clear() {
      faults = []
    },
    left: () => [...faults],
    take(on, method, url) {
      const fault = faults.find(
        (candidate) =>
          candidate.on === on &&
          (candidate.method ?? method) === method &&
          (candidate.url === undefined || url.includes(candidate.url)),
      )
      if (fault === undefined) return undefined
      fault.times -= 1
      faults = faults.filter(({ times }) => times > 0)
      return fault
    },
  }
}
