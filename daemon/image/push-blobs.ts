/** Brings an image's blobs to a registry, some beside each other, each as a step. */
import type { Digest } from '../../shared/oci/digest.ts'
import type { LayerProgress, Report } from '../../shared/protocol/progress.ts'
import type { Credentials } from '../../shared/protocol/system.ts'
import { apiHost, parseReference } from '../../shared/reference.ts'
import type { Operation } from '../operation/operation.ts'
import { quoteWord, quoteWords } from '../operation/shell.ts'
import type { ImageContext } from './context.ts'
import { showLayer } from './layer-failure.ts'
import type { ImageName } from './names.ts'
import type { PlannedBlob } from './push-plan.ts'
import { Slots } from './slots.ts'

/** Uploads at once; more gain nothing at one registry. */
const uploadsAtOnce = 3
const reportEveryMilliseconds = 100

/** @param done what the repository is known to have; grows */
export async function pushBlobs(
  context: ImageContext,
  operation: Operation,
  name: ImageName,
  blobs: readonly PlannedBlob[],
  done: Set<Digest>,
  {
    credentials,
    report,
    signal,
  }: { credentials?: Credentials | undefined; report: Report; signal: AbortSignal },
): Promise<void> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const slots = new Slots(uploadsAtOnce)
  const work = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()].map(async (blob) => {
    const say = sayerOf(blob, report)
    if (blob.isLeftOut) {
      say('left-out')
      return
    }
    if (done.has(blob.digest)) {
      say('exists')
      return
    }
    say('waiting')
    await slots.use(() =>
      pushOne(context, operation, name, blob, say, { credentials, report, signal: either }),
    )
    done.add(blob.digest)
  })
  for (const one of work)
    one.catch((error: unknown) => {
      failed.abort(error)
    })
  try {
    await Promise.all(work)
  } catch (error) {
    // The first failure is the reason; what it cancelled says only that.
    throw signal.aborted ? signal.reason : failed.signal.aborted ? failed.signal.reason : error
  } finally {
    failed.abort()
    await Promise.allSettled(work)
  }
}

async function pushOne(
  context: ImageContext,
  operation: Operation,
  name: ImageName,
  blob: PlannedBlob,
  say: Say,
  {
    credentials,
    report,
    signal,
  }: { credentials?: Credentials | undefined; report: Report; signal: AbortSignal },
): Promise<void> {
  const { content, registry } = context
  const { digest, size, kind } = blob
  const what = kind === 'config' ? 'the config' : showLayer(digest)
  const pushed = await operation.step(
    `push ${what}`,
    { by: 'HEAD, POST and PUT /v2/…/blobs', shell: blobLine(context, name, digest) },
    async () => {
      signal.throwIfAborted()
      return await registry.pushBlob(
        name.reference,
        { digest, size },
        (start, end) => content.read(digest, { start, end }),
        {
          credentials,
          signal,
          neighbours: kind === 'layer' ? neighboursOf(context, name, digest) : [],
          onProgress: (current) => {
            say('uploading', current)
          },
          onRetry: ({ reason, delayMs }) => {
            report({ type: 'notice', message: `${reason}; trying again in ${(delayMs / 1000).toFixed(1)} s` })
          },
        },
      )
    },
  )
  say(pushed.how)
}

/** Other repositories of the registry that this layer came from or went to. */
function neighboursOf({ images }: ImageContext, { reference }: ImageName, digest: Digest): string[] {
  return images
    .repositoriesOfBlob(digest)
    .map((repository) => parseReference(repository))
    .filter(
      ({ registry, repository }) => registry === reference.registry && repository !== reference.repository,
    )
    .map(({ repository }) => repository)
}

type Say = (phase: LayerProgress['phase'], current?: number) => void

/** Every change of phase is told, bytes ten times a second at most. */
function sayerOf({ digest, size, kind }: PlannedBlob, report: Report): Say {
  let last = { phase: '', at: 0 }
  return (phase, current) => {
    const isFull = current === size
    if (kind === 'config') return
    if (last.phase === phase && !isFull && Date.now() - last.at < reportEveryMilliseconds) return
    last = { phase, at: Date.now() }
    report({ type: 'layer', digest, phase, ...(current !== undefined && { current, total: size }) })
  }
}

function blobLine({ content }: ImageContext, { reference }: ImageName, digest: Digest): string {
  const url = `https://${apiHost(reference.registry)}/v2/${reference.repository}/blobs/uploads/`
  const begin = `curl -sf -o /dev/null -w '%header{location}' -X POST --oauth2-bearer "$TOKEN" ${quoteWord(url)}`
  return `place=$(${begin}) && curl -f --oauth2-bearer "$TOKEN" ${quoteWords(['-T', content.path(digest)])} "$place&digest=${digest}"`
}
