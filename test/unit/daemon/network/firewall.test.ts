import { expect, test } from 'vitest'
import { elementOf, type FirewallPort, mapOf, renderFirewall } from '../../../../daemon/network/firewall.ts'

const port: FirewallPort = {
  hostAddress: '0.0.0.0',
  hostPort: 8080,
  protocol: 'tcp',
  containerAddress: '10.1.0.2',
  containerPort: 80,
}

test.each([
  ['0.0.0.0', '10.1.0.2', 'ports4_everywhere', 'tcp . 8080 : 10.1.0.2 . 80'],
  ['192.0.2.1', '10.1.0.2', 'ports4', '192.0.2.1 . tcp . 8080 : 10.1.0.2 . 80'],
  ['::', 'fd01::2', 'ports6_everywhere', 'tcp . 8080 : fd01::2 . 80'],
  ['2001:db8::1', 'fd01::2', 'ports6', '2001:db8::1 . tcp . 8080 : fd01::2 . 80'],
])(
  'a port published at %s is an element of the map for it',
  (hostAddress, containerAddress, map, element) => {
    const published = { ...port, hostAddress, containerAddress }
    expect(mapOf(published)).toBe(map)
    expect(elementOf(published)).toBe(element)
    expect(renderFirewall({ table: 'kago', networks: [], ports: [published] })).toContain(`map ${map} {`)
  },
)

test('the document takes away whatever the table had, in the same transaction', () => {
  const [first, second, third] = renderFirewall({ table: 'mine', networks: [], ports: [] }).split('\n')
  expect([first, second, third]).toEqual(['table inet mine', 'delete table inet mine', 'table inet mine {'])
})

test('an internal network is not masqueraded', () => {
  const network = { bridge: 'kg-in', subnets: [{ subnet: '10.3.0.0/24', gateway: '10.3.0.1' }] }
  const render = (isInternal: boolean) =>
    renderFirewall({ table: 'kago', networks: [{ ...network, isInternal }], ports: [] })
  expect(render(false)).toContain('ip saddr 10.3.0.0/24 oifname != @bridges masquerade')
  expect(render(true)).not.toContain('saddr 10.3.0.0/24')
})
