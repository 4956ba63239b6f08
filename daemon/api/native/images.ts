/** The image routes: each calls the verb of its name. */
import type { ImageContext } from '../../image/context.ts'
import { imageHistory } from '../../image/history.ts'
import { importImage } from '../../image/import.ts'
import { inspectImage } from '../../image/inspect.ts'
import { listImages } from '../../image/list.ts'
import { loadImages } from '../../image/load.ts'
import { planImages, pruneImages } from '../../image/prune.ts'
import { pullAllTags } from '../../image/pull-all.ts'
import { pullImage } from '../../image/pull.ts'
import { pushImages } from '../../image/push.ts'
import { removeImage } from '../../image/remove.ts'
import { saveImages } from '../../image/save.ts'
import { tagImage } from '../../image/tag.ts'
import { credentialsFor } from '../credentials.ts'
import type { Handlers } from '../route-table.ts'

type ImageHandlers = Pick<Handlers, Extract<keyof Handlers, `image.${string}`>>

export function imageHandlers(context: ImageContext): ImageHandlers {
  return {
    'image.pull': ({ body, signal, credentials }, report) =>
      pullImage(context, body, { credentials: credentialsFor(credentials, body.reference), report, signal }),
    'image.pull-all': ({ body, signal, credentials }, report) =>
      pullAllTags(context, body, {
        credentials: credentialsFor(credentials, body.reference),
        report,
        signal,
      }),
    'image.push': ({ body, signal, credentials }, report) =>
      pushImages(context, body, { credentials: credentialsFor(credentials, body.reference), report, signal }),
    'image.list': ({ query }) => listImages(context, query),
    'image.inspect': ({ query }) => inspectImage(context, query.name),
    'image.history': ({ query }) => imageHistory(context, query.name),
    'image.tag': ({ body }) => tagImage(context, body.source, body.target),
    'image.remove': ({ query }) => removeImage(context, query.name, { force: query.force ?? false }),
    'image.prune': ({ body }) => (body.dryRun === true ? planImages : pruneImages)(context, body),
    'image.load': ({ body, signal }, report) => loadImages(context, body, { report, signal }),
    'image.import': ({ query, body, signal }, report) =>
      importImage(context, body, query, { report, signal }),
    'image.save': ({ query }) => saveImages(context, query.name),
  }
}
