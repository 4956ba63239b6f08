/** Layers made to break out, to lie or to exhaust: each is refused with a sentence or stays inside, and leaves nothing. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { unpackLayers } from '../../../daemon/image/unpack.ts'
import { overlaySnapshotter } from '../../../daemon/snapshot/overlay.ts'
import { copySnapshotter } from '../../../daemon/snapshot/copy.ts'
import type { Snapshotter } from '../../../daemon/snapshot/contract.ts'
import { isKagoError } from '../../../shared/errors.ts'
import { childPath, digestOf, unpackArchives } from '../../harness/layers.ts'
import {
  base256,
  directory,
  file,
  hardlink,
  header,
  padded,
  paxHeader,
  sealed,
  symlink,
  tar,
  tarPart,
} from '../../harness/tar-builder.ts'
import { describeTree, showTree } from '../../harness/tree.ts'

let home: string
let victim: string
let canary: Record<string, string>

beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'kago-hostile-'))
  victim = join(home, 'victim')
  fs.mkdirSync(join(victim, 'sub'), { recursive: true })
  fs.writeFileSync(join(victim, 'file'), 'canary', { mode: 0o640 })
  fs.symlinkSync('file', join(victim, 'link'))
  canary = describeTree(victim)
})

afterEach(async () => {
  assert.deepEqual(describeTree(victim), canary)
  await rm(home, { recursive: true, force: true })
})

const snapshotters: [string, (root: string) => Snapshotter][] = [
  ['overlay', overlaySnapshotter],
  ['tree', copySnapshotter],
]

describe.each(snapshotters)('a layer unpacked in format %s', (_format, make) => {
  const layers = () => make(join(home, 'layers'))
  /** The top layer's directory, or with one archive the layer itself. */
  const unpack = async (...archives: Buffer[]) => {
    const ids = await unpackArchives(layers(), home, archives)
    return showTree(layers().directories(undefined, ids)[0] ?? '')
  }
  /** How the layer is refused, as "code: message after the layer's name"; nothing may be left of it. */
  const refusal = async (archive: Buffer) => {
    const error = await unpackArchives(layers(), home, [archive]).catch((thrown: unknown) => thrown)
    if (!isKagoError(error)) throw new Error(`no KagoError: ${String(error)}`)
    assert.deepEqual(fs.readdirSync(join(home, 'layers')), [])
    const start = `layer ${digestOf(gzipSync(archive, { level: 1 })).slice(0, 19)}: `
    assert.ok(error.message.startsWith(start), error.message)
    return `${error.code}: ${error.message.slice(start.length)}`
  }

  it.each(['../../x', '/../x', 'a/../../x', './..', '..', 'a/b/../../../victim/file'])(
    'is refused for the name %s, which leads above the root',
    async (name) => {
      expect(await refusal(tar(file('before'), file(name, 'evil')))).toMatch(
        /entry ".*": its name leads above the root$/,
      )
    },
  )

  it('keeps files behind links to the host inside', async () => {
    const tree = await unpack(
      tar(
        symlink('absolute', victim),
        file('absolute/file', 'evil'),
        symlink('relative', `../../../../../../..${victim}`),
        file('relative/other', 'evil'),
        symlink('a', 'b'),
        symlink('b', 'c/d'),
        symlink('c', '../../../..'),
        file('a/chained', 'evil'),
      ),
    )
    expect(tree[`${victim.slice(1)}/file`]).toBe('file evil')
    expect(tree[`${victim.slice(1)}/other`]).toBe('file evil')
    expect(tree['d/chained']).toBe('file evil')
  })

  it('keeps a hard link to the host inside, where there is nothing to link to', async () => {
    for (const target of [`${victim}/file`, `../../..${victim}/file`])
      expect(await refusal(tar(hardlink('l', target)))).toMatch(/hard link to/)
    expect(await refusal(tar(symlink('s', victim), hardlink('l', 's/file')))).toMatch(/hard link to/)
  })

  it('does not leave its root through links that climb from within directories', async () => {
    const tree = await unpack(
      tar(
        directory('a/b/c'),
        symlink('a/b/c/up', '../..'),
        symlink('a/b/escape', `c/up/../../../../../..${victim}`),
        file('a/b/escape/file', 'evil'),
        file('a/b/escape/linked', 'evil'),
        hardlink('exfiltrated', 'a/b/escape/linked'),
      ),
    )
    expect(tree.exfiltrated).toBe('file evil')
    expect(tree[`${victim.slice(1)}/file`]).toBe('file evil')
  })

  it('changes no mode, owner, time or attribute through a link', async () => {
    const tree = await unpack(
      tar(
        symlink('l', join(victim, 'file'), { mode: 0o4777, uid: 99, pax: { 'SCHILY.xattr.user.x': 'y' } }),
        directory('d'),
        symlink('d', victim),
        directory('d', { mode: 0o777, uid: 99 }),
      ),
    )
    expect(tree).toMatchObject({ l: `symlink ${victim}/file`, d: 'directory' })
  })

  it('writes a file in the place of a link, not through it', async () => {
    const tree = await unpack(tar(symlink('f', join(victim, 'file')), file('f', 'evil')))
    expect(tree.f).toBe('file evil')
  })

  it.each([
    ['a whiteout of no name', '.wh.', /a whiteout of no name/],
    ['a whiteout of the directory itself', 'd/.wh..', /a whiteout of no name/],
    ['a whiteout of the parent', '.wh...', /a whiteout of no name/],
    ['children of a whiteout', '.wh.d/x', /a whiteout cannot have children/],
  ])('is refused for %s', async (_what, name, says) => {
    expect(await refusal(tar(file(name)))).toMatch(says)
  })

  it('does not remove through a whiteout below a link to the host', async () => {
    const tree = await unpack(tar(symlink('l', victim), file('l/.wh.file'), file('l/sub/.wh..wh..opq')))
    expect(tree.l).toBe(`symlink ${victim}`)
  })

  it('skips what AUFS left', async () => {
    expect(await unpack(tar(file('.wh..wh.aufs'), file('.wh..wh.plnk/1.2'), file('a')))).toEqual({
      '.': 'directory',
      a: 'file',
    })
  })

  it('is refused for a device that would be a whiteout, and for one no system has', async () => {
    expect(await refusal(tar({ name: 'd', type: '3', major: 0, minor: 0 }))).toMatch(/a character device 0:0/)
    expect(await refusal(tar({ name: 'd', type: '4', major: 5000, minor: 0 }))).toMatch(/a device number/)
  })

  it('is refused for an owner that means "do not change"', async () => {
    expect(await refusal(tar(file('f', '', { uid: 0xffffffff })))).toMatch(/an owner that no system has/)
  })

  it('keeps no attribute that steers overlayfs or comes from another machine', async () => {
    const names = [
      'trusted.overlay.opaque',
      'trusted.overlay.redirect',
      'user.overlay.opaque',
      'security.selinux',
      'trusted.x',
      'system.posix_acl_access',
    ]
    const pax = Object.fromEntries([...names, 'user.kept'].map((name) => [`SCHILY.xattr.${name}`, 'y']))
    const ids = await unpackArchives(layers(), home, [tar(directory('d', { pax }), file('f', '', { pax }))])
    const tree = describeTree(layers().directories(undefined, ids)[0] ?? '', { times: false })
    expect(tree.d).toBe('directory 755 0:0 user.kept=79 |')
    expect(tree.f).toBe('file 644 0:0 links=1 user.kept=79 | ')
  })

  it('is refused for an attribute that no file can have', async () => {
    const pax = { 'SCHILY.xattr.user.x': Buffer.alloc(70_000, 'x') }
    expect(await refusal(tar(file('f', '', { pax })))).toMatch(
      /^corrupt: entry "f": its attribute "user.x" is larger/,
    )
  })

  it('is refused when the root is to be anything but a directory', async () => {
    expect(await refusal(tar(file('./', 'x', { type: '7', pax: { path: '.' } })))).toMatch(
      /the root can only be a directory/,
    )
    expect(await refusal(tar(symlink('.', '/')))).toMatch(/the root can only be a directory/)
    expect(await refusal(tar(file('d/x'), file('.wh..wh..opq/../..')))).toMatch(/above the root|whiteout/)
  })

  it('is refused for links that go in circles', async () => {
    expect(await refusal(tar(symlink('a', 'b'), symlink('b', 'a'), file('a/x')))).toMatch(
      /too many symbolic links/,
    )
  })

  it('escapes control characters of names in its errors', async () => {
    const said = await refusal(tar(file('../\x1b[31m\n\x9b\u0007')))
    expect(said).toMatch(/leads above the root/)
    expect(Array.from(said).filter((character) => /\p{Cc}/u.test(character))).toEqual([])
  })

  it('unpacks names of newlines, escapes and bytes that are not UTF-8 as they are', async () => {
    const names = ['a\nb', '\x1b[0m', '\xff\xfe', '-rf', ' ', '\\', '*', 'x'.repeat(255)]
    const tree = await unpack(tar(...names.map((name) => file(name, 'x'))))
    expect(Object.keys(tree).sort()).toEqual(['.', ...names].sort())
  })

  it('is refused for names longer than a file system takes', async () => {
    expect(await refusal(tar(file('x'.repeat(256))))).toMatch(/^invalid_argument: .*the name is too long/)
    expect(await refusal(tar(file('d/'.repeat(2500))))).toMatch(/a name longer than 4000 bytes/)
  })

  it('unpacks and removes a path of two thousand directories', async () => {
    const deep = 'd/'.repeat(1900)
    const ids = await unpackArchives(layers(), home, [tar(file(`${deep}f`, 'x'))])
    expect(await layers().hasLayer(ids[0] ?? 'sha256:')).toBe(true)
    await layers().removeLayer(ids[0] ?? 'sha256:')
    expect(fs.readdirSync(join(home, 'layers'))).toEqual([])
  })
})

describe('an archive that lies', () => {
  const layers = () => overlaySnapshotter(join(home, 'layers'))
  const unpack = (bytes: Buffer) => unpackArchives(layers(), home, [bytes])
  const block = (patch: (header: Buffer) => void) =>
    Buffer.concat([header({ name: 'f', patch }, 0), Buffer.alloc(1024)])

  it.each<[string, Buffer, string, RegExp]>([
    [
      'a size of 2^63',
      block((b) => base256(b, 124, 12, 2n ** 63n)),
      'corrupt',
      /size of a header is too large, at byte 0/,
    ],
    [
      'a size above 2^53',
      block((b) => base256(b, 124, 12, 2n ** 54n)),
      'corrupt',
      /size of a header is too large/,
    ],
    ['a negative size', block((b) => base256(b, 124, 12, -1n)), 'corrupt', /size of a header is negative/],
    ['a size of 8 EB', block((b) => base256(b, 124, 12, 2n ** 52n)), 'exhausted', /unpacks to more than/],
    ['garbage for a size', block((b) => b.write('9x', 124)), 'corrupt', /size of a header is no number/],
    ['a negative owner', block((b) => base256(b, 108, 8, -1n)), 'corrupt', /uid of a header is negative/],
    ['a wrong checksum', Buffer.concat([Buffer.alloc(512, 'a'), Buffer.alloc(1024)]), 'corrupt', /checksum/],
    [
      'a truncated file',
      tarPart(file('f', 'x'.repeat(2000))).subarray(0, 1500),
      'corrupt',
      /ends inside an entry/,
    ],
    ['a truncated header', tarPart(file('f')).subarray(0, 300), 'corrupt', /ends inside an entry/],
    [
      'an entry after an empty block',
      Buffer.concat([Buffer.alloc(512), tar(file('f'))]),
      'corrupt',
      /follows an empty block/,
    ],
    [
      'nothing after its extended header',
      paxHeader({ path: 'x' }),
      'corrupt',
      /ends after an extended header/,
    ],
    ['an unknown type', tar({ name: 'f', type: 'Q' }), 'not_supported', /type "Q"/],
    ['a sparse file in GNU form', tar({ name: 'f', type: 'S' }), 'not_supported', /sparse/],
    [
      'a sparse file in PAX form',
      tar(file('f', 'x', { pax: { 'GNU.sparse.major': '1' } })),
      'not_supported',
      /sparse/,
    ],
    [
      'a PAX header of 2 MiB',
      Buffer.concat([paxHeader({ comment: 'x'.repeat(2 << 20) }), tar(file('f'))]),
      'corrupt',
      /larger than 1 MiB/,
    ],
    [
      'a PAX header that claims 8 GB',
      tar({ name: 'x', type: 'x', size: 2 ** 33 }),
      'corrupt',
      /larger than 1 MiB/,
    ],
    ['a PAX record of negative length', paxOf('-8 aa=b\n'), 'corrupt', /malformed/],
    ['a PAX record longer than the header', paxOf('99 a=b\n'), 'corrupt', /malformed/],
    ['a PAX record without =', paxOf('6 abc\n'), 'corrupt', /malformed/],
    ['a PAX record of no length', paxOf(' a=b\n'), 'corrupt', /malformed/],
    [
      'a PAX size that is none',
      tar(file('f', 'x', { pax: { size: '-1' } })),
      'corrupt',
      /size of an extended header/,
    ],
    ['a PAX time that is none', tar(file('f', 'x', { pax: { mtime: '1e9' } })), 'corrupt', /mtime/],
    ['a NUL in a name', tar(file('f', 'x', { pax: { path: 'a\0b' } })), 'corrupt', /NUL/],
  ])('is refused: %s', async (_what, bytes, code, says) => {
    await expect(unpack(bytes)).rejects.toMatchObject({ code, message: expect.stringMatching(says) })
    expect(fs.readdirSync(join(home, 'layers'))).toEqual([])
  })

  it('ignores a size on what has no data, and names and sizes of a global header', async () => {
    const archive = Buffer.concat([
      paxHeader({ path: '../../evil', size: '99999' }, 'g'),
      tarPart({ ...directory('d'), size: 512 }),
      tarPart({ ...symlink('l', 'd'), size: 512 }),
      tar(file('f', 'x')),
    ])
    const ids = await unpack(archive)
    expect(showTree(layers().directories(undefined, ids)[0] ?? '')).toMatchObject({
      d: 'directory',
      f: 'file x',
    })
  })

  it('counts bytes after its end', async () => {
    const archive = Buffer.concat([tar(file('f')), Buffer.from('trailing'), Buffer.alloc(5000, 7)])
    await expect(unpack(archive)).resolves.toHaveLength(1)
  })

  it('is refused when its digest is not the diffID, wherever the changed byte is', async () => {
    const archive = tar(file('f', 'content'))
    for (const at of [0, 100, 512, archive.length - 1]) {
      const changed = Buffer.from(archive)
      changed[at] = (changed[at] ?? 0) ^ 1
      const path = join(home, 'blob')
      fs.writeFileSync(path, gzipSync(changed))
      const layer = { digest: digestOf(changed), diffId: digestOf(archive), path }
      await expect(unpackLayers([layer], { snapshotter: layers(), childPath })).rejects.toMatchObject({
        code: 'corrupt',
      })
    }
    expect(fs.readdirSync(join(home, 'layers'))).toEqual([])
  })

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['cut gzip', (bytes) => gzipSync(bytes).subarray(0, -20)],
    ['gzip with a wrong checksum', (bytes) => flip(gzipSync(bytes), -6)],
    ['gzip followed by garbage', (bytes) => Buffer.concat([gzipSync(bytes), Buffer.from('garbage')])],
    ['cut zstd', (bytes) => zstdCompressSync(bytes).subarray(0, -10)],
    ['zstd followed by garbage', (bytes) => Buffer.concat([zstdCompressSync(bytes), Buffer.from('garbage')])],
    ['a zstd window of 2 GB', () => Buffer.from('28b52ffd00a8010000', 'hex')],
  ])('is refused as damaged: %s', async (_what, compress) => {
    const archive = tar(file('f', Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251))))
    await expect(unpackArchives(layers(), home, [archive], { compress })).rejects.toMatchObject({
      code: 'corrupt',
    })
  })

  it.each<[string, (bytes: Buffer) => Buffer]>([
    [
      'gzip members',
      (bytes) => Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))]),
    ],
    [
      'zstd frames, one of them to be skipped',
      (bytes) =>
        Buffer.concat([
          Buffer.from('502a4d1804000000', 'hex'),
          Buffer.from('skip'),
          zstdCompressSync(bytes.subarray(0, 700)),
          zstdCompressSync(bytes.subarray(700)),
        ]),
    ],
    ['nothing at all', (bytes) => bytes],
  ])('is read when it is compressed as %s', async (_what, compress) => {
    await expect(
      unpackArchives(layers(), home, [tar(file('f', 'x'.repeat(2000)))], { compress }),
    ).resolves.toHaveLength(1)
  })
})

describe('a layer that exhausts', () => {
  const layers = () => overlaySnapshotter(join(home, 'layers'))

  it('is stopped at the bytes allowed, long before a bomb is unpacked', async () => {
    const bomb = tar(file('zeros', Buffer.alloc(64 << 20)))
    await expect(
      unpackArchives(layers(), home, [bomb], { limits: { archiveBytes: 8 << 20 } }),
    ).rejects.toMatchObject({ code: 'exhausted', message: expect.stringContaining('unpacks to more than') })
    expect(fs.readdirSync(join(home, 'layers'))).toEqual([])
  })

  it('is stopped at the entries allowed', async () => {
    const many = tar(...Array.from({ length: 101 }, (_, index) => file(`f${index}`)))
    await expect(unpackArchives(layers(), home, [many], { limits: { entries: 100 } })).rejects.toMatchObject({
      code: 'exhausted',
      message: expect.stringContaining('more than 100 entries'),
    })
  })

  it('is stopped before the disk is full', async () => {
    await expect(
      unpackArchives(layers(), home, [tar(file('f'))], { limits: { reserveBytes: 2 ** 52 } }),
    ).rejects.toMatchObject({ code: 'exhausted', message: expect.stringContaining('no space left') })
  })

  it('is stopped by a signal, and leaves nothing', async () => {
    const controller = new AbortController()
    const ready = new Promise<void>((resolve) => setTimeout(resolve, 50))
    const path = join(home, 'blob')
    const archive = tar(file('f', Buffer.alloc(200 << 20)))
    fs.writeFileSync(path, archive)
    const layer = { digest: digestOf(archive), diffId: digestOf(archive), path, ready }
    const work = unpackLayers([layer], {
      snapshotter: layers(),
      childPath,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    await expect(work).rejects.toMatchObject({ code: 'cancelled' })
    expect(fs.readdirSync(join(home, 'layers'))).toEqual([])
  })

  it('does not wait for the download of another once it has failed', async () => {
    const path = join(home, 'blob')
    fs.writeFileSync(path, 'no archive')
    const never = new Promise<void>(() => {})
    const bad = { digest: digestOf(Buffer.from('x')), diffId: digestOf(Buffer.from('x')), path }
    const work = unpackLayers([bad, { ...bad, ready: never }], { snapshotter: layers(), childPath })
    await expect(work).rejects.toMatchObject({ code: 'corrupt' })
  })

  it('is reported when its process dies', async () => {
    const script = join(home, 'dies.mjs')
    fs.writeFileSync(
      script,
      "console.log('no message'); process.kill(process.pid, 'SIGSEGV'); setTimeout(() => {}, 9999)",
    )
    const path = join(home, 'blob')
    fs.writeFileSync(path, tar(file('f')))
    const layer = { digest: digestOf(Buffer.from('x')), diffId: digestOf(tar(file('f'))), path }
    await expect(unpackLayers([layer], { snapshotter: layers(), childPath: script })).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('the unpacker was killed by SIGSEGV'),
      details: { stderr: 'no message' },
    })
    expect(fs.readdirSync(join(home, 'layers'))).toEqual([])
  })

  it('does not follow a link that another process swaps in while it unpacks', async () => {
    const parts = Array.from({ length: 3000 }, (_, index) => file(`d/f${index}`, 'evil'))
    const swapper = spawn(process.execPath, ['-e', swap], { cwd: home, env: { VICTIM: victim } })
    const rounds: PromiseSettledResult<unknown>[] = []
    try {
      for (const round of ['1', '2', '3']) {
        const archive = tar(directory('d'), file('round', round), ...parts)
        rounds.push(...(await Promise.allSettled([unpackArchives(layers(), home, [archive])])))
      }
    } finally {
      swapper.kill()
    }
    const strange = rounds.filter((round) => round.status === 'rejected' && !isKagoError(round.reason))
    expect(strange).toEqual([])
  })
})

/** Replaces the directory `d` of every layer being made by a link to the victim, and back, as fast as it can. */
const swap = `
const fs = require('node:fs')
for (;;) for (const name of fs.existsSync('layers') ? fs.readdirSync('layers') : []) {
  const d = 'layers/' + name + '/d'
  try { fs.renameSync(d, d + '-'); fs.symlinkSync(process.env.VICTIM, d); fs.unlinkSync(d); fs.renameSync(d + '-', d) } catch {}
}`

function paxOf(records: string): Buffer {
  const data = Buffer.from(records, 'latin1')
  return Buffer.concat([sealed(header({ name: 'x', type: 'x' }, data.length)), padded(data), tar(file('f'))])
}

function flip(bytes: Buffer, at: number): Buffer {
  const index = at < 0 ? bytes.length + at : at
  bytes[index] = (bytes[index] ?? 0) ^ 0xff
  return bytes
}
