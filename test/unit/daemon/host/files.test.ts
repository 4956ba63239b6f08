import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  diskSpace,
  errnoCode,
  fileError,
  removeSmallTree,
  removeTree,
  writeFileAtomically,
} from '../../../../daemon/host/files.ts'
import { KagoError } from '../../../../shared/errors.ts'

let home: string

beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'kago-files-'))
})
afterEach(() => {
  fs.rmSync(home, { recursive: true, force: true })
})

describe('writeFileAtomically', () => {
  it('replaces a file whole and leaves nothing beside it', async () => {
    const path = join(home, 'f')
    fs.writeFileSync(path, 'old content')
    await writeFileAtomically(path, 'new', 0o640)
    expect(fs.readFileSync(path, 'utf8')).toBe('new')
    expect(fs.statSync(path).mode & 0o777).toBe(0o640)
    expect(fs.readdirSync(home)).toEqual(['f'])
  })

  it('keeps the old file and leaves nothing beside it when it fails', async () => {
    const path = join(home, 'd')
    fs.mkdirSync(join(path, 'sub'), { recursive: true })
    await expect(writeFileAtomically(path, 'x')).rejects.toMatchObject({
      message: expect.stringContaining(path),
    })
    expect(fs.readdirSync(home)).toEqual(['d'])
  })

  it('says in words that the folder is missing', async () => {
    await expect(writeFileAtomically(join(home, 'no/f'), 'x')).rejects.toMatchObject({
      code: 'not_found',
      message: `cannot write ${home}/no/f: no such file or directory`,
    })
  })
})

describe('removeTree', () => {
  it('removes names of any bytes and depth, follows no link, and is content with nothing', async () => {
    const outside = join(home, 'outside')
    fs.mkdirSync(outside)
    fs.writeFileSync(join(outside, 'kept'), '')
    const tree = join(home, '-tree')
    fs.mkdirSync(tree)
    fs.writeFileSync(Buffer.from(`${tree}/\xff`, 'latin1'), '')
    fs.symlinkSync(outside, join(tree, 'link'))
    await removeTree(tree)
    await removeTree(tree)
    expect(fs.readdirSync(home)).toEqual(['outside'])
    expect(fs.readdirSync(outside)).toEqual(['kept'])
  })
})

describe('removeSmallTree', () => {
  const tree = () => join(home, 'tree')

  it('removes a small tree of any names at once, follows no link, and is content with nothing', () => {
    const outside = join(home, 'outside')
    fs.mkdirSync(join(tree(), 'a/b'), { recursive: true })
    fs.mkdirSync(outside)
    fs.writeFileSync(join(outside, 'kept'), '')
    fs.writeFileSync(Buffer.from(`${tree()}/a/\xff`, 'latin1'), 'x')
    fs.symlinkSync(outside, join(tree(), 'a/b/link'))
    expect([removeSmallTree(tree()), removeSmallTree(tree())]).toEqual([true, true])
    expect(fs.readdirSync(home)).toEqual(['outside'])
    expect(fs.readdirSync(outside)).toEqual(['kept'])
  })

  it('leaves a tree of many names, or with a large file, to others', () => {
    fs.mkdirSync(join(tree(), 'many'), { recursive: true })
    for (let index = 0; index < 100; index++) fs.writeFileSync(join(tree(), 'many', String(index)), '')
    expect(removeSmallTree(tree())).toBe(false)
    expect(fs.readdirSync(join(tree(), 'many'))).toHaveLength(100)
    fs.rmSync(join(tree(), 'many'), { recursive: true })
    fs.writeFileSync(join(tree(), 'large'), Buffer.alloc(2 * 1024 * 1024, 1))
    expect(removeSmallTree(tree())).toBe(false)
    expect(fs.readdirSync(tree())).toEqual(['large'])
  })
})

describe('fileError', () => {
  it.each([
    ['ENOSPC', 'exhausted'],
    ['EDQUOT', 'exhausted'],
    ['EMFILE', 'exhausted'],
    ['EROFS', 'unavailable'],
    ['EACCES', 'permission_denied'],
    ['EOPNOTSUPP', 'not_supported'],
    ['ENOENT', 'not_found'],
  ])('tells what %s means', (errno, code) => {
    const error = fileError(Object.assign(new Error(errno), { code: errno }), 'cannot do it')
    expect(error).toMatchObject({ code, details: { errno } })
    expect(error.message).toMatch(/^cannot do it: [a-z]/)
    expect(error.message).not.toContain(errno)
  })

  it('leaves a KagoError alone and calls an abort by its name', () => {
    const own = new KagoError('in_use', 'x')
    expect(fileError(own, 'y')).toBe(own)
    expect(fileError(new DOMException('x', 'AbortError'), 'y').code).toBe('cancelled')
  })

  it('keeps what it does not know as internal', () => {
    expect(fileError(new Error('boom'), 'cannot do it')).toMatchObject({
      code: 'internal',
      message: 'cannot do it: boom',
    })
    expect(errnoCode('text')).toBeUndefined()
  })
})

it('tells the space of a file system, and which path it could not ask', async () => {
  const { freeBytes, totalBytes } = await diskSpace(home)
  expect(totalBytes).toBeGreaterThanOrEqual(freeBytes)
  await expect(diskSpace(join(home, 'none'))).rejects.toMatchObject({
    message: expect.stringContaining('none'),
  })
})
