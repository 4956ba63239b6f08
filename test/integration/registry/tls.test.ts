/** TLS by default; plain HTTP and unknown certificates only where that is configured, or on this machine. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseReference } from '../../../shared/reference.ts'
import { collect, failureOf, makeClient, setUp } from './setup.ts'

async function makeCertsDir(host: string, ca = ''): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'kago-certs-'))
  onTestFinished(async () => await rm(directory, { recursive: true }))
  await mkdir(join(directory, host))
  await writeFile(join(directory, host, 'ca.crt'), ca)
  return directory
}

describe('a registry on this machine', () => {
  it('is spoken to with TLS where it has that, whoever signed its certificate', async () => {
    const { client, reference, layer, registry } = await setUp({
      tls: true,
      redirectBlobs: false,
      auth: 'none',
    })
    expect(registry.url).toMatch(/^https:/)
    await client.resolve(reference)
    expect(await collect(client.fetchBlob(reference, layer))).toEqual(layer.bytes)
  })

  it('with TLS may not send its readers on without', async () => {
    const { client, reference, layer } = await setUp({ tls: true, auth: 'none' })
    expect(await failureOf(collect(client.fetchBlob(reference, layer)))).toMatchObject({
      code: 'permission_denied',
    })
  })
})

// 0.0.0.0 leads to this machine too, but is not known to: so it is treated as any other host.
describe('elsewhere', () => {
  it('a certificate that nobody knows is refused, and the hint says where to put its authority', async () => {
    const { registry } = await setUp({ tls: true, auth: 'none' })
    const client = makeClient()
    const name = `0.0.0.0:${registry.port}`
    const failure = await failureOf(client.resolve(parseReference(`${name}/library/thing`)))
    expect(failure).toMatchObject({
      code: 'unavailable',
      message: `the certificate of ${name} is not trusted: it is signed by nobody this machine knows`,
      hint: `put its authority's certificate into kagod's certsDir as ${name}/ca.crt`,
    })
  })

  it('a certificate of certsDir is trusted, for its host and port only', async () => {
    const { registry, image } = await setUp({ tls: true, auth: 'none', tlsNames: ['IP:0.0.0.0'] })
    const reference = parseReference(`0.0.0.0:${registry.port}/library/thing`)
    const elsewhere = makeClient({
      certsDir: await makeCertsDir(`0.0.0.0:${registry.port + 1}`, registry.ca),
    })
    expect(await failureOf(elsewhere.resolve(reference))).toMatchObject({
      message: expect.stringContaining('is not trusted'),
    })
    const here = makeClient({ certsDir: await makeCertsDir(`0.0.0.0:${registry.port}`, registry.ca) })
    expect(await here.resolve(reference)).toMatchObject({ digest: image.manifest.digest })
  })

  it('a certificate for another host is refused though its authority is known', async () => {
    const { registry } = await setUp({ tls: true, auth: 'none' })
    const name = `0.0.0.0:${registry.port}`
    const client = makeClient({ certsDir: await makeCertsDir(name, registry.ca) })
    expect(await failureOf(client.resolve(parseReference(`${name}/library/thing`)))).toMatchObject({
      message: expect.stringContaining('it is for another host'),
    })
  })

  it('a registry without TLS is not spoken to, and sees nothing of the request', async () => {
    const { registry } = await setUp({ auth: 'none' })
    const client = makeClient()
    const name = `0.0.0.0:${registry.port}`
    expect(await failureOf(client.resolve(parseReference(`${name}/library/thing`)))).toMatchObject({
      code: 'unavailable',
      message: `${name} does not speak TLS`,
      hint: `if it is meant to be without, add "${name}" to insecureRegistries in kagod's configuration`,
    })
    expect(registry.requests).toEqual([])
  })

  it('a registry without TLS is spoken to where that is configured', async () => {
    const { registry, image } = await setUp({ auth: 'none' })
    const client = makeClient({ insecureRegistries: [`0.0.0.0:${registry.port}`] })
    const reference = parseReference(`0.0.0.0:${registry.port}/library/thing`)
    expect(await client.resolve(reference)).toMatchObject({ digest: image.manifest.digest })
  })
})
