/** The two ways to inflate a gzipped layer give the same trees and the same refusals. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { copySnapshotter } from '../../../daemon/snapshot/copy.ts'
import { unpackArchives } from '../../harness/layers.ts'
import { directory, file, tar } from '../../harness/tar-builder.ts'
import { describeTree } from '../../harness/tree.ts'

let home: string
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'kago-igzip-'))
})
afterEach(() => fs.rmSync(home, { recursive: true }))

const noise = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 2654435761) >>> 11))
const archive = tar(directory('bin'), file('bin/sh', noise), file('text', 'kago '.repeat(100_000)))

test('igzip is installed, or this says nothing', () => {
  expect(execFileSync('igzip', ['--version'], { encoding: 'utf8' })).toContain('igzip')
})

describe.each([
  ['igzip', true],
  ['zlib', false],
])('inflated by %s', (_name, usesIgzip) => {
  const unpack = async (compress: (bytes: Buffer) => Buffer, limits = {}) => {
    const layers = copySnapshotter(join(home, 'layers'))
    const ids = await unpackArchives(layers, home, [archive], { compress, usesIgzip, limits })
    return describeTree(layers.directories(undefined, ids)[0] ?? '')
  }
  const noLayer = () => expect(fs.readdirSync(join(home, 'layers'))).toEqual([])

  test('a layer is what was packed', async () => {
    const tree = await unpack((bytes) => gzipSync(bytes))
    expect(Object.keys(tree)).toEqual(expect.arrayContaining(['bin', 'bin/sh', 'text']))
  })

  test('several members are one layer', async () => {
    const members = (bytes: Buffer) =>
      Buffer.concat([gzipSync(bytes.subarray(0, 70_000)), gzipSync(bytes.subarray(70_000))])
    expect(Object.keys(await unpack(members))).toContain('text')
  })

  test.each([
    ['cut short', (bytes: Buffer) => gzipSync(bytes).subarray(0, -2000)],
    ['without its trailer', (bytes: Buffer) => gzipSync(bytes).subarray(0, -8)],
    ['followed by something else', (bytes: Buffer) => Buffer.concat([gzipSync(bytes), Buffer.from('else')])],
    ['with flipped bits', (bytes: Buffer) => gzipSync(bytes).fill(0x5a, 5000, 5010)],
  ])('%s, a layer is refused and leaves nothing', async (_what, compress) => {
    await expect(unpack(compress)).rejects.toMatchObject({ code: 'corrupt' })
    noLayer()
  })

  test('one that is larger than it may be is stopped', async () => {
    const says = { code: 'exhausted', message: expect.stringMatching(/more than 400000 bytes/) }
    await expect(unpack((bytes) => gzipSync(bytes), { archiveBytes: 400_000 })).rejects.toMatchObject(says)
    noLayer()
  })
})
