import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../../../../daemon/network/dns/addresses.ts'
import { recordTypes } from '../../../../../daemon/network/dns/message.ts'
import { createNames, type NamedEndpoint, type Names } from '../../../../../daemon/network/dns/names.ts'
import { answerFromZone, type ZoneAnswer } from '../../../../../daemon/network/dns/zone.ts'

const web = endpoint('a', 'web', ['172.20.0.2', 'fd00:20::2'], ['www', 'front'])
const db = endpoint('b', 'DB_1', ['172.20.0.3'], ['front'])

function endpoint(digit: string, name: string, addresses: string[], aliases: string[] = []): NamedEndpoint {
  return { containerId: digit.repeat(64), containerName: name, aliases, addresses }
}

function namesOfShop(isInternal = false): Names {
  const names = createNames()
  const subnets = ['172.20.0.0/16', 'fd00:20::/64']
  names.putNetwork({ id: 'shop', name: 'Shop', subnets, isInternal, hasNames: true })
  names.putEndpoint('shop', web)
  names.putEndpoint('shop', db)
  return names
}

function ask(
  names: Names,
  name: string,
  type: number,
  from = '172.20.0.3',
  turn = 0,
): ZoneAnswer | undefined {
  const source = parseAddress(from)
  const view = source && names.view('shop', source)
  return view && answerFromZone(view, name, type, turn)
}

const texts = (answer: ZoneAnswer | undefined) =>
  answer?.kind === 'addresses' ? answer.addresses.map(({ text }) => text) : answer?.kind

describe('the names of a network', () => {
  it.each(['web', 'www', 'web.shop', 'a'.repeat(12)])('%s is the address of web', (name) => {
    expect(texts(ask(namesOfShop(), name, recordTypes.A))).toEqual(['172.20.0.2'])
  })

  it('are found whatever the case they were given in', () => {
    expect(texts(ask(namesOfShop(), 'db_1', recordTypes.A))).toEqual(['172.20.0.3'])
  })

  it('give IPv6 addresses to those who ask for them', () => {
    expect(texts(ask(namesOfShop(), 'web', recordTypes.AAAA))).toEqual(['fd00:20::2'])
    expect(texts(ask(namesOfShop(), 'web', recordTypes.ANY))).toEqual(['172.20.0.2', 'fd00:20::2'])
  })

  it('have nothing of a kind that is not theirs, which is not the same as not to exist', () => {
    expect(ask(namesOfShop(), 'db_1', recordTypes.AAAA)).toEqual({ kind: 'nothing' })
    expect(ask(namesOfShop(), 'web', 15)).toEqual({ kind: 'nothing' })
  })

  it('take turns when several have the same', () => {
    const names = namesOfShop()
    expect(texts(ask(names, 'front', recordTypes.A, undefined, 0))).toEqual(['172.20.0.2', '172.20.0.3'])
    expect(texts(ask(names, 'front', recordTypes.A, undefined, 1))).toEqual(['172.20.0.3', '172.20.0.2'])
    expect(texts(ask(names, 'front', recordTypes.A, undefined, 2))).toEqual(['172.20.0.2', '172.20.0.3'])
  })

  it('follow a rename, a change of address and a departure at once', () => {
    const names = namesOfShop()
    names.putEndpoint('shop', { ...web, containerName: 'shop-front', addresses: ['172.20.0.9'] })
    expect(ask(names, 'web', recordTypes.A)).toEqual({ kind: 'elsewhere' })
    expect(texts(ask(names, 'shop-front', recordTypes.A))).toEqual(['172.20.0.9'])
    names.dropEndpoint('shop', web.containerId)
    expect(ask(names, 'shop-front', recordTypes.A)).toEqual({ kind: 'elsewhere' })
    expect(texts(ask(names, 'front', recordTypes.A))).toEqual(['172.20.0.3'])
  })

  it('keep who has an address now when its last owner leaves late', () => {
    const names = namesOfShop()
    names.putEndpoint('shop', endpoint('c', 'new', ['172.20.0.2']))
    names.dropEndpoint('shop', web.containerId)
    expect(ask(names, '2.0.20.172.in-addr.arpa', recordTypes.PTR)).toEqual({ kind: 'name', name: 'new.shop' })
  })
})

describe('a backward look-up', () => {
  it('tells the container and its network, for IPv4 and IPv6', () => {
    const expected = { kind: 'name', name: 'web.shop' }
    const v6 = `2.${'0.'.repeat(23)}0.2.0.0.0.0.d.f.ip6.arpa`
    expect(ask(namesOfShop(), '2.0.20.172.in-addr.arpa', recordTypes.PTR)).toEqual(expected)
    expect(ask(namesOfShop(), v6, recordTypes.PTR)).toEqual(expected)
  })

  it('of an address that nobody has is not passed on when the network has it', () => {
    expect(ask(namesOfShop(), '9.9.20.172.in-addr.arpa', recordTypes.PTR)).toEqual({ kind: 'unknown' })
    expect(ask(namesOfShop(), '8.8.8.8.in-addr.arpa', recordTypes.PTR)).toEqual({ kind: 'elsewhere' })
  })

  it('that is none is a name as any other', () => {
    for (const name of ['0.20.172.in-addr.arpa', 'x.0.20.172.in-addr.arpa', '1.2.ip6.arpa'])
      expect(ask(namesOfShop(), name, recordTypes.PTR)).toEqual({ kind: 'elsewhere' })
  })
})

describe('who may ask', () => {
  it('is on the network; nobody else is answered', () => {
    expect(ask(namesOfShop(), 'web', recordTypes.A, '172.21.0.5')).toBeUndefined()
    expect(texts(ask(namesOfShop(), 'web', recordTypes.A, '::ffff:172.20.0.1'))).toEqual(['172.20.0.2'])
    expect(texts(ask(namesOfShop(), 'web', recordTypes.A, 'fd00:20::77'))).toEqual(['172.20.0.2'])
  })

  it('of an internal network learns nothing of the world', () => {
    expect(ask(namesOfShop(true), 'example.com', recordTypes.A)).toEqual({ kind: 'unknown' })
    expect(ask(namesOfShop(true), '8.8.8.8.in-addr.arpa', recordTypes.PTR)).toEqual({ kind: 'unknown' })
  })

  it('sees the names of every network that it is on, the one that was asked first', () => {
    const names = namesOfShop(true)
    names.putNetwork({
      id: 'back',
      name: 'back',
      subnets: ['172.30.0.0/16'],
      isInternal: false,
      hasNames: true,
    })
    names.putEndpoint('back', { ...db, addresses: ['172.30.0.3'] })
    names.putEndpoint('back', endpoint('d', 'queue', ['172.30.0.4'], ['web']))
    expect(texts(ask(names, 'queue', recordTypes.A))).toEqual(['172.30.0.4'])
    expect(texts(ask(names, 'web', recordTypes.A))).toEqual(['172.20.0.2'])
    expect(texts(ask(names, 'web.back', recordTypes.A))).toEqual(['172.30.0.4'])
    // From web, which is on the one network only, the other is not seen.
    expect(ask(names, 'queue', recordTypes.A, '172.20.0.2')).toEqual({ kind: 'unknown' })
    // One of its networks leads to the world.
    expect(ask(names, 'example.com', recordTypes.A)).toEqual({ kind: 'elsewhere' })
  })

  it('on the default network finds no names there', () => {
    const names = createNames()
    names.putNetwork({
      id: 'shop',
      name: 'bridge',
      subnets: ['172.20.0.0/16'],
      isInternal: false,
      hasNames: false,
    })
    names.putEndpoint('shop', web)
    expect(ask(names, 'web', recordTypes.A)).toEqual({ kind: 'elsewhere' })
  })
})
