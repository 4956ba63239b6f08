/** kagod as a registry: what skopeo, another kagod and odd clients get from it. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type RegistryListener, serveRegistry } from '../../../daemon/api/registry/serve.ts'
import { userLine } from '../../../daemon/api/registry/users.ts'
import { pullImage } from '../../../daemon/image/pull.ts'
import { createRegistryClient } from '../../../daemon/registry/client.ts'
import { mediaTypes } from '../../../shared/oci/media-types.ts'
import { makeImage, makeIndex, type TestImage, type TestIndex } from '../../harness/registry/image.ts'
import { pushImage } from '../../harness/registry/push.ts'
import { startRegistry, type TestRegistry } from '../../harness/registry/registry.ts'
import { makeCertificate } from '../../harness/registry/token.ts'
import { failureOf } from '../registry/setup.ts'
import { load, never, ociArchive, openTestStore, smallImage, type TestStore } from './harness.ts'

const run = promisify(execFile)
let origin: TestRegistry
let store: TestStore
let offer: RegistryListener
let mine: TestImage
let index: TestIndex
const scratch = mkdtempSync(join(tmpdir(), 'kago-offer-'))
const local = smallImage('offered')
const client = createRegistryClient({
  insecureRegistries: [],
  mirrors: {},
  retry: { attempts: 2, baseMs: 1 },
})

/** Where it offers what came from the test registry. */
const path = () => `${origin.host.replace(':', '_')}/team/app`

beforeAll(async () => {
  origin = await startRegistry()
  store = openTestStore({ registry: client })
  mine = await makeImage({ layers: [{ a: 'b' }, { c: 'd'.repeat(3_000_000) }], mediaTypes: 'docker' })
  const foreign = await makeImage({ layers: [{ a: 'c' }], platform: { os: 'linux', architecture: 'arm64' } })
  index = makeIndex([mine, foreign])
  await pushImage(origin, 'team/app', '1', index)
  await pullImage(
    store.context,
    { reference: `${origin.host}/team/app:1` },
    { report: () => {}, signal: never },
  )
  for (const name of ['docker.io/library/small:1', 'docker.io/library/small:2', 'localhost/mine:latest'])
    await load(store, ociArchive([{ image: local, name }]))
  offer = await serveRegistry(store.context, { listen: '127.0.0.1:0' })
})
afterAll(async () => {
  await offer.close()
  await store.close()
  await client.close()
  await origin.close()
  rmSync(scratch, { recursive: true })
})

const get = async (below: string, init: RequestInit = {}, at = offer) =>
  await fetch(`http://${at.address}/v2/${below}`, init)
const codeOf = async (response: Response) =>
  ((await response.json()) as { errors: { code: string }[] }).errors[0]?.code

describe('skopeo', () => {
  it.each(['small:1', 'library/small:2', 'localhost/mine'])(
    'copies %s out of it, digests and all',
    async (name) => {
      const directory = join(scratch, name.replace(/\W/g, '-'))
      const from = `docker://${offer.address}/${name}`
      await run('skopeo', ['copy', '--src-tls-verify=false', '--preserve-digests', from, `dir:${directory}`])
      expect(readFileSync(join(directory, 'manifest.json'))).toEqual(local.manifest.bytes)
      for (const { digest, bytes } of local.layers)
        expect(readFileSync(join(directory, digest.slice('sha256:'.length)))).toEqual(bytes)
    },
  )

  it('chooses its platform from an index, and lists tags', async () => {
    const from = `docker://${offer.address}/${path()}`
    const options = ['--tls-verify=false', '--override-arch', 'amd64']
    const { stdout } = await run('skopeo', ['inspect', ...options, '--raw', `${from}:1`])
    expect(stdout).toBe(index.manifest.bytes.toString())
    const copy = ['copy', '--src-tls-verify=false', '--override-arch', 'amd64', `${from}:1`]
    await run('skopeo', [...copy, `dir:${join(scratch, 'chosen')}`])
    expect(readFileSync(join(scratch, 'chosen', 'manifest.json'))).toEqual(mine.manifest.bytes)
    const tags = await run('skopeo', ['list-tags', '--tls-verify=false', `docker://${offer.address}/small`])
    expect(JSON.parse(tags.stdout)).toMatchObject({ Tags: ['1', '2'] })
  })
})

describe('another kagod', () => {
  it('pulls from it', async () => {
    const other = openTestStore({ registry: client })
    onTestFinished(async () => await other.close())
    const options = { report: () => {}, signal: never }
    const pulled = await pullImage(other.context, { reference: `${offer.address}/${path()}:1` }, options)
    expect(pulled).toMatchObject({ digest: index.manifest.digest, id: mine.config.digest })
  })

  it.each([true, false])('asks it as a peer for what has a digest (index here: %s)', async (isWhole) => {
    const peered = createRegistryClient({
      insecureRegistries: [],
      mirrors: {},
      peers: [`http://${offer.address}`],
    })
    const other = openTestStore({ registry: peered })
    onTestFinished(async () => {
      await other.close()
      await peered.close()
    })
    const elsewhere = isWhole ? 'team/app' : 'team/copy'
    if (!isWhole) await pushImage(origin, 'team/copy', '1', mine)
    origin.requests.length = 0
    const options = { report: () => {}, signal: never }
    const pulled = await pullImage(other.context, { reference: `${origin.host}/${elsewhere}:1` }, options)
    expect(pulled.id).toBe(mine.config.digest)
    const asked = origin.requests.filter(({ url, status }) => url.startsWith('/v2/') && status !== 401)
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET /v2/${elsewhere}/manifests/1`])
  })

  it('goes on to the registry when a peer lacks it, lies, or is away', async () => {
    const image = await makeImage({ layers: [{ only: 'there' }] })
    await pushImage(origin, 'team/only', '1', image)
    const liar = await startRegistry({ auth: 'none', redirectBlobs: false })
    await pushImage(liar, `${origin.host.replace(':', '_')}/team/only`, '1', image)
    liar.faults.add({ on: 'blob', kind: 'flip', at: 5, method: 'GET', times: 100 })
    const peers = ['http://127.0.0.1:1', `http://${offer.address}`, liar.url]
    const warned: unknown[] = []
    const log = {
      debug: () => {},
      warn: (fields: Record<string, unknown>) => void warned.push(fields['mirror']),
    }
    const peered = createRegistryClient({ insecureRegistries: [], mirrors: {}, peers }, log)
    const other = openTestStore({ registry: peered })
    onTestFinished(async () => {
      await other.close()
      await peered.close()
      await liar.close()
    })
    const options = { report: () => {}, signal: never }
    const pulled = await pullImage(other.context, { reference: `${origin.host}/team/only:1` }, options)
    expect(pulled.id).toBe(image.config.digest)
    expect(warned).toEqual(['127.0.0.1:1'])
  })
})

describe('a manifest', () => {
  it('comes by tag and by digest, with its type, also to a HEAD', async () => {
    for (const reference of ['1', local.manifest.digest])
      for (const method of ['GET', 'HEAD']) {
        const response = await get(`library/small/manifests/${reference}`, { method })
        expect(response.status).toBe(200)
        expect(Object.fromEntries(response.headers)).toMatchObject({
          'content-type': mediaTypes.ociManifest,
          'docker-content-digest': local.manifest.digest,
          'content-length': String(local.manifest.bytes.length),
          'docker-distribution-api-version': 'registry/2.0',
        })
        const body = Buffer.from(await response.arrayBuffer())
        expect(body).toEqual(method === 'GET' ? local.manifest.bytes : Buffer.alloc(0))
      }
  })

  it('goes instead of its index to who takes no index', async () => {
    const headers = { accept: mediaTypes.dockerManifest }
    const response = await get(`${path()}/manifests/1`, { headers })
    expect(response.headers.get('content-type')).toBe(mediaTypes.dockerManifest)
    expect(response.headers.get('docker-content-digest')).toBe(mine.manifest.digest)
  })

  it.each([
    ['library/small/manifests/3', 404, 'MANIFEST_UNKNOWN'],
    ['no/such/manifests/1', 404, 'MANIFEST_UNKNOWN'],
    [`library/small/manifests/sha256:${'0'.repeat(64)}`, 404, 'MANIFEST_UNKNOWN'],
    [`library/small/manifests/${local.config.digest}`, 404, 'MANIFEST_UNKNOWN'],
    ['library/small/manifests/..%2f..%2fetc', 404, 'MANIFEST_UNKNOWN'],
    [`library/small/blobs/sha256:${'0'.repeat(64)}`, 404, 'BLOB_UNKNOWN'],
    ['library/small/blobs/sha256:..%2f..%2f..%2fetc%2fpasswd', 400, 'DIGEST_INVALID'],
    ['library/small/blobs/nonsense', 400, 'DIGEST_INVALID'],
    ['no/such/tags/list', 404, 'NAME_UNKNOWN'],
    ['UPPER/case/tags/list', 404, 'NAME_INVALID'],
    ['library/small/tags/list?n=x', 400, 'PAGINATION_NUMBER_INVALID'],
    ['../../etc/passwd', 404, 'NAME_INVALID'],
    ['library/small/manifests/%ff', 404, 'MANIFEST_UNKNOWN'],
  ])('%s is answered by %i %s', async (below, status, code) => {
    const response = await get(below)
    expect([response.status, await codeOf(response)]).toEqual([status, code])
  })
})

describe('a blob', () => {
  const blob = () => mine.layers[1] ?? mine.config

  it('comes whole, in part, or not at all', async () => {
    const { digest, bytes, size } = blob()
    const part = async (range: string) => await get(`any/name/blobs/${digest}`, { headers: { range } })
    const whole = await get(`any/name/blobs/${digest}`)
    expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true)
    for (const [range, start, end] of [
      ['bytes=0-0', 0, 1],
      ['bytes=10-', 10, size],
      ['bytes=5-999999999', 5, size],
      ['bytes=-7', size - 7, size],
    ] as const) {
      const response = await part(range)
      expect(response.status).toBe(206)
      expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/${size}`)
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes.subarray(start, end))).toBe(true)
    }
    expect((await part(`bytes=${size}-`)).status).toBe(416)
    for (const range of ['bytes=0-1,4-5', 'lines=1-2', 'bytes=9-2'])
      expect((await part(range)).status).toBe(200)
  })
})

describe('lists', () => {
  it('come in pages', async () => {
    const first = await get('library/small/tags/list?n=1')
    expect(await first.json()).toEqual({ name: 'library/small', tags: ['1'] })
    const next = /^<(.*)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
    const second = await fetch(`http://${offer.address}${next}`)
    expect(await second.json()).toEqual({ name: 'library/small', tags: ['2'] })
    expect(second.headers.get('link')).toBeNull()
    expect(await (await get('_catalog')).json()).toEqual({
      repositories: [path(), 'library/small', 'localhost/mine'],
    })
  })
})

describe('who may', () => {
  it('not push', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const response = await get('library/small/manifests/1', { method })
      expect([response.status, await codeOf(response)]).toEqual([405, 'UNSUPPORTED'])
    }
  })

  it('not come from a web page, or for another host', async () => {
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect((await get('', { headers })).status).toBe(403)
    const { stdout } = await run('curl', ['-s', '-H', 'Host: evil.example', `http://${offer.address}/v2/`])
    expect(stdout).toContain('DENIED')
  })

  it('pull with a name and a password, where there are users', async () => {
    const file = join(scratch, 'users')
    writeFileSync(file, `# who may\n${await userLine('ann', 'canary pa55:word')}\n`, { mode: 0o600 })
    const guarded = await serveRegistry(store.context, { listen: '127.0.0.1:0', usersFile: file })
    onTestFinished(async () => await guarded.close())
    const authorized = async (text: string) => {
      const authorization = `Basic ${Buffer.from(text).toString('base64')}`
      return (await get('', { headers: { authorization } }, guarded)).status
    }
    const refused = await get('library/small/manifests/1', {}, guarded)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="kagod", charset="UTF-8"',
    ])
    expect(await authorized('ann:canary pa55:word')).toBe(200)
    for (const wrong of ['ann:wrong', 'bob:canary pa55:word', 'ann:', ':', 'nonsense'])
      expect(await authorized(wrong)).toBe(401)
    const reference = `${guarded.address}/library/small:1`
    const options = { report: () => {}, signal: never }
    const other = openTestStore({ registry: client })
    onTestFinished(async () => await other.close())
    expect(await failureOf(pullImage(other.context, { reference }, options))).toMatchObject({
      code: 'not_found',
    })
    const credentials = { username: 'ann', password: 'canary pa55:word' }
    expect(await pullImage(other.context, { reference }, { ...options, credentials })).toMatchObject({
      id: local.config.digest,
    })
    const peered = createRegistryClient({
      insecureRegistries: [],
      mirrors: {},
      peers: [`http://ann:canary%20pa55%3Aword@${guarded.address}`],
    })
    onTestFinished(async () => await peered.close())
    const named = { registry: 'registry.invalid', repository: 'x', digest: local.manifest.digest }
    expect(await peered.resolve(named)).toMatchObject({ digest: local.manifest.digest })

    writeFileSync(file, `${await userLine('eve', 'other')}\n`, { mode: 0o600 })
    expect(await authorized('ann:canary pa55:word')).toBe(401)
    expect(await authorized('eve:other')).toBe(200)
  })

  it('reach it from elsewhere only with users and TLS', async () => {
    const file = join(scratch, 'users-2')
    writeFileSync(file, `${await userLine('ann', 'secret')}\n`, { mode: 0o600 })
    for (const more of [{}, { usersFile: file }])
      expect(await failureOf(serveRegistry(store.context, { listen: '0.0.0.0:0', ...more }))).toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining('can be reached by other machines'),
      })
    const { certificatePem, keyPem } = makeCertificate()
    const [certificateFile, keyFile] = [join(scratch, 'cert.pem'), join(scratch, 'key.pem')]
    writeFileSync(certificateFile, certificatePem)
    writeFileSync(keyFile, keyPem)
    const options = { listen: '0.0.0.0:0', usersFile: file, certificateFile, keyFile }
    const open = await serveRegistry(store.context, options)
    onTestFinished(async () => await open.close())
    const at = `docker://127.0.0.1:${open.address.split(':')[1] ?? ''}/small:1`
    const login = ['--src-tls-verify=false', '--src-creds', 'ann:secret']
    await run('skopeo', ['copy', ...login, at, `dir:${join(scratch, 'tls')}`])
    expect(readFileSync(join(scratch, 'tls', 'manifest.json'))).toEqual(local.manifest.bytes)
  })

  it.each(['5000', 'localhost:5000', '127.0.0.1', '127.0.0.1:99999', '::1:5000', '/run/x'])(
    'not be told by %s where it listens',
    async (listen) => {
      expect(await failureOf(serveRegistry(store.context, { listen }))).toMatchObject({
        code: 'invalid_argument',
      })
    },
  )

  it('not be in a file that others can read', async () => {
    const file = join(scratch, 'users-open')
    writeFileSync(file, '', { mode: 0o644 })
    expect(
      await failureOf(serveRegistry(store.context, { listen: '127.0.0.1:0', usersFile: file })),
    ).toMatchObject({
      message: expect.stringContaining('open to others'),
    })
  })
})
