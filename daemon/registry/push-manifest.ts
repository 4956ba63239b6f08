/** Brings a manifest or an index into a repository: the bytes as they are, so that their digest stays what it is. */
import { KagoError } from '../../shared/errors.ts'
import { type Digest, isDigest } from '../../shared/oci/digest.ts'
import { familiarReference, familiarRepository, type Reference } from '../../shared/reference.ts'
import { ask } from './ask.ts'
import type { CallOptions, RegistryContext } from './context.ts'
import { readRefusal } from './diagnostics.ts'
import { printable } from './printable.ts'
import { failureOf, type Pushing } from './push-failure.ts'
import { retryAfterOf, retrying, type RetryNotice } from './retry.ts'

export interface PushManifestOptions extends CallOptions {
  onRetry?: ((notice: RetryNotice) => void) | undefined
}

/**
 * What it lists must be there. Under its tag, or under its digest where the reference has one.
 * @throws corrupt when the registry stored something else; unauthenticated, permission_denied, … as named.
 */
export async function pushManifest(
  context: RegistryContext,
  reference: Reference,
  manifest: { digest: Digest; mediaType: string; bytes: Uint8Array },
  options: PushManifestOptions,
): Promise<void> {
  const { registry, repository } = reference
  const what = familiarReference(reference)
  const pushing: Pushing = {
    registry,
    repository: familiarRepository(reference),
    what,
    isLoggedIn: options.credentials !== undefined,
    stallMs: context.timeouts.stallMs,
  }
  await retrying(context.retry, options.signal, options.onRetry, async () => {
    const response = await ask(
      context,
      context.mirrors.origin(registry),
      {
        method: 'PUT',
        repository,
        path: `manifests/${reference.digest ?? reference.tag ?? 'latest'}`,
        headers: { 'content-type': manifest.mediaType, 'content-length': String(manifest.bytes.length) },
        body: manifest.bytes,
        headersMs: context.timeouts.commitMs,
        scope: `repository:${repository}:pull,push`,
        what,
      },
      options,
    )
    if (response.status !== 201 && response.status !== 200) {
      const refusal = await readRefusal(response, pushing.stallMs)
      throw refusedManifest(refusal, pushing) ?? failureOf(refusal, pushing, retryAfterOf(response))
    }
    await response.drain()
    checkDigest(manifest.digest, response.header('docker-content-digest'), pushing)
  })
}

function refusedManifest(
  { status, codes, text }: { status: number; codes: string[]; text: string },
  { registry, what }: Pushing,
): KagoError | undefined {
  if (status !== 400 && status !== 404 && status !== 422) return undefined
  if (!codes.some((code) => /^(MANIFEST|BLOB)_/.test(code))) return undefined
  return new KagoError(
    'unavailable',
    `${registry} does not take the manifest of ${what}${text === '' ? '' : `: ${text}`}`,
    {
      hint: 'something it lists may have been removed there meanwhile: try again',
      details: { status, codes },
    },
  )
}

function checkDigest(digest: Digest, said: string | undefined, { registry, what }: Pushing): void {
  if (said === undefined || said === '' || said === digest) return
  throw new KagoError('corrupt', `${registry} stored another manifest for ${what} than it was given`, {
    hint: 'the registry or something before it changes what it takes',
    details: { expected: digest, received: isDigest(said) ? said : printable(said, 100) },
  })
}
