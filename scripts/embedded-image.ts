/**
 * Makes the image that needs no network: `localhost/busybox:latest` as an OCI layout in a tar, from the
 * machine's own statically linked busybox. The same busybox gives the same bytes.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'

export const busyboxPath = '/bin/busybox'
const name = 'localhost/busybox:latest'

interface TarEntry {
  path: string
  content?: Buffer | string
  type?: 'directory' | 'symlink'
  mode?: number
  linkname?: string
}

const directories: [path: string, mode: number][] = [
  ['bin', 0o755],
  ['dev', 0o755],
  ['etc', 0o755],
  ['home', 0o755],
  ['proc', 0o755],
  ['root', 0o700],
  ['sbin', 0o755],
  ['sys', 0o755],
  ['tmp', 0o1777],
  ['usr', 0o755],
  ['usr/bin', 0o755],
  ['usr/sbin', 0o755],
  ['var', 0o755],
  ['var/tmp', 0o1777],
]

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
mail:x:8:8:mail:/var/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`

const group = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
audio:x:29:
www-data:x:33:
users:x:100:
nogroup:x:65534:
`

/** The whole file, ready to be written. Throws when there is no static busybox on this machine. */
export async function makeEmbeddedImage(): Promise<Buffer> {
  const busybox = readBusybox()
  const layer = await tar(layerEntries(busybox.content), busybox.builtAt)
  const created = busybox.builtAt.toISOString()
  const platform = { architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux' }
  const config = json({
    ...platform,
    created,
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    history: [{ created, created_by: 'busybox-static of the machine, applets as links' }],
  })
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  })
  const index = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        platform,
        annotations: {
          'io.containerd.image.name': name,
          'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
        },
      },
    ],
  })
  const blobs = [config, layer, manifest]
    .map((content) => ({ path: `blobs/sha256/${digestOf(content).slice('sha256:'.length)}`, content }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  return tar(
    [
      { path: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
      { path: 'index.json', content: index },
      { path: 'blobs', type: 'directory' },
      { path: 'blobs/sha256', type: 'directory' },
      ...blobs,
    ],
    busybox.builtAt,
  )
}

function readBusybox(): { content: Buffer; builtAt: Date } {
  const content = readFileSync(busyboxPath)
  if (content.includes('/lib64/ld-linux') || content.includes('/lib/ld-linux')) {
    throw new Error(`${busyboxPath} is not statically linked: install the package busybox-static`)
  }
  return { content, builtAt: new Date(Math.floor(statSync(busyboxPath).mtimeMs / 1000) * 1000) }
}

function layerEntries(busybox: Buffer): TarEntry[] {
  return [
    ...directories.map(([path, mode]): TarEntry => ({ path, type: 'directory', mode })),
    { path: 'bin/busybox', mode: 0o755, content: busybox },
    ...applets().map((path): TarEntry => ({ path, type: 'symlink', mode: 0o777, linkname: linkFrom(path) })),
    { path: 'etc/group', content: group },
    { path: 'etc/passwd', content: passwd },
  ]
}

/** Where busybox wants its applets, as it says itself: `bin/ls`, `usr/bin/awk`, … */
function applets(): string[] {
  const list = execFileSync(busyboxPath, ['--list-full'], { encoding: 'utf8', timeout: 10_000 })
  return list
    .split('\n')
    .filter((path) => path !== '' && path !== 'bin/busybox')
    .map((path) => (path.includes('/') ? path : `bin/${path}`))
    .filter((path) => directories.some(([directory]) => directory === posix.dirname(path)))
    .sort()
}

function linkFrom(path: string): string {
  return posix.relative(posix.dirname(path), 'bin/busybox')
}

async function tar(entries: TarEntry[], mtime: Date): Promise<Buffer> {
  const stream = pack()
  const whole = buffer(stream)
  for (const {
    path,
    content,
    type = 'file',
    mode = type === 'directory' ? 0o755 : 0o644,
    linkname,
  } of entries) {
    const link = linkname === undefined ? {} : { linkname }
    stream.entry({ name: path, type, mode, uid: 0, gid: 0, mtime, ...link }, content ?? '')
  }
  stream.finalize()
  return whole
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

function descriptor(mediaType: string, content: Buffer): object {
  return { mediaType, digest: digestOf(content), size: content.length }
}
