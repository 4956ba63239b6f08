/** Published ports as nft sees them, put there without it. */
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FirewallPort, renderFirewall } from '../../../daemon/network/firewall.ts'
import { type Host, makeHost } from '../../harness/namespaces.ts'

const source = join(import.meta.dirname, '../../../daemon/network/firewall-elements.ts')
const port: FirewallPort = {
  hostAddress: '0.0.0.0',
  hostPort: 8080,
  protocol: 'tcp',
  containerAddress: '10.1.0.2',
  containerPort: 80,
}

let host: Host

beforeAll(async () => {
  host = await makeHost('host', [])
})

afterAll(() => host.end())

beforeEach(() => {
  host.run('nft', ['-f', '-'], renderFirewall({ table: 'kago', networks: [], ports: [] }))
})

/** Calls a function of the source in the namespace; what it answered. */
function call(name: string, ...args: unknown[]): unknown {
  const words = args.map((arg) => JSON.stringify(arg)).join(', ')
  const script = `import { ${name} } from ${JSON.stringify(source)}
console.log(JSON.stringify(${name}(${words}) ?? null))`
  return JSON.parse(host.run(process.execPath, ['--input-type=module', '-e', script]))
}

const mapText = (name: string) => host.run('nft', ['list', 'map', 'inet', 'kago', name])

test('what is added is what nft itself would have added', () => {
  const ports: FirewallPort[] = [
    port,
    { ...port, hostAddress: '192.0.2.1', protocol: 'udp' },
    { ...port, hostAddress: '::', containerAddress: 'fd01::2' },
    { ...port, hostAddress: '2001:db8::1', containerAddress: 'fd01::2', protocol: 'sctp' },
  ]
  expect(call('addElements', 'kago', ports)).toBeNull()
  const names = ['ports4', 'ports4_everywhere', 'ports6', 'ports6_everywhere']
  const added = names.map(mapText)
  host.run('nft', ['-f', '-'], renderFirewall({ table: 'kago', networks: [], ports }))
  expect(added).toEqual(names.map(mapText))
  expect(call('removeElements', 'kago', ports)).toBeNull()
  expect(names.map(mapText).join('')).not.toContain('elements')
})

test('a thousand ports are added at once, more than a message has room for', () => {
  const ports = Array.from({ length: 1000 }, (_, index) => ({ ...port, hostPort: 10_000 + index }))
  expect(call('addElements', 'kago', ports)).toBeNull()
  expect(mapText('ports4_everywhere').match(/tcp \. \d+ :/g)).toHaveLength(1000)
})

test('all or none: one that leads elsewhere already keeps the others out', () => {
  expect(call('addElements', 'kago', [port])).toBeNull()
  const others = [
    { ...port, hostPort: 8081 },
    { ...port, containerAddress: '10.1.0.3' },
  ]
  expect(call('addElements', 'kago', others)).toBe('EEXIST')
  expect(mapText('ports4_everywhere')).not.toContain('8081')
})

test('a table that was flushed away is missed', () => {
  expect(call('countRules', 'kago')).toBeGreaterThan(10)
  host.run('nft', ['flush', 'ruleset'])
  expect(call('countRules', 'kago')).toBeNull()
  expect(call('addElements', 'kago', [port])).toBe('ENOENT')
})
