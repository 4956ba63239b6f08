/** The image that other tests run: pulled from the test registry, it is a system that works. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { expect, it, onTestFinished } from 'vitest'
import { busyboxImage } from '../../harness/registry/busybox.ts'
import { pushImage } from '../../harness/registry/push.ts'
import { collect, setUp } from './setup.ts'

const decompress = { gzip: gunzipSync, zstd: zstdDecompressSync, none: (bytes: Buffer) => bytes }

it.each(['gzip', 'zstd', 'none'] as const)(
  'busybox, compressed by %s, is pulled and its shell runs',
  async (compression) => {
    const { client, registry, nameOf } = await setUp()
    const image = await busyboxImage({ compression, layers: [{ 'etc/motd': 'hello' }] })
    await pushImage(registry, 'library/busybox', 'test', image)
    const reference = nameOf('library/busybox:test')
    await client.resolve(reference)
    const root = await mkdtemp(join(tmpdir(), 'kago-busybox-'))
    onTestFinished(async () => await rm(root, { recursive: true, force: true }))
    for (const layer of image.layers) {
      const input = decompress[compression](await collect(client.fetchBlob(reference, layer)))
      execFileSync('tar', ['-x', '-C', root, '-f', '-'], { input })
    }
    const script = 'cat /etc/motd; id -un; stat -c %a /tmp; ls -l /bin/sh | grep -o "busybox$"'
    const said = execFileSync('chroot', [root, '/bin/sh', '-c', script], {
      env: { PATH: '/bin:/usr/sbin' },
      encoding: 'utf8',
    })
    expect(said).toBe('helloroot\n1777\nbusybox\n')
  },
)
