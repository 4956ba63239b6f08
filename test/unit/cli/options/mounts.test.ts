import { resolve } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  asksForLabels,
  parseDevice,
  parseMount,
  parseTmpfs,
  parseVolume,
} from '../../../../cli/options/mounts.ts'

test('a bind names a directory of the host and one of the container', () => {
  expect(parseVolume('/a:/b')).toEqual({ type: 'bind', source: '/a', target: '/b' })
  expect(parseVolume('/a:/b:ro')).toMatchObject({ readOnly: true })
  expect(parseVolume('/a:/b:rw,rshared,z')).toMatchObject({ readOnly: false, propagation: 'rshared' })
})

test('a source that begins with a dot is taken from the working directory', () => {
  expect(parseVolume('.:/b').source).toBe(process.cwd())
  expect(parseVolume('./x y:/b').source).toBe(resolve('x y'))
  expect(parseVolume('../x:/b').source).toBe(resolve('../x'))
  expect(parseMount('type=bind,src=./x,dst=/y').source).toBe(resolve('x'))
})

test('a source that is no path is the name of a volume, and none asks for a new one', () => {
  expect(parseVolume('data:/data')).toEqual({ type: 'volume', source: 'data', target: '/data' })
  expect(parseVolume('data:/data:ro,nocopy')).toMatchObject({ readOnly: true, noCopy: true })
  expect(parseVolume('/data')).toEqual({ type: 'volume', target: '/data' })
  expect(parseMount('source=data,target=/data')).toEqual({ type: 'volume', source: 'data', target: '/data' })
  expect(
    parseMount('type=volume,dst=/d,volume-nocopy,volume-subpath=a/b,volume-label=x=y,volume-label=z'),
  ).toEqual({ type: 'volume', target: '/d', noCopy: true, subpath: 'a/b', volumeLabels: { x: 'y', z: '' } })
})

test('labels of SELinux are known from what only looks like them', () => {
  for (const spec of ['/a:/b:z', 'v:/b:Z', '/a:/b:ro,z', '/a:/b:z,ro']) expect(asksForLabels(spec)).toBe(true)
  for (const spec of ['z:/b', '/a:/z', '/z', '/a:/b:ro']) expect(asksForLabels(spec)).toBe(false)
})

test('what is mounted below a bind comes along or not', () => {
  const recursive = (words: string) => parseMount(`type=bind,source=/x,target=/y,${words}`).recursive
  expect(recursive('bind-nonrecursive')).toBe('disabled')
  expect(recursive('bind-recursive=readonly,readonly')).toBe('readonly')
  expect(() => recursive('bind-recursive=maybe')).toThrow('bind-recursive is enabled')
  expect(parseMount('type=bind,source=/x,target=/y,bind-create-src').createSource).toBe(true)
})

test('what is no mount is refused with its words', () => {
  for (const spec of ['/a:/b:ro:x', ':/b', '/a:', '/a:b', '/a:/b:maybe', '/a:/b:nocopy', 'v:/b:rshared']) {
    expect(() => parseVolume(spec)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  }
  for (const spec of [
    'type=bind,target=/y',
    'type=bind,source=x,target=/y',
    'type=bind,source=/x,target=y',
    'type=bind,source=/x',
    'type=npipe,source=/x,target=/y',
    'type=bind,source=/x,target=/y,colour=red',
    'type=tmpfs,target=/y,source=/x',
    'type=tmpfs,target=/y,tmpfs-mode=9',
    'type=bind,source=/x,target=/y,readonly=maybe',
    'type=volume,source=/x,target=/y',
    'type=volume,source=x,target=/y,volume-driver=nfs',
    'type=volume,source=x,target=/y,bind-propagation=shared',
  ]) {
    expect(() => parseMount(spec)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  }
})

test('a mount is told by its fields, in any order', () => {
  expect(parseMount('target=/y,readonly,type=bind,source=/x,bind-propagation=rslave')).toEqual({
    type: 'bind',
    source: '/x',
    target: '/y',
    readOnly: true,
    propagation: 'rslave',
  })
  expect(parseMount('type=tmpfs,dst=/y,tmpfs-size=64m,tmpfs-mode=1777')).toEqual({
    type: 'tmpfs',
    target: '/y',
    sizeBytes: 64 * 1024 * 1024,
    mode: 0o1777,
  })
  expect(parseMount('type=bind,"source=/a,b",target=/y').source).toBe('/a,b')
})

test('any path of the host comes through a quoted field', () => {
  const path = fc.string({ maxLength: 30 }).map((text) => `/${text}`)
  fc.assert(
    fc.property(path, (source) => {
      const field = `"source=${source.replaceAll('"', '""')}"`
      expect(parseMount(`type=bind,${field},target=/y`).source).toBe(source)
    }),
  )
})

test('a tmpfs has a target and options', () => {
  expect(parseTmpfs('/run')).toEqual({ target: '/run', options: '' })
  expect(parseTmpfs('/run:size=1m,mode=1777')).toEqual({ target: '/run', options: 'size=1m,mode=1777' })
  expect(() => parseTmpfs('run')).toThrow('absolute path')
})

test('a device has a name in the container and permissions', () => {
  expect(parseDevice('/dev/fuse')).toEqual({
    hostPath: '/dev/fuse',
    containerPath: '/dev/fuse',
    permissions: 'rwm',
  })
  expect(parseDevice('/dev/a:/dev/b')).toMatchObject({ containerPath: '/dev/b', permissions: 'rwm' })
  expect(parseDevice('/dev/a:r')).toMatchObject({ containerPath: '/dev/a', permissions: 'r' })
  expect(parseDevice('/dev/a:/dev/b:rw')).toMatchObject({ permissions: 'rw' })
  for (const bad of ['fuse', '/dev/a:b', '/dev/a:/dev/b:x', '/dev/a:/b:rw:more']) {
    expect(() => parseDevice(bad)).toThrow('not a device')
  }
})
