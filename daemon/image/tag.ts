/** Gives an image another name, taking it from the image that had it. */
import { KagoError } from '../../shared/errors.ts'
import { operate } from '../operation/operation.ts'
import type { ImageContext } from './context.ts'
import { lookUpImage } from './find.ts'
import { parseImageName } from './names.ts'
import { nameUndo } from './undos.ts'

export async function tagImage(
  context: ImageContext,
  source: string,
  target: string,
): Promise<{ id: string; name: string }> {
  const { images } = context
  const name = parseImageName(target)
  const { canonical } = name
  if (canonical === undefined) {
    throw new KagoError('invalid_argument', `a name to give has no digest: ${target}`, {
      hint: `give it a tag: kago tag ${source} ${name.familiarRepository}:TAG`,
    })
  }
  return await operate(context, { kind: 'image.tag', target: name.familiar }, async (operation) => {
    const found = lookUpImage(context, source)
    const { id, manifestDigest } = found.row
    const targetDigest = found.by === 'name' ? images.findByName(found.name)?.targetDigest : undefined
    await operation.step('write the name', { by: 'kago.db', undo: nameUndo(images, canonical) }, () => {
      images.setName(canonical, id, targetDigest ?? manifestDigest)
    })
    context.events.publish({ type: 'image', action: 'tag', name: name.familiar })
    return { id, name: name.familiar }
  })
}
