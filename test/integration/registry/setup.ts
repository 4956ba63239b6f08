/** A registry with an image in it and a client, for the tests of this folder; all of it ends with the test. */
import { onTestFinished } from 'vitest'
import {
  createRegistryClient,
  type RegistryClient,
  type RegistryConfig,
} from '../../../daemon/registry/client.ts'
import { parseReference, type Reference } from '../../../shared/reference.ts'
import { type Blob, makeBlob, makeImage, type TestImage } from '../../harness/registry/image.ts'
import { pushImage } from '../../harness/registry/push.ts'
import { type RegistryOptions, startRegistry, type TestRegistry } from '../../harness/registry/registry.ts'

export interface Setup {
  registry: TestRegistry
  client: RegistryClient
  image: TestImage
  /** The image's only layer: a few hundred bytes that do not repeat. */
  layer: Blob
  reference: Reference
  nameOf(text: string): Reference
}

/** Quick, so that a test of five tries is no test of patience. */
export const quickRetry = { attempts: 4, baseMs: 1, maximumMs: 1000 }

export async function setUp(
  options: RegistryOptions = {},
  config: Partial<RegistryConfig> = {},
  repository = 'library/thing',
): Promise<Setup> {
  const registry = await startRegistry(options)
  onTestFinished(async () => await registry.close())
  const layerBytes = Buffer.from(Array.from({ length: 600 }, (_, index) => (index * 7919) % 251))
  const image = await makeImage({ layers: [layerBytes], compression: 'none', config: { Cmd: ['sh'] } })
  await pushImage(registry, repository, 'latest', image)
  const client = makeClient(config)
  const nameOf = (text: string): Reference => parseReference(`${registry.host}/${text}`)
  const layer = image.layers[0] ?? makeBlob(Buffer.alloc(0), '')
  return { registry, client, image, layer, reference: nameOf(repository), nameOf }
}

export function makeClient(config: Partial<RegistryConfig> = {}): RegistryClient {
  const client = createRegistryClient({ insecureRegistries: [], mirrors: {}, retry: quickRetry, ...config })
  onTestFinished(async () => await client.close())
  return client
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** What a promise fails with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}
