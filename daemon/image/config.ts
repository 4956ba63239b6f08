/** An image's config, parsed; read once from content and then kept, as every `run` asks for it. */
import { shortId } from '../../shared/id.ts'
import { parseDocument } from '../../shared/oci/document.ts'
import { type ImageConfig, parseImageConfig } from '../../shared/oci/image-config.ts'
import type { ImageRow } from '../state/images.ts'
import type { ImageContext } from './context.ts'
import { readDocumentBytes } from './documents.ts'

const maxKept = 256

export async function readImageConfig(
  context: Pick<ImageContext, 'content' | 'memory'>,
  { id }: Pick<ImageRow, 'id'>,
): Promise<ImageConfig> {
  const { configs } = context.memory
  const kept = configs.get(id)
  const what = `image ${shortId(id)}`
  const config =
    kept ?? parseImageConfig(parseDocument(await readDocumentBytes(context, id, what), what), what)
  configs.delete(id)
  configs.set(id, config)
  const [oldest] = configs.keys()
  if (configs.size > maxKept && oldest !== undefined) configs.delete(oldest)
  return config
}
