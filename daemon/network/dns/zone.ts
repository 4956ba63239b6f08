/** What a network's own names answer to a question. Pure. */
import { type Address, readPointerName } from './addresses.ts'
import { recordTypes } from './message.ts'
import type { NetworkView, View } from './names.ts'

/** What is said to a question: these addresses or this name, nothing of this kind, no such name, or: ask elsewhere. */
export type ZoneAnswer =
  | { kind: 'addresses'; addresses: readonly Address[] }
  | { kind: 'name'; name: string }
  | { kind: 'nothing' }
  | { kind: 'unknown' }
  | { kind: 'elsewhere' }

/**
 * `name` is in lower case. `turn` grows with every question: each address of a shared alias comes first in its turn.
 * The network that was asked is looked at first, then the others that the asking container is on; the first that
 * knows the name answers.
 */
export function answerFromZone(view: View, name: string, type: number, turn: number): ZoneAnswer {
  const pointed = readPointerName(name)
  if (pointed !== undefined) return answerPointer(view, pointed, type)
  for (const network of view.networks) {
    const found = addressesOf(network, name)
    if (found === undefined) continue
    const families =
      type === recordTypes.ANY ? [4, 6] : type === recordTypes.A ? [4] : type === recordTypes.AAAA ? [6] : []
    const fitting = found.filter(({ family }) => families.includes(family))
    return fitting.length === 0
      ? { kind: 'nothing' }
      : { kind: 'addresses', addresses: rotate(fitting, turn) }
  }
  return view.isForwarding ? { kind: 'elsewhere' } : { kind: 'unknown' }
}

/** By its plain name, or followed by the network's. */
function addressesOf(network: NetworkView, name: string): readonly Address[] | undefined {
  const suffix = `.${network.name}`
  return (
    network.addressesOf(name) ??
    (name.endsWith(suffix) ? network.addressesOf(name.slice(0, -suffix.length)) : undefined)
  )
}

/** An address of these networks is nobody else's business, whether a container has it or not. */
function answerPointer(view: View, address: Address, type: number): ZoneAnswer {
  for (const network of view.networks) {
    const container = network.nameOf(address)
    if (container !== undefined) {
      return type === recordTypes.PTR || type === recordTypes.ANY
        ? { kind: 'name', name: `${container}.${network.name}` }
        : { kind: 'nothing' }
    }
    if (network.contains(address)) return { kind: 'unknown' }
  }
  return view.isForwarding ? { kind: 'elsewhere' } : { kind: 'unknown' }
}

function rotate<T>(list: readonly T[], turn: number): T[] {
  const start = turn % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}
