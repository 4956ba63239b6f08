/** A real distribution, pulled from a registry like the Hub and run: every file as debootstrap made it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { debianBase } from '../../harness/debian.ts'
import { type Kagod, startKagod } from '../../harness/kagod.ts'
import { makeImage, makeTar } from '../../harness/registry/image.ts'
import { pushImage } from '../../harness/registry/push.ts'
import { startRegistry, type TestRegistry } from '../../harness/registry/registry.ts'

let registry: TestRegistry
let kagod: Kagod
let image: string
const base = debianBase()

beforeAll(async () => {
  registry = await startRegistry({ auth: 'token', redirectBlobs: true })
  kagod = await startKagod()
  const changes = await makeTar({
    // The second layer takes a directory away, empties another, and adds to a third.
    'usr/share/.wh.doc': '',
    'usr/share/man/.wh..wh..opq': '',
    'usr/share/man/mine': 'only this\n',
    'etc/added': 'by the second layer\n',
  })
  await pushImage(
    registry,
    'library/debian',
    'base',
    await makeImage({ layers: [readFileSync(base.tar), changes], config: { Cmd: ['bash'] } }),
  )
  image = `${registry.host}/library/debian:base`
})
afterAll(async () => {
  await kagod.dispose()
  await registry.close()
})

/** Type, mode, owner, size of files, link target and path of everything; the container's own mounts left out. */
const listing = [
  '-xdev',
  '!',
  '-path',
  './proc*',
  '!',
  '-path',
  './sys*',
  '!',
  '-path',
  './dev*',
  '!',
  '-path',
  './usr/share/doc*',
  '!',
  '-path',
  './usr/share/man*',
  '!',
  '-path',
  './etc/added',
  '!',
  '-path',
  './etc/hosts',
  '!',
  '-path',
  './etc/hostname',
  '!',
  '-path',
  './etc/resolv.conf',
  '!',
  '-type',
  'd',
  '-printf',
  '%y %m %U %G %s %l %p\\n',
]

test('every file has the type, mode, owner, size and target it had', async () => {
  const expected = execFileSync('find', ['.', ...listing], {
    cwd: base.directory,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  const { stdout, exit } = await kagod.run({
    image,
    workingDir: '/',
    autoRemove: true,
    command: ['find', '.', ...listing],
  })
  expect(exit).toBe(0)
  expect(stdout.split('\n').sort()).toEqual(expected.split('\n').sort())
  expect(expected.split('\n').length).toBeGreaterThan(3000)
})

test('its checksums are those that dpkg knows', async () => {
  const script =
    "cd / && cat var/lib/dpkg/info/*.md5sums | grep -v -E 'usr/share/(doc|man|locale)' | md5sum --check --quiet && echo whole"
  expect(await kagod.run({ image, autoRemove: true, command: ['bash', '-c', script] })).toMatchObject({
    stdout: 'whole\n',
    exit: 0,
  })
})

test('what the second layer takes away is gone, what it adds is there, and setuid programs work', async () => {
  const script = 'ls /usr/share/man; ls -d /usr/share/doc 2>&1; cat /etc/added; su -s /bin/sh nobody -c id'
  const { stdout } = await kagod.run({ image, autoRemove: true, command: ['bash', '-c', script] })
  expect(stdout).toBe(
    "mine\nls: cannot access '/usr/share/doc': No such file or directory\nby the second layer\nuid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\n",
  )
})
