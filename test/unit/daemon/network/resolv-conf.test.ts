import { describe, expect, it } from 'vitest'
import { parseResolvConf, renderResolvConf } from '../../../../daemon/network/resolv-conf.ts'

describe('resolv.conf', () => {
  it('is read as its manual says', () => {
    const text = `# made by hand
nameserver 127.0.0.53 # the local one
; comment
nameserver\tfe80::1%eth0
domain old.example
search one.example two.example
options edns0 trust-ad
options ndots:2
sortlist 10.0.0.0
`
    expect(parseResolvConf(text)).toEqual({
      nameServers: ['127.0.0.53', 'fe80::1%eth0'],
      search: ['one.example', 'two.example'],
      options: ['edns0', 'trust-ad', 'ndots:2'],
    })
  })

  it('written is read as what it was written from', () => {
    const conf = { nameServers: ['10.0.0.1', '::1'], search: ['a', 'b'], options: ['ndots:0'] }
    expect(parseResolvConf(renderResolvConf(conf))).toEqual(conf)
    expect(renderResolvConf({ nameServers: [], search: [], options: [] })).toBe('')
  })
})
