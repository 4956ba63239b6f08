/** A network by what a person types: its name, its id, or the beginning of its id. */
import { KagoError } from '../../shared/errors.ts'
import type { NetworkContext } from './context.ts'
import { type Network, readNetwork } from './records.ts'

/** @throws not_found; invalid_argument if several ids begin so. */
export function findNetwork({ networks }: Pick<NetworkContext, 'networks'>, text: string): Network {
  const exact = networks.find(text) ?? networks.findByName(text)
  if (exact !== undefined) return readNetwork(exact)
  if (/^[0-9a-f]{3,64}$/.test(text)) {
    const [first, second] = networks.findByIdPrefix(text, 2)
    if (first !== undefined && second === undefined) return readNetwork(first)
    if (second !== undefined) {
      throw new KagoError('invalid_argument', `several networks have an id that begins with ${text}`, {
        hint: 'give more of the id, or the name',
      })
    }
  }
  throw new KagoError('not_found', `no such network: ${text}`, {
    hint: 'see all of them with: kago network ls; make one with: kago network create NAME',
  })
}
