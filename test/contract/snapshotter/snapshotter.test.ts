/** The promises of daemon/snapshot/contract.ts, held by each snapshotter with real layers and real mounts. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chainIds as chainIdsOf } from '../../../daemon/snapshot/chain-id.ts'
import type { Snapshotter } from '../../../daemon/snapshot/contract.ts'
import { copySnapshotter } from '../../../daemon/snapshot/copy.ts'
import { overlaySnapshotter } from '../../../daemon/snapshot/overlay.ts'
import { lookupInLayers, readFileInLayers } from '../../../daemon/snapshot/read-file.ts'
import { digestOf, inMounts, mountedTree, unpackArchives } from '../../harness/layers.ts'
import { directory, file, hardlink, symlink, tar } from '../../harness/tar-builder.ts'

const implementations: [string, (root: string) => Snapshotter][] = [
  ['overlay', overlaySnapshotter],
  ['copy', copySnapshotter],
]

describe.each(implementations)('the %s snapshotter', (_name, make) => {
  let home: string
  let snapshotter: Snapshotter

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'kago-snapshotter-'))
    snapshotter = make(join(home, 'layers'))
  })
  afterEach(async () => {
    await rm(home, { recursive: true, force: true })
  })

  const unpack = (...archives: Buffer[]) => unpackArchives(snapshotter, home, archives)
  const see = async (...archives: Buffer[]) => {
    const tree = await mountedTree(snapshotter, await unpack(...archives), home)
    return Object.fromEntries(Object.entries(tree).filter(([name]) => name !== '.'))
  }

  it('shows the files of all layers, the upper over the lower', async () => {
    expect(await see(tar(file('a', '1'), file('b', '1')), tar(file('b', '2'), file('c', '2')))).toEqual({
      a: 'file 1',
      b: 'file 2',
      c: 'file 2',
    })
  })

  it('hides what a whiteout names, and only from lower layers', async () => {
    const lower = tar(directory('d'), file('d/x', 'old'), file('d/y', 'y'), file('gone', ''))
    const upper = tar(file('d/x', 'new'), file('d/.wh.x'), file('.wh.gone'))
    expect(await see(lower, upper)).toEqual({ d: 'directory', 'd/x': 'file new', 'd/y': 'file y' })
  })

  it('brings back a deleted name only with what the later layer says', async () => {
    const first = tar(directory('d'), file('d/old', ''))
    const second = tar(file('.wh.d'))
    const third = tar(directory('d'), file('d/new', ''))
    expect(await see(first, second, third)).toEqual({ d: 'directory', 'd/new': 'file' })
  })

  it.each([
    ['first', [file('d/.wh..wh..opq'), file('d/new')]],
    ['last', [file('d/new'), file('d/.wh..wh..opq')]],
  ])('empties an opaque directory of lower content when the mark comes %s', async (_when, parts) => {
    const lower = tar(directory('d', { mode: 0o700 }), file('d/old'), directory('d/sub'), file('d/sub/old'))
    expect(await see(lower, tar(...parts))).toEqual({ d: 'directory', 'd/new': 'file' })
  })

  it.each([
    ['before', [file('.wh.d'), directory('d'), file('d/new')]],
    ['after', [directory('d'), file('d/new'), file('.wh.d')]],
    ['before, the directory only implied', [file('.wh.d'), file('d/new')]],
    ['after, the directory only implied', [file('d/new'), file('.wh.d')]],
  ])('begins a directory anew when its whiteout stands %s it', async (_when, parts) => {
    const lower = tar(directory('d', { mode: 0o700 }), file('d/old'))
    expect(await see(lower, tar(...parts))).toEqual({ d: 'directory', 'd/new': 'file' })
  })

  it('hides all of the root behind an opaque root', async () => {
    const lower = tar(file('a'), directory('d'), file('d/old'), directory('e'), file('e/old'))
    const upper = tar(file('.wh..wh..opq'), file('d/new'), file('b'))
    expect(await see(lower, upper)).toEqual({ b: 'file', d: 'directory', 'd/new': 'file' })
  })

  it('lets a file take the place of a directory, and a directory that of a file or a link', async () => {
    const lower = tar(directory('d'), file('d/x'), file('f'), symlink('l', 'd'))
    const upper = tar(file('d', 'now a file'), directory('f'), file('f/x'), directory('l'), file('l/y'))
    expect(await see(lower, upper)).toEqual({
      d: 'file now a file',
      f: 'directory',
      'f/x': 'file',
      l: 'directory',
      'l/y': 'file',
    })
  })

  it('follows a link of a lower layer that the upper uses as a directory', async () => {
    const lower = tar(directory('usr'), directory('usr/lib'), file('usr/lib/x'), symlink('lib', 'usr/lib'))
    const upper = tar(file('lib/foo', 'foo'), file('lib/.wh.x'))
    expect(await see(lower, upper)).toEqual({
      lib: 'symlink usr/lib',
      usr: 'directory',
      'usr/lib': 'directory',
      'usr/lib/foo': 'file foo',
    })
  })

  it('follows links through several layers, absolute ones and those above the root inside the root', async () => {
    const first = tar(directory('real'), symlink('one', '/two'))
    const second = tar(symlink('two', '../../../three'))
    const third = tar(symlink('three', 'real'))
    const fourth = tar(file('one/f', 'here'))
    const tree = await see(first, second, third, fourth)
    expect(tree['real/f']).toBe('file here')
    expect(tree.one).toBe('symlink /two')
  })

  it('links to a file that only a lower layer has', async () => {
    const lower = tar(directory('bin', { mode: 0o711 }), file('bin/a', 'program', { mode: 0o4755, uid: 7 }))
    const chainIds = await unpack(lower, tar(hardlink('b', 'bin/a'), hardlink('c', '/b')))
    const tree = await mountedTree(
      snapshotter,
      chainIds,
      home,
      'return describeTree(rootfs, { times: false })',
    )
    expect(tree['bin/a']).toBe('file 4755 7:0 links=3 | program')
    expect(tree.b).toBe(tree['bin/a'])
    expect(tree.c).toBe(tree['bin/a'])
    expect(tree.bin).toMatch(/^directory 711 0:0/)
  })

  it('keeps a link to a lower file whose own name the layer deletes', async () => {
    const tree = await see(tar(file('old', 'x')), tar(hardlink('new', 'old'), file('.wh.old')))
    expect(tree).toEqual({ new: 'file x' })
  })

  it('refuses a link to a file that no layer has, and leaves nothing', async () => {
    await expect(unpack(tar(file('a')), tar(hardlink('b', 'nothing')))).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('hard link'),
    })
    expect(readdirSync(join(home, 'layers')).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('gives a directory that is only implied the owner, mode and times of the layer below', async () => {
    const lower = tar(
      directory('./', { mode: 0o751, uid: 5, mtime: 1000 }),
      directory('d', { mode: 0o1700, uid: 3, gid: 4, mtime: 1111, pax: { 'SCHILY.xattr.user.k': 'v' } }),
      file('d/old', '', { mtime: 5 }),
    )
    const chainIds = await unpack(
      lower,
      tar(file('d/new', '', { mtime: 6 })),
      tar(file('e/new', '', { mtime: 6 })),
    )
    const tree = await mountedTree(snapshotter, chainIds, home, 'return describeTree(rootfs)')
    expect(tree.d).toBe('directory 1700 3:4 1111000000000 user.k=76 |')
    expect(tree['.']).toMatch(/^directory 751 5:0/)
    expect(tree.e).toBe('directory 755 0:0 0 |')
  })

  it('keeps owner, mode, times to the nanosecond, extended attributes, devices and names of any bytes', async () => {
    const archive = tar(
      file('setid', 'x', {
        mode: 0o6755,
        uid: 70000,
        gid: 3_000_000_000,
        pax: { mtime: '1700000000.123456789' },
      }),
      file('cap', 'x', {
        uid: 1,
        pax: { 'SCHILY.xattr.security.capability': Buffer.from('AQAAAsAAAAAAAAAAAAAAAAAAAAA=', 'base64') },
      }),
      file('old', 'x', { pax: { mtime: '-1.5' } }),
      symlink('l\xff', 'b\xe9\x01', { uid: 9, pax: { mtime: '12.000000001' } }),
      { name: 'null', type: '3', major: 1, minor: 3, mode: 0o666 },
      { name: 'disk', type: '4', major: 259, minor: 70000, mode: 0o660 },
      { name: 'fifo', type: '6', mode: 0o600 },
    )
    const tree = await mountedTree(snapshotter, await unpack(archive), home, 'return describeTree(rootfs)')
    const at = '1700000000000000000'
    expect(tree.setid).toBe('file 6755 70000:3000000000 1700000000123456789 links=1 | x')
    expect(tree.cap).toBe(
      `file 644 1:0 ${at} links=1 security.capability=01000002c0000000000000000000000000000000 | x`,
    )
    expect(tree.old).toBe('file 644 0:0 -1500000000 links=1 | x')
    expect(tree['l\xff']).toBe('symlink 777 9:0 12000000001 | b\xe9\x01')
    expect(tree.null).toBe(`character 666 0:0 ${at} | 259`)
    expect(tree.disk).toBe(`block 660 0:0 ${at} | ${(70000 & 0xff) | (259 << 8) | ((70000 >> 8) << 20)}`)
    expect(tree.fifo).toBe(`fifo 600 0:0 ${at} |`)
  })

  it('shows the last of several entries of one name', async () => {
    const archive = tar(
      file('a', '1'),
      file('a', '2'),
      directory('b'),
      file('b/x'),
      file('b', 'f'),
      symlink('c', 'a'),
      file('c', 'f'),
    )
    expect(await see(archive)).toEqual({ a: 'file 2', b: 'file f', c: 'file f' })
  })

  it('mounts 127 layers', async () => {
    const chainIds = await fakeLayers(snapshotter, 127)
    const tree = await mountedTree(snapshotter, chainIds, home)
    expect(Object.keys(tree)).toHaveLength(snapshotter.name === 'overlay' ? 129 : 3)
    expect(tree.top).toBe('file 126')
  })

  it('keeps what a container writes to itself', async () => {
    const chainIds = await unpack(tar(file('a', 'layer')))
    const own = join(home, 'own')
    const other = join(home, 'other')
    for (const container of [own, other]) {
      mkdirSync(container)
      await snapshotter.createWritable(container, chainIds)
    }
    inMounts(snapshotter.mounts(own, chainIds), own, "fs.writeFileSync(rootfs + '/a', 'mine')")
    const read = "return fs.readFileSync(rootfs + '/a', 'utf8')"
    expect(inMounts(snapshotter.mounts(own, chainIds), own, read)).toBe('mine')
    expect(inMounts(snapshotter.mounts(other, chainIds), other, read)).toBe('layer')
    expect(
      (await readFileInLayers(snapshotter.directories(own, chainIds), '/a', { maxBytes: 9 }))?.toString(),
    ).toBe('mine')
    await snapshotter.removeWritable(own)
    expect(existsSync(join(own, 'upper'))).toBe(false)
  })

  it('makes an empty root for a stack of no layers', async () => {
    expect(await mountedTree(snapshotter, [], home)).toEqual({ '.': 'directory' })
  })

  it('commits one layer twice and keeps one', async () => {
    const archive = tar(file('a', 'x'))
    const [first, second] = await Promise.all([unpack(archive), unpack(archive)])
    expect(first).toEqual(second)
    expect(await snapshotter.listLayers()).toHaveLength(1)
    expect(readdirSync(snapshotter.root).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('lets nobody but root into the folder of layers', async () => {
    await unpack(tar(file('setid', '', { mode: 0o4755 })))
    expect(statSync(snapshotter.root).mode & 0o777).toBe(0o700)
  })

  it('measures a layer and what a container wrote', async () => {
    const chainIds = await unpack(tar(file('a', Buffer.alloc(300_000, 'x'))))
    const { bytes } = await snapshotter.usage({ chainId: chainIds[0] ?? 'sha256:' })
    expect(bytes).toBeGreaterThanOrEqual(300_000)
    expect(bytes).toBeLessThan(600_000)
  })

  it('replaces the attributes of a directory that a layer has an entry for', async () => {
    const dressed = directory('d', { pax: { 'SCHILY.xattr.user.old': '1' } })
    const chainIds = await unpack(
      tar(dressed),
      tar(directory('d', { pax: { 'SCHILY.xattr.user.new': '2' } })),
    )
    const tree = await mountedTree(
      snapshotter,
      chainIds,
      home,
      'return describeTree(rootfs, { times: false })',
    )
    expect(tree.d).toBe('directory 755 0:0 user.new=32 |')
  })

  it('has a layer from its commit to its removal', async () => {
    const chainId = digestOf(Buffer.from('layer'))
    const prepared = await snapshotter.prepareLayer({ chainId })
    expect(await snapshotter.hasLayer(chainId)).toBe(false)
    await snapshotter.commitLayer(prepared)
    expect(await snapshotter.hasLayer(chainId)).toBe(true)
    await snapshotter.removeLayer(chainId)
    await snapshotter.removeLayer(chainId)
    expect(await snapshotter.hasLayer(chainId)).toBe(false)
  })

  it('refuses a container on layers that are not there', async () => {
    const own = join(home, 'own')
    mkdirSync(own)
    await expect(snapshotter.createWritable(own, [digestOf(Buffer.from('x'))])).rejects.toMatchObject({
      code: 'not_found',
    })
  })

  it('removes scratch after a crash, and nothing else, as often as it is asked', async () => {
    const chainIds = await unpack(tar(file('a')))
    const left = await snapshotter.prepareLayer({ chainId: digestOf(Buffer.from('x')) })
    writeFileSync(`${left.directory}.report`, '{}')
    await snapshotter.recover()
    await snapshotter.recover()
    expect(existsSync(left.directory) || existsSync(`${left.directory}.report`)).toBe(false)
    expect(await snapshotter.hasLayer(chainIds[0] ?? 'sha256:')).toBe(true)
  })

  it('reads files of the stack as a mount would show them, links resolved inside', async () => {
    const lower = tar(
      directory('etc'),
      file('etc/passwd', 'old'),
      file('etc/gone'),
      symlink('abs', '/etc/passwd'),
    )
    const upper = tar(
      file('etc/passwd', 'new'),
      file('etc/.wh.gone'),
      symlink('up', '../../etc/passwd'),
      symlink('loop', 'loop'),
      { name: 'fifo', type: '6' },
    )
    const directories = snapshotter.directories(undefined, await unpack(lower, upper))
    const read = async (path: string) =>
      (await readFileInLayers(directories, path, { maxBytes: 10 }))?.toString()
    expect(await read('/etc/passwd')).toBe('new')
    expect(await read('abs')).toBe('new')
    expect(await read('up')).toBe('new')
    expect(await read('/etc/gone')).toBeUndefined()
    await expect(read('loop')).rejects.toMatchObject({ code: 'invalid_argument' })
    await expect(read('fifo')).rejects.toMatchObject({ code: 'invalid_argument' })
    await expect(read('/etc')).rejects.toMatchObject({ code: 'invalid_argument' })
    await expect(readFileInLayers(directories, 'abs', { maxBytes: 2 })).rejects.toMatchObject({
      code: 'exhausted',
    })
    expect(lookupInLayers(directories, '/abs', { followLast: false })?.kind).toBe('symlink')
    expect(lookupInLayers(directories, '/etc')?.kind).toBe('directory')
    expect(lookupInLayers(directories, '/etc/passwd/x')).toBeUndefined()
  })
})

/** Committed layers without an archive: each has a file of its own and `top`. */
async function fakeLayers(snapshotter: Snapshotter, count: number) {
  const diffIds = Array.from({ length: count }, (_, index) => digestOf(Buffer.from(`diff ${index}`)))
  const ids = chainIdsOf(diffIds)
  for (const [index, chainId] of ids.entries()) {
    const prepared = await snapshotter.prepareLayer({ chainId })
    writeFileSync(join(prepared.directory, `f${index}`), String(index))
    writeFileSync(join(prepared.directory, 'top'), String(index))
    await snapshotter.commitLayer(prepared)
  }
  return ids
}
