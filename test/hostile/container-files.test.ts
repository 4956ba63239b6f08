/** Links where kago puts a container's own files: they lead nowhere but into the container. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CreateBody } from '../../shared/protocol/containers.ts'
import { eventually, type Kagod, startKagod } from '../harness/kagod.ts'

let kagod: Kagod
const outside = mkdtempSync(join(tmpdir(), 'kago-outside-'))
const secret = join(outside, 'secret')
beforeAll(async () => {
  kagod = await startKagod()
})
afterAll(async () => {
  await kagod.dispose()
  rmSync(outside, { recursive: true })
})

/** What a container prints that has `links` in its /etc. */
async function printed(links: Record<string, string>, body: Partial<CreateBody>): Promise<string> {
  const lines = await kagod.ok<{ result?: { id: string } }[]>('POST', '/v1/containers', {
    image: 'localhost/busybox',
    hostname: 'box',
    network: 'none',
    extraHosts: ['db:10.1.2.3'],
    dns: ['10.9.9.9'],
    command: ['sh', '-c', 'cat /etc/hosts /etc/hostname /etc/resolv.conf'],
    ...body,
  })
  const id = lines.at(-1)?.result?.id ?? ''
  const etc = join(kagod.dataRoot, 'containers', id, 'upper', 'etc')
  mkdirSync(etc, { recursive: true })
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(etc, name))
  await kagod.ok('POST', `/v1/containers/${id}/start`)
  await eventually(async () => (await kagod.inspect(id)).task.state === 'exited', 'the end')
  const { stdout, stderr } = await kagod.logs(id)
  await kagod.ok('DELETE', `/v1/containers/${id}`)
  return stdout + stderr
}

describe.each(['runc', 'unshare'])('with %s', (runtime) => {
  test.each([
    ["systemd's", { 'resolv.conf': '../run/systemd/resolve/stub-resolv.conf' }],
    ['absolute', { hosts: secret, hostname: secret, 'resolv.conf': secret }],
    ['climbing', { hosts: `${'../'.repeat(20)}${secret.slice(1)}` }],
    ['chained', { hosts: 'one', one: 'two', two: '../three/four' }],
  ])('files are read as they should be through links that are %s', async (_what, links) => {
    writeFileSync(secret, "the host's\n")
    const text = await printed(links, { runtime })
    const isOneFile = Object.keys(links).length === 3 && Object.values(links).every((to) => to === secret)
    // Three links to one place: what was put there last is read three times.
    for (const part of isOneFile ? ['db'] : ['10.1.2.3\tdb\n', 'box\n', 'nameserver 10.9.9.9\n'])
      expect(text).toContain(part)
    expect(text).not.toContain("the host's")
    expect(readFileSync(secret, 'utf8')).toBe("the host's\n")
  })
})

test('a link that leads to itself is an error that names it', async () => {
  await expect(printed({ hosts: 'hosts' }, { runtime: 'runc' })).rejects.toThrow(
    /etc.hosts.*too many levels of symbolic links/,
  )
})

test('a link into a tmpfs that was asked for is followed into it', async () => {
  const links = { 'resolv.conf': '../run/systemd/resolve/stub-resolv.conf' }
  const text = await printed(links, { tmpfs: [{ target: '/run', options: '' }] })
  expect(text).toContain('nameserver 10.9.9.9\n')
})
