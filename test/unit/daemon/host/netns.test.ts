/** Namespaces, links, addresses and routes on the real kernel, in namespaces of the test's own. */
import { readlinkSync, readdirSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { formatAddress, parseAddress } from '../../../../shared/address.ts'
import {
  addAddress,
  addDefaultRoute,
  changeLink,
  deleteLink,
  getLink,
  listAddresses,
  listLinks,
  listRoutes,
  newBridge,
  newVeth,
  readLink,
} from '../../../../daemon/host/links.ts'
import { makeNamespace, type Namespace, namespaceOf } from '../../../../daemon/host/netns.ts'

const open: Namespace[] = []
const make = async () => {
  const namespace = await makeNamespace()
  open.push(namespace)
  return namespace
}
afterEach(() => {
  for (const namespace of open.splice(0)) namespace.close()
})

const address = (text: string) => {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}
const names = ({ routing }: Namespace) => listLinks(routing).map(({ name }) => name)

test('a new namespace has a loopback that is up, and the thread is back where it was', async () => {
  const before = readlinkSync('/proc/thread-self/ns/net')
  const namespace = await make()
  expect(readlinkSync('/proc/thread-self/ns/net')).toBe(before)
  expect(readlinkSync(namespace.path)).not.toBe(before)
  expect(listLinks(namespace.routing)).toMatchObject([{ name: 'lo', isUp: true, index: 1 }])
  expect(readlinkSync(namespaceOfSelf().path)).toBe(before)
})

const namespaceOfSelf = () => {
  const namespace = namespaceOf(process.pid)
  open.push(namespace)
  return namespace
}

test('a process that is not there has no namespace', () => {
  expect(() => namespaceOf(2 ** 22 + 1)).toThrow('has ended')
})

test('a pair joins a bridge to a namespace, with addresses and a way out', async () => {
  const [host, inside] = [await make(), await make()]
  await host.routing.send([newBridge('br0', { mtu: 1400, mac: '02:00:00:00:00:01' })])
  const bridge = listLinks(host.routing).find(({ name }) => name === 'br0')
  expect(bridge).toMatchObject({ kind: 'bridge', mtu: 1400, isUp: false })
  await host.routing.send([
    changeLink('br0', { isUp: true, alias: 'kago test' }),
    newVeth({
      name: 'kv0',
      peer: 'eth0',
      mtu: 1400,
      mac: '02:00:00:00:00:02',
      bridge: bridge?.index ?? 0,
      namespace: inside.fd,
    }),
  ])
  const links = listLinks(host.routing)
  expect(links.find(({ name }) => name === 'br0')).toMatchObject({ alias: 'kago test', isUp: true })
  expect(links.find(({ name }) => name === 'kv0')).toMatchObject({ kind: 'veth', master: bridge?.index })
  const [answer] = await inside.routing.send([changeLink('eth0', { isUp: true }), getLink('eth0')])
  const link = readLink(answer?.body ?? Buffer.alloc(0))
  expect(link).toMatchObject({ name: 'eth0', isUp: true, mtu: 1400, index: inside.firstLink })
  await inside.routing.send([
    addAddress(link.index, address('10.5.0.2'), 24),
    addAddress(link.index, address('fd00::2'), 64),
    addDefaultRoute(link.index, address('10.5.0.1')),
    addDefaultRoute(link.index, address('fd00::1')),
  ])
  const addresses = listAddresses(inside.routing).filter((one) => one.link === link.index && one.isGlobal)
  expect(addresses.map((one) => `${formatAddress(one.address)}/${one.prefix}`)).toEqual([
    '10.5.0.2/24',
    'fd00::2/64',
  ])
  const ways = listRoutes(inside.routing).filter(
    ({ subnet, hasGateway }) => subnet.prefix === 0 && hasGateway,
  )
  expect(ways.map((route) => [route.subnet.family, route.link])).toEqual([
    [4, link.index],
    [6, link.index],
  ])
  await host.routing.send([deleteLink('kv0'), deleteLink('kv0')])
  expect(names(inside)).toEqual(['lo'])
  expect(names(host)).toEqual(['lo', 'br0'])
})

test('the first message that fails is told, and the others are done', async () => {
  const namespace = await make()
  await expect(
    namespace.routing.send([
      changeLink('nope', { isUp: true }),
      newBridge('br1', { mtu: 1500, mac: '02:00:00:00:00:01' }),
    ]),
  ).rejects.toMatchObject({
    code: 'not_found',
    message: 'cannot change the link nope: there is no such link',
  })
  expect(names(namespace)).toEqual(['lo', 'br1'])
})

test('answers are not mixed up when many ask at once', async () => {
  const namespace = await make()
  const all = Array.from({ length: 20 }, (_, index) => `br${index}`)
  await Promise.all(
    all.map((name) => namespace.routing.send([newBridge(name, { mtu: 1500, mac: '02:00:00:00:00:01' })])),
  )
  const answers = await Promise.all(all.map((name) => namespace.routing.send([getLink(name)])))
  expect(answers.map(([answer]) => readLink(answer?.body ?? Buffer.alloc(0)).name)).toEqual(all)
})

test('closing gives all descriptors back', async () => {
  const count = () => readdirSync('/proc/self/fd').length
  const first = await makeNamespace()
  first.close()
  await new Promise((resolve) => setImmediate(resolve))
  const before = count()
  for (let round = 0; round < 10; round++) {
    const namespace = await makeNamespace()
    namespace.close()
    namespace.close()
  }
  await new Promise((resolve) => setImmediate(resolve))
  expect(count()).toBe(before)
})
