/** What one pull gets from its registry: documents into content, unless they are there, and blobs as streams. */
import { KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import { documentLimit, parseDocument } from '../../shared/oci/document.ts'
import { type ImageConfig, parseImageConfig } from '../../shared/oci/image-config.ts'
import { type Index, type Manifest, parseIndexOrManifest } from '../../shared/oci/manifest.ts'
import { choosePlatform, type Platform, parsePlatform, runsOn } from '../../shared/oci/platform.ts'
import type { Report } from '../../shared/protocol/progress.ts'
import type { Credentials } from '../../shared/protocol/system.ts'
import type { IngestSource } from '../content/ingest.ts'
import type { Operation } from '../operation/operation.ts'
import { quoteWords } from '../operation/shell.ts'
import type { ImageRow } from '../state/images.ts'
import type { ImageContext } from './context.ts'
import { readDocumentBytes } from './documents.ts'
import type { Release } from './leases.ts'
import type { ImageName } from './names.ts'

export interface TopDocument {
  digest: Digest
  document: Index | Manifest
  rateLimit?: { limit: number; remaining: number; windowSeconds?: number }
}

/** An index may list indexes; deeper than this is nobody's honest work. */
const maxDepth = 4

export class PullSource {
  readonly #context: ImageContext
  readonly #name: ImageName
  readonly #credentials: Credentials | undefined
  readonly #report: Report
  readonly #signal: AbortSignal
  readonly #releases: Release[] = []
  /** What was asked for; undefined leaves it to the machine. */
  readonly platform: Platform | undefined
  /** Everything this pull put into content, or would have. */
  readonly digests = new Set<Digest>()

  constructor(
    context: ImageContext,
    name: ImageName,
    platform: Platform | undefined,
    options: { credentials?: Credentials | undefined; report: Report; signal: AbortSignal },
  ) {
    this.#context = context
    this.#name = name
    this.#credentials = options.credentials
    this.#report = options.report
    this.#signal = options.signal
    this.platform = platform
  }

  suits(row: ImageRow): boolean {
    return runsOn(parsePlatform(row.platform), this.platform ?? this.#context.platform)
  }

  /** What the name stands for at the registry now; undefined if it shows nothing. */
  async head(): Promise<Digest | undefined> {
    return (await this.#context.registry.headManifest(this.#name.reference, this.#options()))?.digest
  }

  /** @param known what the name stands for, if it was asked before: bytes that are here are not fetched again */
  async fetchTop(operation: Operation, known: Digest | undefined): Promise<TopDocument> {
    const { content, registry } = this.#context
    const { familiar, reference } = this.#name
    const digest = known ?? this.#name.digest
    if (digest !== undefined && (await this.#isHeld(digest)))
      return { digest, document: await this.#parse(digest, undefined) }
    const pinned = digest === undefined ? reference : { ...reference, digest }
    const found = await operation.step('find the image', manifestStep(familiar), () =>
      registry.resolve(pinned, this.#options()),
    )
    await this.#hold(found.digest)
    await content.write(found.bytes)
    return {
      digest: found.digest,
      document: await this.#parse(found.digest, found.mediaType),
      ...(found.rateLimit && { rateLimit: withoutUndefined(found.rateLimit) }),
    }
  }

  async fetchManifest(
    operation: Operation,
    top: TopDocument,
  ): Promise<{ manifest: Manifest; manifestDigest: Digest }> {
    let { document, digest } = top
    for (let depth = 0; document.kind === 'index'; depth++) {
      if (depth === maxDepth)
        throw new KagoError(
          'corrupt',
          `${this.#name.familiar} has indexes inside indexes, more than ${maxDepth} deep`,
        )
      const wanted = this.platform ?? this.#context.platform
      const chosen = choosePlatform(document.manifests, wanted, this.#name.familiar)
      digest = chosen.digest
      await this.#hold(digest)
      if (!(await this.#context.content.has(digest))) {
        const about = manifestStep(`${this.#name.familiarRepository}@${digest}`)
        const bytes = await operation.step('fetch the manifest for this platform', about, () =>
          this.#context.registry.fetchManifest(this.#name.reference, chosen, this.#options()),
        )
        await this.#context.content.write(bytes)
      }
      document = await this.#parse(digest, chosen.mediaType)
    }
    return { manifest: document, manifestDigest: digest }
  }

  async fetchConfig(operation: Operation, { config }: Manifest): Promise<ImageConfig> {
    const { content } = this.#context
    const { familiar } = this.#name
    if (config.size > documentLimit)
      throw new KagoError('corrupt', `the config of ${familiar} is larger than ${documentLimit >> 20} MiB`)
    if (!(await this.#isHeld(config.digest))) {
      const shell = quoteWords(['skopeo', 'inspect', '--config', '--raw', `docker://${familiar}`])
      await operation.step('fetch the config', { by: 'GET /v2/…/blobs', shell }, () =>
        content.ingest(config, this.blob(config), { signal: this.#signal }),
      )
    }
    const bytes = await readDocumentBytes(this.#context, config.digest, familiar)
    return parseImageConfig(parseDocument(bytes, `the config of ${familiar}`), familiar)
  }

  /** A blob's bytes. Mirrors are left out of a second try: the first may have got wrong bytes from one. */
  blob(blob: { digest: Digest; size: number }): IngestSource {
    this.digests.add(blob.digest)
    let isDirect = false
    return (offset, signal) => {
      const bytes = this.#context.registry.fetchBlob(this.#name.reference, blob, {
        ...this.#options(),
        offset,
        signal,
        isDirect,
      })
      isDirect = true
      return bytes
    }
  }

  release(): void {
    for (const release of this.#releases.splice(0)) release()
  }

  #options() {
    return {
      credentials: this.#credentials,
      signal: this.#signal,
      onRetry: ({ reason, delayMs }: { reason: string; delayMs: number }) => {
        const message = `${reason}; trying again in ${(delayMs / 1000).toFixed(1)} s`
        this.#report({ type: 'notice', message })
      },
    }
  }

  async #hold(digest: Digest): Promise<void> {
    this.digests.add(digest)
    this.#releases.push(await this.#context.memory.leases.hold([digest]))
  }

  async #isHeld(digest: Digest): Promise<boolean> {
    await this.#hold(digest)
    return await this.#context.content.has(digest)
  }

  async #parse(digest: Digest, mediaType: string | undefined): Promise<Index | Manifest> {
    const { familiar } = this.#name
    const bytes = await readDocumentBytes(this.#context, digest, familiar)
    return parseIndexOrManifest(parseDocument(bytes, `the manifest of ${familiar}`), mediaType, familiar)
  }
}

function manifestStep(name: string): { by: string; shell: string } {
  return {
    by: 'GET /v2/…/manifests',
    shell: quoteWords(['skopeo', 'inspect', '--raw', `docker://${name}`]),
  }
}

function withoutUndefined({
  limit,
  remaining,
  windowSeconds,
}: {
  limit: number
  remaining: number
  windowSeconds: number | undefined
}): NonNullable<TopDocument['rateLimit']> {
  return { limit, remaining, ...(windowSeconds !== undefined && { windowSeconds }) }
}
