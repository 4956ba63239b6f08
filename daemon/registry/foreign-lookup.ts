/** Resolves names that somebody else chose: a name can lead where its address may not (DNS rebinding). */
import type { lookup as dnsLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { isReachable } from './addresses.ts'
import { forbiddenAddress } from './network-failure.ts'

/** A lookup for `net.connect` that leaves out the addresses which a stranger may not send us to. */
export function foreignLookup(lookup: typeof dnsLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, [])
        return
      }
      const reachable = addresses.filter(({ address }) => isReachable(address, false))
      const [first] = reachable
      if (first === undefined)
        callback(Object.assign(new Error('no allowed address'), { code: forbiddenAddress }), [])
      else if (options.all === true) callback(null, reachable)
      else callback(null, first.address, first.family)
    })
  }
}
