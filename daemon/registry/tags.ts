/** The tags of a repository, as its registry lists them: in pages, and no longer than is reasonable. */
import { KagoError } from '../../shared/errors.ts'
import { documentLimit, DocumentValue, parseDocument } from '../../shared/oci/document.ts'
import { familiarRepository, type Repository } from '../../shared/reference.ts'
import { ask } from './ask.ts'
import type { RegistryContext } from './context.ts'
import { refusalFailure } from './diagnostics.ts'
import { readCapped } from './read.ts'
import type { ResolveOptions } from './resolve.ts'
import { retrying } from './retry.ts'
import type { Response } from './transport.ts'

const pageSize = 1000
const tagsLimit = 20_000
const pagesLimit = 200
const tagPattern = /^\w[\w.-]{0,127}$/

/**
 * In the registry's order, each once. Mirrors are not asked: their list may be old.
 * @throws not_found, permission_denied, … as for a manifest; exhausted for more tags than anybody pulls.
 */
export async function listTags(
  context: RegistryContext,
  repository: Repository,
  options: ResolveOptions,
): Promise<string[]> {
  const tags = new Set<string>()
  let query: string | undefined = `?n=${pageSize}`
  for (let page = 0; query !== undefined; page += 1) {
    if (page === pagesLimit || tags.size > tagsLimit)
      throw new KagoError('exhausted', `${familiarRepository(repository)} has more than ${tagsLimit} tags`, {
        hint: 'pull those you want by their names',
      })
    const answer = await retrying(context.retry, options.signal, options.onRetry, () =>
      getPage(context, repository, query ?? '', options),
    )
    const before = tags.size
    for (const tag of answer.tags) tags.add(tag)
    // A page that brings nothing new would be followed by itself for ever.
    query = tags.size === before ? undefined : answer.next
  }
  return [...tags]
}

async function getPage(
  context: RegistryContext,
  repository: Repository,
  query: string,
  options: ResolveOptions,
): Promise<{ tags: string[]; next: string | undefined }> {
  const what = familiarRepository(repository)
  const { registry } = repository
  const endpoint = context.mirrors.origin(registry)
  const { stallMs } = context.timeouts
  const response = await ask(
    context,
    endpoint,
    {
      method: 'GET',
      repository: repository.repository,
      path: `tags/list${query}`,
      headers: { accept: 'application/json', 'accept-encoding': 'identity' },
      what,
    },
    options,
  )
  if (response.status !== 200)
    throw await refusalFailure(response, what, registry, options.credentials !== undefined, stallMs)
  const bytes = await readCapped(response, documentLimit, stallMs, `the tags of ${what}`)
  const document = new DocumentValue(parseDocument(bytes, `the tags of ${what}`), `the tags of ${what}`)
  const tags = document.get('tags').optionalTexts() ?? []
  return { tags: tags.filter((tag) => tagPattern.test(tag)), next: nextOf(response) }
}

/** Of the Link only the query is followed: where a repository's tags are is known. RFC 8288. */
function nextOf(response: Response): string | undefined {
  const [, target] = /^\s*<([^>]{1,4096})>\s*;\s*rel="?next"?/i.exec(response.header('link') ?? '') ?? []
  if (target === undefined || !URL.canParse(target, response.url.href)) return undefined
  const { search } = new URL(target, response.url)
  return search === '' ? undefined : search
}
