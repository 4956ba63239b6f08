/** A chainID names a stack of layers by their diffIDs. OCI image spec, config.md#layer-chainid. */
import { createHash } from 'node:crypto'
import { type Digest, digestHex } from '../../shared/oci/digest.ts'

/** The chainID of each layer from the lowest up: `ids[i]` names the stack of the layers 0 … i. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const ids: Digest[] = []
  for (const diffId of diffIds) {
    const parent = ids.at(-1)
    ids.push(parent === undefined ? diffId : digestOf(`${parent} ${diffId}`))
  }
  return ids
}

function digestOf(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

/**
 * The folder's name of a layer: 112 bits of its chainID. Short, so that 127 of them fit the one page that mount(2) takes;
 * long enough that nobody finds a second stack with the same.
 */
export function layerName(chainId: Digest): string {
  return digestHex(chainId).slice(0, 28)
}
