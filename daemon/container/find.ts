/** A container by what a person types: its name, its id, or the beginning of its id. */
import { KagoError } from '../../shared/errors.ts'
import type { ContainerContext } from './context.ts'
import { type Container, readContainer } from './record.ts'

/** @throws not_found; invalid_argument if several ids begin so. */
export function findContainer({ containers }: Pick<ContainerContext, 'containers'>, text: string): Container {
  const exact = containers.find(text) ?? containers.findByName(text)
  if (exact !== undefined) return readContainer(exact)
  if (/^[0-9a-f]{1,64}$/.test(text)) {
    const [first, second] = containers.findByIdPrefix(text, 2)
    if (first !== undefined && second === undefined) return readContainer(first)
    if (second !== undefined) {
      throw new KagoError('invalid_argument', `several containers have an id that begins with ${text}`, {
        hint: 'give more of the id, or the name',
      })
    }
  }
  throw new KagoError('not_found', `no such container: ${text}`, { hint: 'see all of them with: kago ps -a' })
}
