/** Puts images into a test registry, over the distribution API and past the front's faults. */
import type { Blob, TestImage, TestIndex } from './image.ts'
import type { TestRegistry } from './registry.ts'

/** Pushes an image, or an index and all it lists, and gives the digest. Without a tag it can be pulled by digest only. */
export async function pushImage(
  registry: TestRegistry,
  repository: string,
  tag: string | undefined,
  image: TestImage | TestIndex,
): Promise<string> {
  if (image.kind === 'index')
    for (const part of image.images) await pushImage(registry, repository, undefined, part)
  else for (const blob of [image.config, ...image.layers]) await pushBlob(registry, repository, blob)
  return await pushManifest(registry, repository, tag, image.manifest)
}

export async function pushBlob(registry: TestRegistry, repository: string, blob: Blob): Promise<void> {
  const { url, authorizationFor } = registry.backend
  const headers = authorizationFor(repository)
  const begun = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers })
  await expectStatus(begun, 202, 'begin an upload')
  const location = new URL(begun.headers.get('location') ?? '', url)
  location.searchParams.set('digest', blob.digest)
  const put = await fetch(location, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/octet-stream' },
    body: new Uint8Array(blob.bytes),
  })
  await expectStatus(put, 201, `upload ${blob.digest}`)
}

export async function pushManifest(
  registry: TestRegistry,
  repository: string,
  tag: string | undefined,
  manifest: Blob,
): Promise<string> {
  const { url, authorizationFor } = registry.backend
  const put = await fetch(`${url}/v2/${repository}/manifests/${tag ?? manifest.digest}`, {
    method: 'PUT',
    headers: { ...authorizationFor(repository), 'content-type': manifest.mediaType },
    body: new Uint8Array(manifest.bytes),
  })
  await expectStatus(put, 201, `put the manifest of ${repository}`)
  return manifest.digest
}

async function expectStatus(response: Response, status: number, what: string): Promise<void> {
  const text = await response.text()
  if (response.status !== status) throw new Error(`${what}: ${response.status} ${text}`)
}
