import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { measureTree } from '../../../../daemon/host/tree-usage.ts'

let root: string
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'kago-usage-'))
})
afterEach(() => {
  fs.rmSync(root, { recursive: true })
})

/** As du says, without the directory itself. */
function du(path: string): number {
  const said = execFileSync('du', ['-s', '-B1', path]).toString()
  return Number.parseInt(said, 10) - fs.statSync(path).blocks * 512
}

test('nothing is nothing, and a directory that is not there as well', async () => {
  expect(await measureTree(root)).toEqual({ bytes: 0, isWhole: true })
  expect(await measureTree(join(root, 'missing'))).toEqual({ bytes: 0, isWhole: true })
})

test('it says what du says: files, holes, links, names that are no text', async () => {
  fs.mkdirSync(join(root, 'a/b'), { recursive: true })
  fs.writeFileSync(join(root, 'a/file'), 'x'.repeat(100_000))
  fs.linkSync(join(root, 'a/file'), join(root, 'a/b/same'))
  fs.writeFileSync(join(root, 'hole'), '')
  fs.truncateSync(join(root, 'hole'), 1 << 30)
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), 'x'.repeat(5000))
  fs.symlinkSync('/etc', join(root, 'link'))
  for (let index = 0; index < 1000; index++) fs.writeFileSync(join(root, 'a/b', String(index)), 'x')
  expect(await measureTree(root)).toEqual({ bytes: du(root), isWhole: true })
})

test('what is too deep for descriptors is left to du', async () => {
  fs.mkdirSync(join(root, 'd/'.repeat(100)), { recursive: true })
  fs.writeFileSync(join(root, 'd/'.repeat(100), 'file'), 'x'.repeat(10_000))
  expect(await measureTree(root)).toEqual({ bytes: du(root), isWhole: true })
})

test('links are not followed, and a deadline that has passed ends it', async () => {
  fs.symlinkSync('/usr', join(root, 'usr'))
  expect(await measureTree(root)).toEqual({ bytes: du(root), isWhole: true })
  for (let index = 0; index < 300; index++) fs.mkdirSync(join(root, String(index)))
  const { bytes, isWhole } = await measureTree(root, performance.now() - 1)
  expect(isWhole).toBe(false)
  expect(bytes).toBeLessThan(du(root))
})
