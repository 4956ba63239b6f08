/** A transport for tests: answers from a table, and remembers what it was asked. */
import type { Request, Response, Route, Send } from '../../../../daemon/registry/transport.ts'

export interface FakeAnswer {
  status?: number
  headers?: Record<string, string | string[]>
  body?: string
}

export interface Asked {
  method: string
  url: string
  authorization: string | undefined
  body: Request['body']
  route: Route
}

/** @param answer undefined or a throw is a broken connection. */
export function fakeTransport(
  answer: (request: Request, count: number) => FakeAnswer | Promise<FakeAnswer>,
): {
  send: Send
  asked: Asked[]
} {
  const asked: Asked[] = []
  const send: Send = async (request, route) => {
    const { method, url, headers, body } = request
    asked.push({ method, url: url.href, authorization: headers['authorization'], body, route })
    return toResponse(await answer(request, asked.length), url)
  }
  return { send, asked }
}

function toResponse({ status = 200, headers = {}, body = '' }: FakeAnswer, url: URL): Response {
  const all = (name: string): string[] => [headers[name] ?? []].flat()
  return {
    status,
    url,
    header: (name) => all(name)[0],
    headers: all,
    body: (async function* () {
      await Promise.resolve()
      if (body !== '') yield Buffer.from(body)
    })(),
    drain: async () => {
      await Promise.resolve()
    },
    discard: () => undefined,
  }
}
