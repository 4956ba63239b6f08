/** Real trees through real archives: what is unpacked is what GNU tar unpacks, and a full disk is one clear sentence. */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { unpackLayers } from '../../../daemon/image/unpack.ts'
import { overlaySnapshotter } from '../../../daemon/snapshot/overlay.ts'
import { childPath, digestOf, unpackArchives } from '../../harness/layers.ts'
import { file, tar } from '../../harness/tar-builder.ts'
import { describeTree } from '../../harness/tree.ts'

let home: string

beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'kago-unpack-'))
})
afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

function run(command: string, args: string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(command, args, { maxBuffer: 1 << 30 })
  if (status !== 0) throw new Error(`${command}: ${stderr.toString()}`)
  return stdout
}

describe('a tree of many kinds of files', () => {
  beforeEach(() => {
    const source = join(home, 'source')
    fs.mkdirSync(source)
    run('sh', ['-c', make, 'sh', source])
  })

  it.each(['gnu', 'posix'])('is what GNU tar makes of it, in format %s', async (format) => {
    const source = join(home, 'source')
    const reference = join(home, 'reference')
    fs.mkdirSync(reference)
    const archive = run('tar', [`--format=${format}`, ...xattrs, '-C', source, '-c', '.'])
    fs.writeFileSync(join(home, 'archive'), archive)
    run('tar', [...xattrs, '--numeric-owner', '-p', '-C', reference, '-xf', join(home, 'archive')])
    const snapshotter = overlaySnapshotter(join(home, 'layers'))
    const chainIds = await unpackArchives(snapshotter, home, [archive], {
      compress: (bytes) => zstdCompressSync(bytes),
    })
    const [layer] = snapshotter.directories(undefined, chainIds)
    const unpacked = describeTree(layer ?? '')
    expect(Object.keys(unpacked).length).toBeGreaterThan(300)
    expect(unpacked).toEqual(describeTree(reference))
  })
})

const xattrs = ['--xattrs', '--xattrs-include=user.*', '--xattrs-include=security.capability']

const make = `set -e; cd "$1"
mkdir -p a/b/c usr/bin "$(printf 'caf\\351')" empty; for i in $(seq 300); do echo "$i" >"a/b/file-$i"; done
head -c 3000000 /dev/urandom >big; : >zero; ln big hard; ln -s /usr/bin usr/sbin; ln -s ../../../x usr/bin/up
mkfifo fifo; mknod null c 1 3; mknod disk b 8 1; chmod 4755 zero; chmod 1777 empty; chown 1000:100 a/b/file-1
touch -d '2001-02-03 04:05:06.789012345' a/b/file-2 usr; touch -h -d '1999-01-01' usr/sbin
long=$(printf 'x%.0s' $(seq 200)); mkdir "$long"; echo deep >"$long/$long"
printf x >"$(printf 'new\\nline')"; setcap cap_setuid,cap_net_raw+ep zero 2>/dev/null || true`

describe('a disk that is too small', () => {
  /** Unpacks into a file system of its own, and answers the error and what is left. */
  function unpackInto(options: string, archive: Buffer): { message: string; left: string[] } {
    const blob = join(home, 'blob')
    fs.writeFileSync(blob, archive)
    const mounted = join(home, 'small')
    fs.mkdirSync(mounted)
    const layer = { digest: digestOf(archive), diffId: digestOf(archive), path: blob }
    const script = `
      const { unpackLayers } = await import(${JSON.stringify(join(import.meta.dirname, '../../../daemon/image/unpack.ts'))})
      const { overlaySnapshotter } = await import(${JSON.stringify(join(import.meta.dirname, '../../../daemon/snapshot/overlay.ts'))})
      const { readdirSync } = await import('node:fs')
      const snapshotter = overlaySnapshotter(${JSON.stringify(join(mounted, 'layers'))})
      const limits = { reserveBytes: 0 }
      const error = await unpackLayers([${JSON.stringify(layer)}], { snapshotter, childPath: ${JSON.stringify(childPath)}, limits })
        .catch((thrown) => thrown)
      process.stdout.write(JSON.stringify({ message: error.code + ': ' + error.message, left: readdirSync(snapshotter.root) }))`
    const sh = 'mount -t tmpfs -o "$1" tmpfs "$2" && exec "$3" --input-type=module -e "$4"'
    const args = [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      sh,
      'sh',
      options,
      mounted,
      process.execPath,
      script,
    ]
    return JSON.parse(run('unshare', args).toString())
  }

  it('is told with the entry that did not fit, and nothing is left', () => {
    const archive = tar(file('small', 'x'), file('large', Buffer.alloc(3 << 20, 'x')))
    const { message, left } = unpackInto('size=1m', archive)
    expect(message).toMatch(
      /^exhausted: layer sha256:[0-9a-f]{12}: entry "large": cannot be unpacked: no space left on the disk$/,
    )
    expect(left).toEqual([])
  })

  it('is told when it has room for bytes but not for files', () => {
    const archive = tar(...Array.from({ length: 3000 }, (_, index) => file(`f${index}`)))
    const { message, left } = unpackInto('size=64m,nr_inodes=1500', archive)
    expect(message).toMatch(/^exhausted: layer .*: no (space|inodes) left on the disk/)
    expect(left).toEqual([])
  })
})

it('layers are unpacked side by side, none of them waiting for a download that is not its own', async () => {
  const snapshotter = overlaySnapshotter(join(home, 'layers'))
  const first = Promise.withResolvers<void>()
  const archives = [tar(file('a')), tar(file('b'))]
  const layers = archives.map((archive, index) => {
    const path = join(home, `blob-${index}`)
    fs.writeFileSync(path, archive)
    return { digest: digestOf(archive), diffId: digestOf(archive), path }
  })
  const committed: number[] = []
  const work = unpackLayers(
    layers.map((layer, index) => (index === 0 ? { ...layer, ready: first.promise } : layer)),
    { snapshotter, childPath, parallelism: 1, onCommitted: (index) => committed.push(index) },
  )
  // The upper layer's archive is in its scratch directory while the lower one's bytes are still on their way.
  while (!fs.existsSync(join(home, 'layers')) || fs.readdirSync(join(home, 'layers')).every(isNoReport))
    await pause()
  expect(committed).toEqual([])
  first.resolve()
  await work
  expect(committed).toEqual([0, 1])
})

function isNoReport(name: string): boolean {
  return !name.endsWith('.report')
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}
