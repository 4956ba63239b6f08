/** `kagod unpack`, as a person runs it. */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { digestOf } from '../../harness/layers.ts'
import { directory, file, hardlink, symlink, tar } from '../../harness/tar-builder.ts'

const program = join(import.meta.dirname, '../../../daemon/main.ts')
let home: string
let tree: string
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'kago-unpack-'))
  tree = join(home, 'tree')
  fs.mkdirSync(tree)
})
afterEach(() => fs.rmSync(home, { recursive: true }))

function unpack(layer: Buffer, ...args: string[]) {
  const path = join(home, 'layer')
  fs.writeFileSync(path, layer)
  const input = fs.openSync(path, 'r')
  try {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'unpack', ...args], {
      stdio: [input, 'pipe', 'pipe'],
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  } finally {
    fs.closeSync(input)
  }
}

const compressions = { plain: (bytes: Buffer) => bytes, gzip: gzipSync, zstd: zstdCompressSync }

test.each(Object.entries(compressions))(
  'a %s layer is applied, and its diffID printed',
  (_name, compress) => {
    const archive = tar(directory('etc'), file('etc/motd', 'hello'))
    expect(unpack(compress(archive), tree)).toEqual({
      status: 0,
      stdout: `${digestOf(archive)}\n`,
      stderr: '',
    })
    expect(fs.readFileSync(join(tree, 'etc/motd'), 'utf8')).toBe('hello')
  },
)

test('a second layer removes from the tree what it hides', () => {
  unpack(tar(file('gone', '1'), file('stays', '2'), directory('cleared'), file('cleared/x', '3')), tree)
  unpack(tar(file('.wh.gone', ''), file('cleared/.wh..wh..opq', ''), file('cleared/y', '4')), tree)
  expect(fs.readdirSync(tree).sort()).toEqual(['cleared', 'stays'])
  expect(fs.readdirSync(join(tree, 'cleared'))).toEqual(['y'])
})

test('in overlay format a whiteout is a device 0:0', () => {
  expect(unpack(tar(file('.wh.gone', '')), '--format', 'overlay', tree)).toMatchObject({ status: 0 })
  expect(fs.statSync(join(tree, 'gone'))).toMatchObject({ rdev: 0 })
  expect(fs.statSync(join(tree, 'gone')).isCharacterDevice()).toBe(true)
})

test('links that lead above the directory are followed inside it', () => {
  const canary = join(home, 'canary')
  fs.mkdirSync(canary)
  const up = symlink('up', '../canary')
  expect(unpack(tar(up, file('up/file', 'inside')), tree)).toMatchObject({ status: 0 })
  expect(fs.readdirSync(canary)).toEqual([])
  expect(fs.readFileSync(join(tree, 'canary/file'), 'utf8')).toBe('inside')
})

test.each([
  ['no archive', Buffer.from('this is no archive'.repeat(100)), [], /checksum/],
  ['half an archive', tar(file('a', 'x'.repeat(2000))).subarray(0, 1024), [], /ends inside/],
  ['damaged gzip', gzipSync(tar(file('a', 'b'))).fill(1, 15, 25), [], /damaged/],
  ['a name that leads out', tar(file('../x', 'y')), [], /\.\.\/x/],
  ['a link to nothing', tar(hardlink('a', 'nothing')), [], /hard link/],
  ['a link to nothing, in overlay format', tar(hardlink('a', 'no')), ['--format', 'overlay'], /hard link/],
])('%s is one line of error and status 1', (_name, layer, args, says) => {
  const { status, stdout, stderr } = unpack(layer, ...args, tree)
  expect(status).toBe(1)
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^kagod: .*\n$/)
  expect(stderr).toMatch(says)
  expect(fs.readdirSync(home).sort()).toEqual(['layer', 'tree'])
})

test.each([
  [['/no/such/directory'], /no\/such/],
  [[], /one directory/],
  [['--format', 'zip', '/tmp'], /zip/],
  [['--what', '/tmp'], /--what/],
])('a wrong command line, %j, says what is wrong', (args, says) => {
  const { status, stderr } = unpack(tar(), ...args)
  expect(status).toBe(1)
  expect(stderr).toMatch(/^kagod: .*\n$/)
  expect(stderr).toMatch(says)
})
