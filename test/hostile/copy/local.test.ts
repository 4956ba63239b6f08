/** What a hostile archive from a container must not do on the machine of whoever copies: nothing outside the destination. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runCli } from '../../harness/cli.ts'
import { type FakeDaemon, startFakeDaemon } from '../../harness/fake-daemon.ts'
import { directory, file, hardlink, symlink, tar, type TarPart } from '../../harness/tar-builder.ts'
import { describeTree } from '../../harness/tree.ts'

let root: string
let outside: string
let daemon: FakeDaemon | undefined
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'kago-hostile-cp-'))
  outside = join(root, 'outside')
  fs.mkdirSync(join(root, 'here/into'), { recursive: true })
  fs.mkdirSync(outside)
  fs.writeFileSync(join(outside, 'precious'), 'precious')
})
afterEach(async () => {
  await daemon?.close()
  fs.rmSync(root, { recursive: true })
})

async function extract(parts: TarPart[] | Buffer, destination = 'into', ...options: string[]) {
  const bytes = Buffer.isBuffer(parts) ? parts : tar(...parts)
  daemon = await startFakeDaemon({ 'container.read-files': () => ({ bytes }) })
  const before = describeTree(outside)
  const result = await runCli(['cp', ...options, 'c:/x', destination], {
    host: daemon.host,
    cwd: join(root, 'here'),
  })
  expect(describeTree(outside)).toEqual(before)
  expect(fs.readdirSync(root).sort()).toEqual(['here', 'outside'])
  return result
}

describe('names that lead out are refused', () => {
  test.each<[string, TarPart[]]>([
    ['climbing', [directory('x'), file('x/../../evil', 'x')]],
    ['climbing at the top', [file('../evil', 'x')]],
    ['climbing inside', [directory('x'), file('x/a/../../../evil', 'x')]],
    ['absolute', [directory('x'), file('/tmp/kago-evil', 'x')]],
    ['another top', [directory('x'), file('y', 'x')]],
    [
      'through a link of the archive',
      [directory('x'), symlink('x/l', '../../../outside'), file('x/l/precious', 'x')],
    ],
    ['through an absolute link', [directory('x'), symlink('x/l', '/tmp'), directory('x/l/kago-evil')]],
    ['a top that is a link', [symlink('x', '../../outside'), file('x/precious', 'x')]],
    [
      'a directory that becomes a link',
      [directory('x'), directory('x/d'), symlink('x/d', '../../../outside'), file('x/d/precious', 'x')],
    ],
    ['a hard link to a file that was here', [directory('x'), hardlink('x/l', '../../outside/precious')]],
    ['a hard link by an absolute name', [directory('x'), hardlink('x/l', '/etc/passwd')]],
    [
      'a hard link through a link',
      [
        directory('x'),
        symlink('x/d', '../../../outside'),
        hardlink('x/l', 'x/d/precious'),
        file('x/l', 'changed'),
      ],
    ],
    ['without the directories above', [file('x/a/b', 'x')]],
  ])('%s', async (_what, parts) => {
    const { status, stderr } = await extract(parts)
    expect(status, stderr).not.toBe(0)
    expect(stderr).toMatch(/^kago: /)
    expect(stderr).not.toContain('unexpected failure')
  })
})

test('a file is never written through a link that was here', async () => {
  fs.symlinkSync('../../outside/precious', join(root, 'here/into/x'))
  expect((await extract([file('x', 'new')])).status).toBe(0)
  expect(fs.readFileSync(join(root, 'here/into/x'), 'utf8')).toBe('new')
})

test('a directory is never entered through a link that was here', async () => {
  fs.mkdirSync(join(root, 'here/into/x'))
  fs.symlinkSync('../../../outside', join(root, 'here/into/x/sub'))
  const result = await extract([directory('x'), directory('x/sub'), file('x/sub/precious', 'x')])
  expect(result.stderr).toContain('cannot replace a file by a directory')
})

test('links, whatever they point at, are made as they are and harm nobody', async () => {
  const parts = [
    directory('x'),
    symlink('x/a', '/etc/passwd'),
    symlink('x/b', '../../../outside/precious'),
    file('x/c', 'x'),
  ]
  expect((await extract(parts)).status).toBe(0)
  expect(fs.readlinkSync(join(root, 'here/into/x/a'))).toBe('/etc/passwd')
})

test('set-id bits are dropped, devices and FIFOs left out with a word, also with -a', async () => {
  const parts = [
    directory('x'),
    file('x/suid', 'x', { mode: 0o6755 }),
    { name: 'x/null', type: '3', major: 1, minor: 3 },
    { name: 'x/fifo', type: '6' },
  ]
  const { status, stderr } = await extract(parts, 'into', '-a')
  expect(status).toBe(0)
  expect(fs.statSync(join(root, 'here/into/x/suid')).mode & 0o7777).toBe(0o755)
  expect(fs.readdirSync(join(root, 'here/into/x'))).toEqual(['suid'])
  expect(stderr).toContain('left out, as it is a character device: "x/null"')
})

test('an archive that is cut short or none at all is told, not taken for a success', async () => {
  const whole = tar(directory('x'), file('x/a', 'x'.repeat(10_000)))
  expect((await extract(whole.subarray(0, 5000))).stderr).toContain('ends inside an entry')
  await daemon?.close()
  expect((await extract(Buffer.from('x'.repeat(2000)))).status).not.toBe(0)
})

test('a name that is made of control characters does not reach the terminal as they are', async () => {
  const { stderr } = await extract([directory('x'), { name: 'x/\u001b]0;evil\u0007', type: '6' }])
  expect(stderr).not.toContain('\u001b')
})
