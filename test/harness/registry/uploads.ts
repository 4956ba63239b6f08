/** The front's part in uploads: passes them on, and breaks them as asked. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault, Faults } from './faults.ts'
import { writeReply } from './reply.ts'

interface State {
  options: { auth?: string }
  faults: Faults
  /** Where uploads go on that were cut. */
  places: Map<string, string>
}

export async function serveUpload(
  state: State,
  backend: string,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  keptHeaders: (upstream: Headers) => Record<string, string>,
): Promise<void> {
  const { method = 'GET', url = '/' } = request
  // The challenge comes first, so that a fault meets a request that would have been answered.
  const fault =
    request.headers.authorization === undefined && state.options.auth === 'token'
      ? undefined
      : state.faults.take('upload', method, url)
  if (fault?.kind === 'status') {
    await writeReply(request, response, { status: fault.status, headers: {}, body: Buffer.alloc(0) }, fault)
    return
  }
  const taken = bytes.subarray(0, takenOf(fault, bytes))
  const id = /\/uploads\/([0-9a-f-]+)/.exec(url)?.[1] ?? ''
  const upstream = await fetch(`${backend}${placeOf(state, id, url)}`, {
    method,
    ...((method === 'PUT' || method === 'PATCH') && { body: new Uint8Array(taken) }),
    headers: {
      ...(method !== 'GET' && { 'content-type': 'application/octet-stream' }),
      ...(request.headers.authorization !== undefined &&
        state.options.auth === 'token' && { authorization: request.headers.authorization }),
    },
  })
  const body = Buffer.from(await upstream.arrayBuffer())
  const location = upstream.headers.get('location')
  if (fault?.kind === 'cut') {
    if (location !== null) state.places.set(id, location)
    response.destroy()
    return
  }
  const headers = keptHeaders(upstream.headers)
  for (const name of ['range', 'docker-upload-uuid']) {
    const value = upstream.headers.get(name)
    if (value !== null) headers[name] = value
  }
  if (location !== null) headers['location'] = locationOf(fault, location, headers)
  await writeReply(request, response, { status: upstream.status, headers, body }, fault)
}

function takenOf(fault: Fault | undefined, bytes: Buffer): number {
  if (fault?.kind === 'cut') return fault.after
  return fault?.kind === 'short' ? fault.bytes : bytes.length
}

/** Debian's registry gives an upload up that goes on at another byte than its Location says. */
function placeOf({ places }: State, id: string, url: string): string {
  const place = places.get(id)
  if (place === undefined) return url
  const digest = new URLSearchParams(url.slice(url.indexOf('?'))).get('digest')
  places.delete(id)
  return digest === null ? place : `${place}&digest=${encodeURIComponent(digest)}`
}

function locationOf(fault: Fault | undefined, location: string, headers: Record<string, string>): string {
  if (fault?.kind === 'headers') return fault.headers['location'] ?? headers['location'] ?? location
  return fault?.kind === 'location' ? fault.location.replace('{location}', location) : location
}
