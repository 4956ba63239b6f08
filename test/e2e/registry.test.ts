/** Images from a registry that behaves like Docker Hub, by the command line as a person types it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type CliOptions, runCli } from '../harness/cli.ts'
import { eventually, type Kagod, leftovers, startKagod } from '../harness/kagod.ts'
import { busyboxImage } from '../harness/registry/busybox.ts'
import { makeImage, makeIndex } from '../harness/registry/image.ts'
import { pushImage } from '../harness/registry/push.ts'
import { startRegistry, type TestRegistry } from '../harness/registry/registry.ts'

let registry: TestRegistry
let kagod: Kagod
const home = mkdtempSync(join(tmpdir(), 'kago-home-'))
const authFile = join(home, 'config.json')

beforeAll(async () => {
  registry = await startRegistry()
  kagod = await startKagod()
  const image = await busyboxImage()
  await pushImage(registry, 'library/busybox', 'latest', image)
  await pushImage(registry, 'private/busybox', 'latest', image)
  const other = await makeImage({
    layers: [{ which: 'arm' }],
    platform: { os: 'linux', architecture: 'arm64' },
  })
  await pushImage(registry, 'library/many', 'latest', makeIndex([image, other]))
  await pushImage(
    registry,
    'library/fresh',
    'latest',
    await makeImage({ layers: [{ fresh: 'x'.repeat(200_000) }] }),
  )
})
afterEach(() => {
  registry.faults.clear()
})
afterAll(async () => {
  await kagod.dispose()
  await registry.close()
  rmSync(home, { recursive: true })
})

const kago = async (args: string[], options: CliOptions = {}) =>
  await runCli(args, { host: kagod.socket, env: { KAGO_CONFIG: home }, ...options })
const named = (repository: string) => `${registry.host}/${repository}`

describe('a public image', () => {
  test('is pulled with plain lines where there is no terminal, and run', async () => {
    const pulled = await kago(['pull', named('library/busybox')])
    expect(pulled.status).toBe(0)
    expect(pulled.stdout + pulled.stderr).toMatch(/Digest: sha256:[0-9a-f]{64}/)
    expect(pulled.stdout + pulled.stderr).not.toContain('\u001b')
    expect(await kago(['run', '--rm', named('library/busybox'), 'echo', 'hi'])).toMatchObject({
      status: 0,
      stdout: 'hi\n',
    })
  })

  test('that is there is not fetched again', async () => {
    const before = registry.requests.length
    const again = await kago(['pull', '-q', named('library/busybox')])
    expect(again).toMatchObject({ status: 0 })
    expect(again.stdout).toContain('library/busybox')
    const asked = registry.requests
      .slice(before)
      .filter(({ url }) => url.includes('/blobs/') || url.includes('/storage/'))
    expect(asked).toEqual([])
  })

  test('comes with all of its tags', async () => {
    const pulled = await kago(['pull', '-q', '--all-tags', named('library/busybox')])
    expect(pulled).toMatchObject({ status: 0, stdout: `${named('library/busybox')}:latest\n` })
    expect((await kago(['pull', '-a', named('library/busybox:1')])).status).toBe(2)
  })

  test('is chosen by platform from an index', async () => {
    expect((await kago(['pull', '--platform', 'linux/arm64', named('library/many')])).status).toBe(0)
    expect((await kago(['image', 'inspect', '-f', '{{.platform}}', named('library/many')])).stdout).toContain(
      'arm64',
    )
    const none = await kago(['pull', '--platform', 'linux/riscv64', named('library/many')])
    expect(none.status).toBe(3)
    expect(none.stderr).toMatch(/^kago: .*riscv64[^]*linux\/amd64/m)
  })

  test('is tagged, listed, kept while it is used, saved, removed and loaded', async () => {
    const name = named('library/busybox')
    expect((await kago(['tag', name, 'localhost/mine:1'])).status).toBe(0)
    expect((await kago(['images', '--format', '{{.Repository}}:{{.Tag}}'])).stdout).toContain(
      'localhost/mine:1',
    )
    await kagod.runDetached({ image: 'localhost/mine:1', name: 'user', command: ['sleep', '1000'] })
    await kago(['rmi', name])
    await kago(['rmi', 'localhost/busybox'])
    const refused = await kago(['rmi', 'localhost/mine:1'])
    expect(refused.status).toBe(4)
    expect(refused.stderr).toContain('user')
    await kago(['rm', '-f', 'user'])
    const saved = await kago(['save', 'localhost/mine:1'])
    expect(saved.status).toBe(0)
    expect((await kago(['rmi', 'localhost/mine:1'])).status).toBe(0)
    expect((await kago(['load'], { input: saved.stdoutBytes })).stdout).toContain('localhost/mine:1')
    expect((await kago(['run', '--rm', 'localhost/mine:1', 'echo', 'back'])).stdout).toBe('back\n')
  })
})

describe('a private image', () => {
  const login = (password: string) =>
    kago(['login', '-u', registry.credentials.username, '--password-stdin', registry.host], {
      input: password,
    })

  test('is not told from one that is absent, and login is suggested', async () => {
    for (const repository of ['private/busybox', 'library/absent']) {
      const refused = await kago(['pull', named(repository)])
      expect(refused.status).toBe(3)
      expect(refused.stderr).toMatch(/^kago: .*\n {2}.*kago login/)
    }
  })

  test('is pulled after a login, and no longer after a logout', async () => {
    const wrong = await login('not it')
    expect(wrong.status).toBe(6)
    expect(wrong.stderr).not.toContain('not it')
    expect(existsSync(authFile)).toBe(false)

    expect((await login(registry.credentials.password)).status).toBe(0)
    expect(readFileSync(authFile, 'utf8')).toContain(registry.host)
    expect(await kago(['run', '--rm', named('private/busybox'), 'echo', 'mine'])).toMatchObject({
      status: 0,
      stdout: 'mine\n',
    })

    expect((await kago(['logout', registry.host])).status).toBe(0)
    expect(readFileSync(authFile, 'utf8')).not.toContain(registry.host)
    expect((await kago(['pull', named('private/other')])).status).toBe(3)
  })

  test('leaves its password in no log and no journal', () => {
    const secrets = [
      registry.credentials.password,
      Buffer.from(registry.credentials.password).toString('base64'),
    ]
    const places = [kagod.log(), readFileSync(join(kagod.dataRoot, 'kago.db'), 'latin1')]
    if (existsSync(join(kagod.dataRoot, 'kago.db-wal')))
      places.push(readFileSync(join(kagod.dataRoot, 'kago.db-wal'), 'latin1'))
    for (const place of places) for (const secret of secrets) expect(place).not.toContain(secret)
  })
})

describe('what goes wrong gives one clear line and leaves nothing behind', () => {
  const clean = async () => {
    await eventually(
      () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
      `nothing is left: ${JSON.stringify(leftovers(kagod))}`,
    )
    expect((await kago(['images', '-q', named('library/fresh')])).stdout).toBe('')
  }
  const oneLine = (stderr: string) => stderr.split('\n').filter((line) => line.startsWith('kago: '))

  test('a corrupt layer', async () => {
    registry.faults.add({ on: 'redirect', kind: 'flip', at: 20, times: 20 })
    registry.faults.add({ on: 'blob', kind: 'flip', at: 20, times: 20 })
    const failed = await kago(['pull', named('library/fresh')])
    expect(failed.status).toBe(11)
    expect(oneLine(failed.stderr)).toHaveLength(1)
    expect(failed.stderr).toContain('sha256:')
    await clean()
  })

  test('a dead registry', async () => {
    const failed = await kago(['run', '--rm', '127.0.0.1:1/none', 'true'])
    expect(failed.status).toBe(125)
    expect(oneLine(failed.stderr)).toEqual([expect.stringContaining('127.0.0.1:1')])
    await clean()
  })

  test('a wrong name', async () => {
    const failed = await kago(['run', 'Not A Name', 'true'])
    expect(failed.status).toBe(125)
    expect(oneLine(failed.stderr)).toHaveLength(1)
    await clean()
  })

  test('a taken name, and a missing option', async () => {
    await kagod.runDetached({ image: 'localhost/mine:1', name: 'taken', command: ['sleep', '1000'] })
    const failed = await kago(['run', '--name', 'taken', 'localhost/mine:1', 'true'])
    expect(failed.status).toBe(125)
    expect(oneLine(failed.stderr)).toEqual([expect.stringContaining('taken')])
    await kago(['rm', '-f', 'taken'])
    const option = await kago(['run', '--memroy', '1g', 'localhost/mine:1'])
    expect(option.stderr).toContain('--memory')
    await clean()
  })

  test('no daemon', async () => {
    const failed = await kago(['ps'], { host: `unix://${home}/nobody.sock` })
    expect(failed.status).toBe(9)
    expect(failed.stderr).toMatch(/^kago: .*nobody\.sock[^]*kagod/)
  })
})

test('a full disk is named, and nothing is left of what did not fit', async () => {
  const root = mkdtempSync(join(tmpdir(), 'kago-full-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=0700', 'tmpfs', root])
  try {
    const full = await startKagod({ dataRoot: join(root, 'data') })
    try {
      const noise = Buffer.from(
        Array.from({ length: 14_000_000 }, (_, index) => (index * index * 31 + (index >> 7)) % 251),
      )
      await pushImage(
        registry,
        'library/large',
        'latest',
        await makeImage({ layers: [{ noise: { data: noise } }], compression: 'none' }),
      )
      const failed = await runCli(['pull', named('library/large')], {
        host: full.socket,
        env: { KAGO_CONFIG: home },
      })
      expect(failed.status).toBe(8)
      expect(failed.stderr).toMatch(/^kago: .*space/m)
      expect(
        (await runCli(['run', '--rm', 'localhost/busybox', 'echo', 'still'], { host: full.socket })).stdout,
      ).toBe('still\n')
    } finally {
      await full.dispose()
    }
  } finally {
    execFileSync('umount', [root])
    rmSync(root, { recursive: true })
  }
})

describe('an image of this machine', () => {
  const login = () =>
    kago(['login', '-u', registry.credentials.username, '--password-stdin', registry.host], {
      input: registry.credentials.password,
    })

  test('is pushed after a login, and comes back the same', async () => {
    await kago(['pull', named('library/busybox')])
    await kago(['tag', named('library/busybox'), named('mine/app:1')])
    await kago(['tag', named('library/busybox'), named('mine/app:2')])
    const refused = await kago(['push', named('mine/app:1')])
    expect(refused.status).toBe(6)
    expect(refused.stderr).toMatch(/^kago: .*denied: log in first.*\n {2}log in: kago login /m)

    await login()
    const pushed = await kago(['push', named('mine/app:1')])
    expect(pushed.stdout).toMatch(
      /^The push refers to repository \[.*\/mine\/app\]\n1: digest: sha256:\w{64} size: \d+\n$/,
    )
    expect(pushed.stderr).toMatch(/: (Pushed|Mounted)\n/)
    const digest = /sha256:\w{64}/.exec(pushed.stdout)?.[0] ?? ''
    const all = await kago(['image', 'push', '--quiet', '--all-tags', named('mine/app')])
    expect(all).toMatchObject({
      status: 0,
      stdout: `${named('mine/app:1')}\n${named('mine/app:2')}\n`,
      stderr: '',
    })
    await kago(['rmi', '-f', named('mine/app:1'), named('mine/app:2')])
    expect((await kago(['pull', named('mine/app:2')])).stdout).toContain(`Digest: ${digest}`)
    expect((await kago(['run', '--rm', `${named('mine/app')}@${digest}`, 'echo', 'back'])).stdout).toBe(
      'back\n',
    )
    expect((await kago(['push', '--all-tags', named('mine/app:1')])).status).toBe(2)
    await kago(['logout', registry.host])
  })
})

describe('kagod as a registry', () => {
  test('is pulled from by another kagod, and by one that has it as a peer', async () => {
    await kago(['pull', named('library/busybox')])
    const offering = await startKagod({ registryListen: '127.0.0.1:0' })
    const address = /"address":"(127\.0\.0\.1:\d+)"/.exec(offering.log())?.[1] ?? ''
    const other = await startKagod({ peers: [`http://${address}`] })
    try {
      const info = await kago(['info'], { host: offering.socket })
      expect(info.stdout).toMatch(/Images offered: 127\.0\.0\.1:0\n/)
      const archive = (await kago(['save', named('library/busybox')])).stdoutBytes
      await kago(['load'], { input: archive, host: offering.socket })
      const path = `${address}/${registry.host.replace(':', '_')}/library/busybox`
      expect(await kago(['run', '--rm', path, 'echo', 'offered'], { host: other.socket })).toMatchObject({
        status: 0,
        stdout: 'offered\n',
      })
      await kago(['rmi', '-f', path], { host: other.socket })
      registry.requests.length = 0
      expect((await kago(['pull', named('library/busybox')], { host: other.socket })).status).toBe(0)
      const blobs = registry.requests.filter(
        ({ url }) => url.includes('/blobs/') || url.includes('/storage/'),
      )
      expect(blobs).toEqual([])
    } finally {
      await other.dispose()
      await offering.dispose()
    }
  })
})
