/** What can be asked: the pull half of the OCI distribution specification, and Docker's catalog. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { isDigest } from '../../../shared/oci/digest.ts'
import { isIndexType } from '../../../shared/oci/media-types.ts'
import type { ImageContext } from '../../image/context.ts'
import { offerManifest, offerRepositories, offerTags } from '../../image/offer.ts'
import { type Answer, json, Refusal, write } from './answer.ts'
import { parseRange } from './range.ts'

const pageLimit = 1000
const tagOrDigest = /^(?:\w[\w.-]{0,127}|sha256:[0-9a-f]{64})$/

/** Writes the whole answer. @throws Refusal before anything is written */
export async function answerRequest(
  context: ImageContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = 'GET', url = '/' } = request
  if (method !== 'GET' && method !== 'HEAD')
    throw new Refusal(405, 'UNSUPPORTED', 'images can be pulled from here, not pushed', {
      allow: 'GET, HEAD',
    })
  const [path = '', query = ''] = url.split('?', 2)
  const parameters = new URLSearchParams(query)
  if (path === '/v2/' || path === '/v2') return write(request, response, json({}))
  if (path === '/v2/_catalog')
    return write(request, response, page(path, parameters, 'repositories', {}, offerRepositories(context)))
  const [, name = '', kind, last = ''] =
    /^\/v2\/([a-z0-9][a-z0-9._/-]{0,400})\/(manifests|blobs|tags)\/([^/]+)$/.exec(path) ?? []
  const reference = decode(last)
  if (kind === 'manifests') return write(request, response, await manifest(context, request, name, reference))
  if (kind === 'blobs') return await blob(context, request, response, reference)
  if (kind === 'tags' && reference === 'list') {
    const tags = offerTags(context, name)
    if (tags === undefined) throw new Refusal(404, 'NAME_UNKNOWN', `no image here is called ${name}`)
    return write(request, response, page(path, parameters, 'tags', { name }, tags))
  }
  throw new Refusal(404, 'NAME_INVALID', 'there is nothing to be asked by that path')
}

async function manifest(
  context: ImageContext,
  { headers }: IncomingMessage,
  name: string,
  reference: string,
): Promise<Answer> {
  const accepted = (headers.accept ?? '*/*').split(',').map((type) => type.split(';')[0]?.trim() ?? '')
  const takesIndex = accepted.some((type) => isIndexType(type) || type === '*/*' || type === 'application/*')
  const found = tagOrDigest.test(reference)
    ? await offerManifest(context, name, reference, { takesIndex })
    : undefined
  if (found === undefined)
    throw new Refusal(404, 'MANIFEST_UNKNOWN', `there is no ${name}:${reference} here`.slice(0, 700))
  const { digest, mediaType, bytes } = found
  return {
    status: 200,
    headers: { 'content-type': mediaType, 'docker-content-digest': digest, etag: `"${digest}"` },
    body: bytes,
  }
}

/** Whatever repository it is asked by: who knows the digest knows the bytes. */
async function blob(
  { content }: ImageContext,
  request: IncomingMessage,
  response: ServerResponse,
  digest: string,
): Promise<void> {
  if (!isDigest(digest))
    throw new Refusal(400, 'DIGEST_INVALID', 'a digest is sha256: and 64 hexadecimal digits')
  if (!(await content.has(digest))) throw new Refusal(404, 'BLOB_UNKNOWN', `${digest} is not here`)
  const size = await content.size(digest)
  const part = parseRange(request.headers.range, size)
  if (part === 'none')
    throw new Refusal(416, 'SIZE_INVALID', `it has ${size} bytes`, { 'content-range': `bytes */${size}` })
  const { start, end } = part ?? { start: 0, end: size }
  response.writeHead(part === undefined ? 200 : 206, {
    'content-type': 'application/octet-stream',
    'content-length': String(end - start),
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'accept-ranges': 'bytes',
    ...(part && { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  await pipeline(content.read(digest, { start, end }), response)
}

/** Of a list in order, what comes after `last`, `n` at most, with a Link to the next page. */
function page(
  path: string,
  parameters: URLSearchParams,
  key: string,
  rest: Record<string, unknown>,
  all: readonly string[],
): Answer {
  const wanted = parameters.get('n')
  if (wanted !== null && !/^\d{1,9}$/.test(wanted))
    throw new Refusal(400, 'PAGINATION_NUMBER_INVALID', 'n is a number')
  const after = parameters.get('last') ?? ''
  const left = all.filter((one) => one > after)
  const count = Math.min(pageLimit, wanted === null ? pageLimit : Number(wanted))
  const items = left.slice(0, count)
  const end = items.at(-1)
  const isMore = end !== undefined && items.length < left.length
  const next = `${path}?${new URLSearchParams({ n: String(count), last: end ?? '' }).toString()}`
  return json({ ...rest, [key]: items }, 200, isMore ? { link: `<${next}>; rel="next"` } : {})
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // No tag and no digest looks like it.
    return ''
  }
}
