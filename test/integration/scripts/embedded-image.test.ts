/** The embedded image is an OCI layout whose digests are true, and the same each time it is made. */
import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { extract, type Header } from 'tar-stream'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeEmbeddedImage } from '../../../scripts/embedded-image.ts'

type Files = Map<string, { header: Header; content: Buffer }>

let image: Buffer
let files: Files

beforeAll(async () => {
  image = await makeEmbeddedImage()
  files = await untar(image)
})

async function untar(bytes: Buffer): Promise<Files> {
  const reader = extract()
  reader.end(bytes)
  const found: Files = new Map()
  for await (const entry of reader)
    found.set(entry.header.name, { header: entry.header, content: await buffer(entry) })
  return found
}

function read(name: string): Buffer {
  const file = files.get(name)
  if (file === undefined) throw new Error(`the image has no ${name}`)
  return file.content
}

function readJson(name: string) {
  return JSON.parse(read(name).toString())
}

function readBlob({ digest, size }: { digest: string; size: number }): Buffer {
  const content = read(`blobs/sha256/${digest.slice('sha256:'.length)}`)
  expect(`sha256:${createHash('sha256').update(content).digest('hex')}`).toBe(digest)
  expect(content.length).toBe(size)
  return content
}

describe('the embedded image', () => {
  it('is the same, byte for byte, when it is made again', async () => {
    expect((await makeEmbeddedImage()).equals(image)).toBe(true)
  })

  it('names localhost/busybox:latest, and every digest in it is true', () => {
    const [descriptor] = readJson('index.json').manifests
    expect(descriptor.annotations['io.containerd.image.name']).toBe('localhost/busybox:latest')
    const manifest = JSON.parse(readBlob(descriptor).toString())
    const config = JSON.parse(readBlob(manifest.config).toString())
    expect(config.config.Cmd).toEqual(['sh'])
    expect(config.rootfs.diff_ids).toEqual([manifest.layers[0].digest])
    expect(config.architecture).toBe(process.arch === 'x64' ? 'amd64' : process.arch)
  })

  it('has a busybox and an sh that leads to it, users, and a /tmp for all', async () => {
    const manifest = JSON.parse(readBlob(readJson('index.json').manifests[0]).toString())
    const layer = await untar(readBlob(manifest.layers[0]))
    expect(layer.get('bin/busybox')?.header.mode).toBe(0o755)
    expect(layer.get('bin/sh')?.header).toMatchObject({ type: 'symlink', linkname: 'busybox' })
    expect(layer.get('usr/bin/id')?.header).toMatchObject({ type: 'symlink', linkname: '../../bin/busybox' })
    expect(layer.get('tmp')?.header.mode).toBe(0o1777)
    expect(layer.get('etc/passwd')?.content.toString()).toMatch(/^root:x:0:0:/)
    const broken = [...layer.values()].filter(({ header }) => header.uid !== 0 || header.gid !== 0)
    expect(broken).toEqual([])
  })
})
