/** A stranger's name does not lead to this machine, whatever DNS says. */
import type { LookupAddress, LookupAllOptions, lookup as dnsLookup } from 'node:dns'
import { expect, it } from 'vitest'
import { foreignLookup } from '../../../../daemon/registry/foreign-lookup.ts'
import { forbiddenAddress } from '../../../../daemon/registry/network-failure.ts'

type Callback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

async function resolve(addresses: string[] | NodeJS.ErrnoException, all: boolean): Promise<unknown> {
  const fake = (_name: string, _options: LookupAllOptions, callback: Callback): void => {
    if (!Array.isArray(addresses)) callback(addresses, [])
    else
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
  }
  return await new Promise((done) => {
    foreignLookup(fake as typeof dnsLookup)('cdn.example', { all }, (error, address, family) => {
      done(error === null ? [address, family] : error)
    })
  })
}

it.each([['127.0.0.1'], ['::1'], ['169.254.169.254'], ['fe80::1'], ['0.0.0.0'], ['::ffff:127.0.0.1']])(
  'a name that leads to %s leads nowhere',
  async (address) => {
    expect(await resolve([address], true)).toMatchObject({ code: forbiddenAddress })
    expect(await resolve([address], false)).toMatchObject({ code: forbiddenAddress })
  },
)

it('of several addresses the allowed ones are left', async () => {
  const addresses = ['127.0.0.1', '192.0.2.7', '169.254.169.254', '2001:db8::1']
  expect(await resolve(addresses, false)).toEqual(['192.0.2.7', 4])
  expect(await resolve(addresses, true)).toEqual([
    [
      { address: '192.0.2.7', family: 4 },
      { address: '2001:db8::1', family: 6 },
    ],
    undefined,
  ])
})

it('what cannot be resolved stays the error it is', async () => {
  const error: NodeJS.ErrnoException = Object.assign(new Error('no'), { code: 'ENOTFOUND' })
  expect(await resolve(error, true)).toBe(error)
})
