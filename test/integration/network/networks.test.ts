/** Networks on the real kernel: who is where, who reaches whom, and what is left when all have gone. */
import { spawnSync } from 'node:child_process'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ContainerNetwork, CreateBody } from '../../../shared/protocol/containers.ts'
import type { NetworkDetails, NetworkEndpoint, NetworkSummary } from '../../../shared/protocol/networks.ts'
import { eventually, type Kagod, leftovers, ownLinks, readRun, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterEach(async () => {
  for (const { id } of await kagod.list()) await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
  await eventually(
    () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
    `nothing is left: ${JSON.stringify(leftovers(kagod))}`,
  )
  for (const { id, name } of await networks()) {
    if (name !== 'bridge') await kagod.ok('DELETE', `/v1/networks/${id}`)
  }
})
afterAll(async () => {
  await kagod.dispose()
})

const image = 'localhost/busybox'
const networks = async () => await kagod.ok<NetworkSummary[]>('GET', '/v1/networks')
const inspectNetwork = async (name: string) => await kagod.ok<NetworkDetails>('GET', `/v1/networks/${name}`)
const create = async (body: object) => await kagod.ok<{ id: string }>('POST', '/v1/networks', body)
const refused = async (method: string, path: string, body?: unknown) => {
  const { status, body: reply } = await kagod.request(method, path, body)
  const { error } = (Array.isArray(reply) ? reply.at(-1) : reply) as {
    error?: { code: string; message: string; hint?: string }
  }
  if (error === undefined) throw new Error(`${method} ${path} was not refused: ${status}`)
  return error
}
const sleeping = async (more: Partial<CreateBody> = {}) =>
  await kagod.runDetached({ image, command: ['sleep', '1000'], ...more })
const sh = async (id: string, script: string) => {
  const stream = await kagod.upgrade(`/v1/containers/${id}/exec`, { command: ['sh', '-c', script] })
  const { stdout, stderr, exit } = await readRun(stream)
  return { output: stdout + stderr, exit }
}
const networkOf = async (id: string, name?: string): Promise<ContainerNetwork> => {
  const { networks: all } = await kagod.inspect(id)
  const found = name === undefined ? all[0] : all.find(({ networkName }) => networkName === name)
  if (found === undefined) throw new Error(`${id} is not in ${name ?? 'any network'}`)
  return found
}
const addressOf = async (id: string, name?: string) => (await networkOf(id, name)).ipv4Address ?? ''
const reaches = async (id: string, address: string) => (await sh(id, `ping -c 1 -W 2 ${address}`)).exit === 0

describe('the default network', () => {
  test('is there, and its containers reach the host and each other', async () => {
    expect(await networks()).toMatchObject([{ name: 'bridge', internal: false, ipv6: false }])
    const [one, two] = [await sleeping(), await sleeping()]
    const { ipv4Gateway, ipv4Address, macAddress, ...more } = await networkOf(one)
    expect(more).toMatchObject({ networkName: 'bridge', interface: 'eth0', ipv4PrefixLength: 24 })
    expect(await reaches(one, ipv4Gateway ?? '')).toBe(true)
    expect(await reaches(one, await addressOf(two))).toBe(true)
    const inside = (await sh(one, 'ip address show eth0; ip route')).output
    expect(inside).toContain(`inet ${ipv4Address ?? '?'}/24`)
    expect(inside).toContain(`link/ether ${macAddress ?? '?'}`)
    expect(inside).toContain(`default via ${ipv4Gateway ?? '?'} dev eth0`)
    expect(inside).not.toContain('inet6')
  })

  test('lists who is in it, with addresses', async () => {
    const id = await sleeping({ name: 'web' })
    const { containers } = await inspectNetwork('bridge')
    expect(containers).toEqual([
      {
        containerId: id,
        containerName: 'web',
        interface: 'eth0',
        ipv4Address: await addressOf(id),
        ipv6Address: null,
        macAddress: (await networkOf(id)).macAddress,
        aliases: [],
      } satisfies NetworkEndpoint,
    ])
    expect((await kagod.list())[0]).toMatchObject({ network: 'bridge', networks: ['bridge'] })
    expect(await refused('DELETE', '/v1/networks/bridge')).toMatchObject({ code: 'invalid_argument' })
  })

  test('its bridge is not taken from another daemon whose containers are on it', async () => {
    const id = await sleeping()
    const [bridge = ''] = ownLinks(kagod.dataRoot).filter((name) => name.startsWith('kt'))
    const second = await startKagod({ bridge })
    try {
      const reply = await second.request('POST', '/v1/containers?start=true', { image, command: ['true'] })
      expect(JSON.stringify(reply.body)).toContain(
        `the bridge ${bridge} is used by containers of another kagod`,
      )
      expect(await reaches(id, (await networkOf(id)).ipv4Gateway ?? '')).toBe(true)
    } finally {
      await second.dispose()
    }
  })

  test('none and host are what they were', async () => {
    const alone = await kagod.run({
      image,
      network: 'none',
      command: ['ls', '/sys/class/net'],
      autoRemove: true,
    })
    expect(alone.stdout).toBe('lo\n')
    const host = await kagod.run({
      image,
      network: 'host',
      command: ['ls', '/sys/class/net'],
      autoRemove: true,
    })
    expect(host.stdout).toContain(ownLinks(kagod.dataRoot)[0])
    const body = { image, network: 'none', ipv4Address: '10.0.0.9' }
    expect(await refused('POST', '/v1/containers', body)).toMatchObject({
      message: '--ip has no meaning with --network none',
    })
  })
})

describe('a network of one’s own', () => {
  test('has the subnet, gateway, range and MTU that were asked for', async () => {
    await create({
      name: 'web',
      subnets: [{ subnet: '10.90.4.0/24', gateway: '10.90.4.254', ipRange: '10.90.4.128/25' }],
      options: { mtu: '1234' },
      labels: { app: 'x' },
    })
    const details = await inspectNetwork('web')
    expect(details).toMatchObject({ mtu: 1234, labels: { app: 'x' }, containers: [] })
    expect(spawnSync('ip', ['address', 'show', details.bridge]).stdout.toString()).toContain('10.90.4.254/24')
    const id = await sleeping({ network: 'web' })
    expect(await addressOf(id)).toBe('10.90.4.129')
    expect((await sh(id, 'cat /sys/class/net/eth0/mtu')).output).toBe('1234\n')
    expect(await reaches(id, '10.90.4.254')).toBe(true)
  })

  test('refuses a subnet that is taken, and says by whom', async () => {
    await create({ name: 'web', subnets: [{ subnet: '10.90.0.0/16' }] })
    const again = { name: 'other', subnets: [{ subnet: '10.90.7.0/24' }] }
    expect(await refused('POST', '/v1/networks', again)).toMatchObject({
      code: 'in_use',
      message: 'subnet 10.90.7.0/24 overlaps with 10.90.0.0/16 of the network web',
    })
    spawnSync('ip', ['link', 'add', 'ktdummy0', 'type', 'bridge'])
    try {
      spawnSync('ip', ['address', 'add', '10.91.0.1/24', 'dev', 'ktdummy0'])
      const third = { name: 'other', subnets: [{ subnet: '10.91.0.0/16' }] }
      expect((await refused('POST', '/v1/networks', third)).message).toBe(
        "subnet 10.91.0.0/16 overlaps with 10.91.0.0/24 of the host's interface ktdummy0",
      )
    } finally {
      spawnSync('ip', ['link', 'delete', 'ktdummy0'])
    }
  })

  test.each([
    [{ name: 'host' }, 'is a word that --network knows'],
    [{ name: 'a b' }, 'is not a name for a network'],
    [{ name: 'x', subnets: [{ subnet: '10.90.0.1/16' }] }, 'not a subnet'],
    [{ name: 'x', subnets: [{ subnet: '10.90.0.0/31' }] }, 'has no room'],
    [{ name: 'x', subnets: [{ subnet: '10.90.0.0/16', gateway: '10.91.0.1' }] }, 'is not an address in'],
    [{ name: 'x', subnets: [{ subnet: '10.90.0.0/16', ipRange: '10.0.0.0/8' }] }, 'is not a part of'],
    [{ name: 'x', subnets: [{ subnet: '10.90.0.0/24' }, { subnet: '10.90.1.0/24' }] }, 'one IPv4 subnet'],
    [{ name: 'x', options: { mut: '1400' } }, 'has no option "mut"'],
    [{ name: 'x', options: { mtu: 'much' } }, 'not an MTU'],
  ])('%j is refused', async (body, message) => {
    expect(await refused('POST', '/v1/networks', body)).toMatchObject({ code: 'invalid_argument' })
    expect((await refused('POST', '/v1/networks', body)).message).toContain(message)
    expect(await networks()).toHaveLength(1)
  })

  test('has its name once', async () => {
    await create({ name: 'web' })
    expect(await refused('POST', '/v1/networks', { name: 'web' })).toMatchObject({ code: 'already_exists' })
    expect(await refused('POST', '/v1/containers', { image, network: 'nope' })).toMatchObject({
      code: 'not_found',
      message: 'no such network: nope',
    })
  })

  test('stays while somebody runs in it; who does not run is no reason', async () => {
    await create({ name: 'web' })
    const id = await sleeping({ name: 'user', network: 'web' })
    expect(await refused('DELETE', '/v1/networks/web')).toMatchObject({
      code: 'in_use',
      message: 'network web is used by user',
    })
    await kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })
    await eventually(async () => (await networkOf(id)).ipv4Address === null, 'its address is given back')
    await kagod.ok('DELETE', '/v1/networks/web')
    expect(ownLinks(kagod.dataRoot).filter((name) => name.startsWith('kg-'))).toEqual([])
    expect(await refused('POST', `/v1/containers/${id}/start`)).toMatchObject({
      message: 'no such network: web',
    })
    await create({ name: 'web' })
    await kagod.ok('POST', `/v1/containers/${id}/start`)
    expect((await networkOf(id)).networkName).toBe('web')
  })

  test('may be removed the moment its last container has ended', async () => {
    for (let round = 0; round < 5; round++) {
      await create({ name: 'web' })
      await kagod.run({ image, network: 'web', command: ['true'], autoRemove: true })
      await kagod.ok('DELETE', '/v1/networks/web')
    }
  })

  test('an internal one leads nowhere', async () => {
    await create({ name: 'inner', internal: true })
    const [one, two] = [await sleeping({ network: 'inner' }), await sleeping({ network: 'inner' })]
    expect((await sh(one, 'ip route')).output).not.toContain('default')
    expect(await reaches(one, await addressOf(two))).toBe(true)
  })

  test('has IPv6 beside IPv4 when asked for', async () => {
    await create({ name: 'six', ipv6: true })
    const [one, two] = [await sleeping({ network: 'six' }), await sleeping({ network: 'six' })]
    const { ipv6Address, ipv6Gateway, ipv6PrefixLength } = await networkOf(two)
    expect(ipv6PrefixLength).toBe(64)
    expect(ipv6Address).toMatch(/^fd[0-9a-f:]+$/)
    expect(await reaches(one, `-6 ${ipv6Address ?? ''}`)).toBe(true)
    expect(await reaches(one, `-6 ${ipv6Gateway ?? ''}`)).toBe(true)
    expect((await sh(one, 'ip -6 route')).output).toContain(`default via ${ipv6Gateway ?? '?'}`)
    const wanted = (ipv6Address ?? '').replace(/[^:]+$/, 'beef')
    const three = await sleeping({ network: 'six', ipv6Address: wanted })
    expect((await networkOf(three)).ipv6Address).toBe(wanted)
  })

  test('unused ones are pruned, after they were named', async () => {
    await create({ name: 'used' })
    await create({ name: 'unused', labels: { old: '' } })
    await kagod.ok('POST', '/v1/containers', { image, network: 'used' })
    const plan = await kagod.ok('POST', '/v1/networks/prune', { dryRun: true })
    expect(plan).toMatchObject([{ name: 'unused' }])
    expect(await kagod.ok('POST', '/v1/networks/prune', { filter: ['label!=old'] })).toEqual([])
    expect(await kagod.ok('POST', '/v1/networks/prune')).toMatchObject([{ name: 'unused' }])
    expect((await networks()).map(({ name }) => name)).toEqual(['bridge', 'used'])
  })
})

describe('addresses', () => {
  test('one that was asked for is had; its holder is named to the next', async () => {
    await create({ name: 'web', subnets: [{ subnet: '10.90.0.0/24' }] })
    const body = { network: 'web', ipv4Address: '10.90.0.77', macAddress: '02:00:00:00:00:77' }
    const id = await sleeping({ ...body, name: 'first' })
    expect(await networkOf(id)).toMatchObject({ ipv4Address: '10.90.0.77', macAddress: '02:00:00:00:00:77' })
    const second = await kagod.request('POST', '/v1/containers?start=true', { image, ...body })
    expect(JSON.stringify(second.body)).toContain('10.90.0.77 in network web is held by container first')
    await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
    expect(await addressOf(await sleeping(body))).toBe('10.90.0.77')
  })

  test.each([
    ['10.91.0.5', 'is not in 10.90.0.0/24'],
    ['10.90.0.1', 'is the gateway of network web'],
    ['10.90.0.255', 'as a whole'],
    ['fd00::1', 'not an IPv4 address'],
  ])('%s is refused', async (ipv4Address, why) => {
    await create({ name: 'web', subnets: [{ subnet: '10.90.0.0/24' }] })
    const error = await refused('POST', '/v1/containers', { image, network: 'web', ipv4Address })
    expect(error.code).toBe('invalid_argument')
    expect(error.message).toContain(why)
  })

  test('when none is left the error says so, and one that is given back is had again', async () => {
    await create({ name: 'small', subnets: [{ subnet: '10.90.0.0/29' }] })
    const ids: string[] = []
    for (let count = 0; count < 5; count++) ids.push(await sleeping({ network: 'small' }))
    const addresses = await Promise.all(ids.map((id) => addressOf(id)))
    expect(new Set(addresses).size).toBe(5)
    const sixth = await kagod.request('POST', '/v1/containers?start=true', { image, network: 'small' })
    expect(JSON.stringify(sixth.body)).toContain('network small has no free IPv4 address left')
    await kagod.ok('POST', `/v1/containers/${ids[2] ?? ''}/stop`, { timeoutSeconds: 0 })
    await eventually(async () => (await addressOf(ids[2] ?? '')) === '', 'its address is given back')
    expect(await addressOf(await sleeping({ network: 'small' }))).toBe(addresses[2])
  })

  test('a container that is started again has the address it had, if it is free', async () => {
    const id = await sleeping()
    const before = await addressOf(id)
    await sleeping()
    await kagod.ok('POST', `/v1/containers/${id}/restart`, { timeoutSeconds: 0 })
    expect(await addressOf(id)).toBe(before)
    const { networks: all } = await kagod.inspect(id)
    expect(all).toHaveLength(1)
  })

  test('thirty containers that start at once have thirty', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => sleeping()))
    const addresses = await Promise.all(ids.map((id) => addressOf(id)))
    expect(new Set(addresses).size).toBe(30)
    const [first = '', ...others] = ids
    const targets = await Promise.all(others.slice(-3).map((id) => addressOf(id)))
    for (const target of targets) expect(await reaches(first, target)).toBe(true)
  })
})

describe('connect and disconnect', () => {
  test('a running container gets another link, and loses it', async () => {
    await create({ name: 'back', subnets: [{ subnet: '10.90.0.0/24' }] })
    const [id, other] = [await sleeping({ name: 'web' }), await sleeping({ name: 'db', network: 'back' })]
    const target = await addressOf(other)
    const gateway = (await networkOf(id)).ipv4Gateway ?? '?'
    const endpoint = await kagod.ok<NetworkEndpoint>('POST', '/v1/networks/back/connect', {
      container: 'web',
      ipv4Address: '10.90.0.50',
      aliases: ['www'],
    })
    expect(endpoint).toMatchObject({ interface: 'eth1', ipv4Address: '10.90.0.50', aliases: ['www'] })
    expect(await reaches(id, target)).toBe(true)
    expect((await sh(id, 'ip route')).output).toContain(`default via ${gateway} dev eth0`)
    expect((await sh(id, 'cat /etc/hosts')).output).toContain('10.90.0.50')
    expect((await kagod.list()).find((one) => one.id === id)?.networks).toEqual(['bridge', 'back'])
    // Once more is nothing more.
    await kagod.ok('POST', '/v1/networks/back/connect', { container: 'web' })

    await kagod.ok('POST', '/v1/networks/bridge/disconnect', { container: 'web' })
    const inside = (await sh(id, 'ls /sys/class/net; ip route')).output
    expect(inside).not.toContain('eth0')
    expect(inside).toContain('default via 10.90.0.1 dev eth1')
    await kagod.ok('POST', '/v1/networks/back/disconnect', { container: 'web' })
    expect((await sh(id, 'ls /sys/class/net')).output).toBe('lo\n')
    expect(await refused('POST', '/v1/networks/back/disconnect', { container: 'web' })).toMatchObject({
      code: 'not_found',
      message: 'container web is not in network back',
    })
    await kagod.ok('POST', '/v1/networks/back/disconnect', { container: 'web', force: true })
    await kagod.ok('POST', `/v1/containers/${id}/restart`, { timeoutSeconds: 0 })
    expect((await sh(id, 'ls /sys/class/net')).output).toBe('lo\n')
  })

  test('a container that does not run is in the network when it starts', async () => {
    await create({ name: 'back' })
    const lines = await kagod.ok<{ result?: { id: string } }[]>('POST', '/v1/containers', {
      image,
      command: ['sleep', '1000'],
    })
    const id = lines.at(-1)?.result?.id ?? ''
    await kagod.ok('POST', '/v1/networks/back/connect', { container: id })
    await kagod.ok('POST', `/v1/containers/${id}/start`)
    expect((await sh(id, 'ls /sys/class/net')).output).toBe('eth0\neth1\nlo\n')
    expect((await kagod.inspect(id)).networks.map(({ networkName }) => networkName)).toEqual([
      'bridge',
      'back',
    ])
  })

  test('a container without a network of its own can join none', async () => {
    await create({ name: 'back' })
    await sleeping({ name: 'alone', network: 'none' })
    expect(await refused('POST', '/v1/networks/back/connect', { container: 'alone' })).toMatchObject({
      code: 'not_supported',
    })
  })
})

describe('the network of another container', () => {
  test('is shared, with its names', async () => {
    const id = await sleeping({ name: 'main', hostname: 'main-host' })
    const beside = await sleeping({ name: 'side', network: 'container:main' })
    const seen = 'ip -o -4 address; hostname; cat /etc/hosts'
    expect((await sh(beside, seen)).output).toBe((await sh(id, seen)).output)
    expect((await kagod.inspect(beside)).options.network).toBe(`container:${id}`)
    expect(
      await refused('POST', '/v1/containers', { image, network: 'container:main', hostname: 'x' }),
    ).toMatchObject({ message: '--hostname has no meaning with --network container:main' })
    await kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })
    await kagod.ok('POST', `/v1/containers/${beside}/stop`, { timeoutSeconds: 0 })
    expect(await refused('POST', `/v1/containers/${beside}/start`)).toMatchObject({
      code: 'wrong_state',
      message: 'container side shares the network of main, which does not run',
    })
  })
})

describe('when the daemon goes', () => {
  test('links, addresses and names stay with those who run, and are not given to others', async () => {
    await create({ name: 'web', ipv6: true })
    const one = await sleeping({ network: 'web' })
    const before = await networkOf(one)
    await kagod.crash()
    await kagod.start()
    expect(await networkOf(one)).toEqual(before)
    const two = await sleeping({ network: 'web' })
    expect(await addressOf(two)).not.toBe(before.ipv4Address)
    expect(await reaches(two, before.ipv4Address ?? '')).toBe(true)
  })

  test('what ended meanwhile has given everything back', async () => {
    const id = await sleeping({ network: 'bridge' })
    const { task } = await kagod.inspect(id)
    await kagod.crash()
    process.kill(task.pid ?? 0, 'SIGKILL')
    await kagod.start()
    await eventually(async () => (await addressOf(id)) === '', 'its address is given back')
    expect(ownLinks(kagod.dataRoot).filter((name) => name.startsWith('kv'))).toEqual([])
  })

  test('a bridge that somebody deleted is made again, and those who run are on it', async () => {
    await create({ name: 'web' })
    const [one, two] = [await sleeping({ network: 'web' }), await sleeping({ network: 'web' })]
    const { bridge } = await inspectNetwork('web')
    spawnSync('ip', ['link', 'delete', bridge])
    const three = await sleeping({ network: 'web' })
    expect(await reaches(one, await addressOf(three))).toBe(true)
    spawnSync('ip', ['link', 'delete', bridge])
    await kagod.stop()
    await kagod.start()
    expect(await reaches(one, await addressOf(two))).toBe(true)
  })

  test('links that bear its mark and that no record names are swept', async () => {
    await create({ name: 'web' })
    await sleeping({ network: 'web' })
    const [link = ''] = ownLinks(kagod.dataRoot).filter((name) => name.startsWith('kv'))
    const alias = spawnSync('cat', [`/sys/class/net/${link}/ifalias`])
      .stdout.toString()
      .trim()
    spawnSync('ip', ['link', 'add', 'kvstray', 'type', 'bridge'])
    spawnSync('ip', ['link', 'set', 'kvstray', 'alias', alias])
    spawnSync('ip', ['link', 'add', 'kvforeign', 'type', 'bridge'])
    try {
      await kagod.stop()
      await kagod.start()
      const left = spawnSync('ls', ['/sys/class/net']).stdout.toString()
      expect(left).not.toContain('kvstray')
      expect(left).toContain('kvforeign')
      expect(left).toContain(link)
    } finally {
      spawnSync('ip', ['link', 'delete', 'kvforeign'])
    }
  })
})
