import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isOnlyForHost, parseAddress } from '../../../../../daemon/network/dns/addresses.ts'
import { createHostResolvers } from '../../../../../daemon/network/dns/resolvers.ts'
import { frameMessage, MessageReader } from '../../../../../daemon/network/dns/stream.ts'
import { createThrottle } from '../../../../../daemon/network/dns/throttle.ts'

describe('an address', () => {
  it('has one spelling', () => {
    expect(parseAddress('FD00:0::0:1')).toMatchObject({ family: 6, text: 'fd00::1' })
    expect(parseAddress('::ffff:10.0.0.1')).toMatchObject({ family: 4, text: '10.0.0.1' })
    expect(parseAddress('fe80::1%eth0')).toMatchObject({ family: 6, text: 'fe80::1' })
    expect(parseAddress('10.0.0')).toBeUndefined()
  })

  it.each(['127.0.0.53', '127.1.2.3', '::1', '0.0.0.0', 'fe80::1%eth0', 'nonsense'])(
    '%s is of use to the host only',
    (text) => {
      expect(isOnlyForHost(text)).toBe(true)
    },
  )

  it.each(['10.255.255.53', '1.1.1.1', '2606:4700::1111', 'fd00::1'])(
    '%s can be used from elsewhere',
    (text) => {
      expect(isOnlyForHost(text)).toBe(false)
    },
  )
})

describe("the host's resolvers", () => {
  it('are read again when the file is written, replaced or gone', () => {
    const directory = mkdtempSync(join(tmpdir(), 'resolvers-'))
    onTestFinished(() => {
      rmSync(directory, { recursive: true })
    })
    const path = join(directory, 'resolv.conf')
    const resolvers = createHostResolvers(path)
    expect(resolvers.read().nameServers).toEqual(['127.0.0.1'])
    writeFileSync(path, 'nameserver 10.0.0.1\nsearch a.example\n')
    expect(resolvers.read()).toEqual({ nameServers: ['10.0.0.1'], search: ['a.example'], options: [] })
    writeFileSync(`${path}.new`, 'nameserver 10.0.0.2\nnameserver 10.0.0.3\n')
    renameSync(`${path}.new`, path)
    expect(resolvers.read().nameServers).toEqual(['10.0.0.2', '10.0.0.3'])
    writeFileSync(path, '# nothing\n')
    expect(resolvers.read().nameServers).toEqual(['127.0.0.1'])
  })
})

describe('messages on a stream', () => {
  it('come out as they went in, however they are cut', () => {
    const messages = [Buffer.from('first'), Buffer.alloc(0), Buffer.alloc(3000, 'x')]
    const bytes = Buffer.concat(messages.map(frameMessage))
    for (const size of [1, 2, 3, 1000, bytes.length]) {
      const reader = new MessageReader(4096)
      const got: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) got.push(...reader.push(bytes.subarray(at, at + size)))
      expect(got).toEqual(messages)
    }
  })

  it('that are too long are refused before they are there', () => {
    expect(() => new MessageReader(100).push(Buffer.from([0, 101]))).toThrow(RangeError)
  })
})

describe('a throttle', () => {
  it('lets each one have its share of every second', () => {
    let now = 0
    const throttle = createThrottle(2, () => now)
    const admitted = () => ['a', 'a', 'a', 'b'].map((source) => throttle.admits(source))
    expect(admitted()).toEqual([true, true, false, true])
    now = 1000
    expect(admitted()).toEqual([true, true, false, true])
  })

  it('remembers no more sources than it has room for', () => {
    const throttle = createThrottle(2, () => 0, 1)
    expect(throttle.admits('a')).toBe(true)
    expect(throttle.admits('b')).toBe(false)
    expect(throttle.admits('a')).toBe(true)
  })
})
