/** Debian's docker-registry on loopback, with images made on the spot for those who pull. */
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { startDaemon } from '../engine.ts'
import { digestOf, type LayerBlob, type LayerPlan, readPool, writeLayer } from './layers.ts'

export interface BenchRegistry {
  /** As in a reference: `127.0.0.1:PORT`. */
  readonly host: string
  stop(): Promise<void>
}

export interface BenchImage {
  readonly reference: string
  readonly layers: readonly LayerBlob[]
}

const port = 5555
const host = `127.0.0.1:${port}`

export async function startRegistry(directory: string): Promise<BenchRegistry> {
  mkdirSync(directory)
  const config = join(directory, 'config.yml')
  writeFileSync(
    config,
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${join(directory, 'data')} } }
http: { addr: "${host}", secret: bench }
`,
  )
  const probe = ['curl', '--silent', '--fail', `http://${host}/v2/`]
  const stop = await startDaemon(['docker-registry', 'serve', config], probe, join(directory, 'log'))
  return { host, stop }
}

const ociImage = 'application/vnd.oci.image'

/** Makes an image of as many layers as there are plans, and pushes it. */
export async function makeImage(
  directory: string,
  name: string,
  plans: readonly LayerPlan[],
): Promise<BenchImage> {
  const pool = readPool()
  const layers = await Promise.all(
    plans.map((plan, index) =>
      writeLayer(join(directory, `${name}-${index}`), `${name}-${index}`, plan, pool),
    ),
  )
  for (const { path, digest, size } of layers) await upload(name, digest, size, () => createReadStream(path))
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  )
  const configDigest = digestOf(createHash('sha256').update(config))
  await upload(name, configDigest, config.length, () => [config])
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${ociImage}.manifest.v1+json`,
      config: { mediaType: `${ociImage}.config.v1+json`, digest: configDigest, size: config.length },
      layers: layers.map(({ digest, size }) => ({
        mediaType: `${ociImage}.layer.v1.tar+gzip`,
        digest,
        size,
      })),
    }),
  )
  const headers = { 'content-type': `${ociImage}.manifest.v1+json` }
  await send('PUT', `/v2/${name}/manifests/latest`, headers, manifest.length, () => [manifest])
  return { reference: `${host}/${name}:latest`, layers }
}

type Content = () => AsyncIterable<Buffer> | Iterable<Buffer>

async function upload(name: string, digest: string, size: number, content: Content): Promise<void> {
  const place = await send('POST', `/v2/${name}/blobs/uploads/`, {}, 0, () => [])
  const url = new URL(place, `http://${host}`)
  url.searchParams.set('digest', digest)
  await send('PUT', url.pathname + url.search, { 'content-type': 'application/octet-stream' }, size, content)
}

/** @returns the `Location` of the answer. */
async function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  size: number,
  content: Content,
): Promise<string> {
  const outgoing = request({
    host: '127.0.0.1',
    port,
    method,
    path,
    headers: { ...headers, 'content-length': size },
  })
  const answered = new Promise<string>((resolve, reject) => {
    outgoing.once('error', reject).once('response', (response) => {
      response.resume()
      const status = response.statusCode ?? 0
      if (status >= 200 && status < 300) resolve(response.headers.location ?? '')
      else reject(new Error(`the registry answers ${status} to ${method} ${path}`))
    })
  })
  await Promise.all([pipeline(content(), outgoing), answered])
  return await answered
}
