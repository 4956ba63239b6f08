import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  getXattr,
  hasXattrs,
  listXattrs,
  makeDevice,
  makePipe,
  mknod,
  openBelow,
  removeXattr,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  setFileTimes,
  setPathTimes,
  setXattr,
  syncFileSystem,
} from '../../../../daemon/host/syscalls.ts'

let home: string
const at = (name: string) => join(home, name)

beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'kago-syscalls-'))
})
afterEach(() => {
  fs.rmSync(home, { recursive: true, force: true })
})

/** Runs a program in a process of its own: these calls change the process. */
function apart(body: string, ...before: string[]): string {
  const source = `const s = await import(${JSON.stringify(join(import.meta.dirname, '../../../../daemon/host/syscalls.ts'))})
    const fs = await import('node:fs'); const home = ${JSON.stringify(home)}; ${body}`
  const [program, ...words] = [...before, process.execPath, '--input-type=module', '-e', source]
  const { stdout, stderr, status } = spawnSync(program, words, {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return stdout
}

describe('what changes the process', () => {
  it('chroot makes a directory the root, for links as well', () => {
    fs.mkdirSync(at('etc'))
    fs.writeFileSync(at('etc/inside'), 'yes')
    fs.symlinkSync('/etc', at('link'))
    const said = apart(`s.loadSyscalls(); s.chroot(home); process.chdir('/')
      fs.writeSync(1, fs.readFileSync('/link/inside', 'utf8') + fs.existsSync('/usr'))`)
    expect(said).toBe('yesfalse')
  })

  it('importing the file loads no native library', () => {
    expect(
      apart("process.stdout.write(fs.readFileSync('/proc/self/maps', 'utf8').includes('koffi') + '')"),
    ).toBe('false')
    expect(
      apart(
        "s.listXattrs('/'); process.stdout.write(fs.readFileSync('/proc/self/maps', 'utf8').includes('koffi') + '')",
      ),
    ).toBe('true')
  })
})

describe('mounts', () => {
  it('are made, copied and attached in a namespace of a process’s own, and seen nowhere else', () => {
    fs.mkdirSync(at('source'))
    fs.writeFileSync(at('source/file'), 'bound')
    fs.mkdirSync(at('place'))
    fs.mkdirSync(at('other'))
    const said = apart(
      `s.mount({ source: home + '/source', target: home + '/place', type: '', flags: 4096 })
      const fd = s.cloneMount(home + '/place')
      s.attachMount(fd, fs.openSync(home + '/other', 0o10000000))
      const seen = fs.readFileSync(home + '/place/file', 'utf8') + fs.readFileSync(home + '/other/file', 'utf8')
      s.enterMountNamespace(fs.openSync('/proc/${process.pid}/ns/mnt', 'r'))
      process.stdout.write(seen + fs.readdirSync(home + '/place').length)`,
      'unshare',
      '--mount',
      '--propagation',
      'private',
      '--',
    )
    expect(said).toBe('boundbound0')
    expect(fs.readdirSync(at('place'))).toEqual([])
  })

  it('changeDirectory goes where a descriptor is', () => {
    fs.mkdirSync(at('there'))
    fs.writeFileSync(at('there/file'), 'x')
    expect(
      apart(
        `s.changeDirectory(fs.openSync(home + '/there', 'r')); process.stdout.write(fs.readdirSync('.').join())`,
      ),
    ).toBe('file')
  })
})

describe('nodes', () => {
  it('are made with type, mode and device number', () => {
    const before = process.umask(0)
    mknod(at('fifo'), S_IFIFO | 0o640)
    mknod(at('null'), S_IFCHR | 0o666, 1, 3)
    mknod(at('disk'), S_IFBLK | 0o600, 259, 70_000)
    process.umask(before)
    expect(fs.lstatSync(at('fifo')).isFIFO()).toBe(true)
    expect(fs.lstatSync(at('fifo')).mode & 0o777).toBe(0o640)
    expect(fs.lstatSync(at('null')).rdev).toBe(0x103)
    expect(fs.lstatSync(at('disk'), { bigint: true }).rdev).toBe(makeDevice(259, 70_000))
    expect(spawnSync('stat', ['-c', '%t:%T', at('disk')], { encoding: 'utf8' }).stdout).toBe('103:11170\n')
  })
})

describe('times', () => {
  const time = { seconds: 1_700_000_000, nanoseconds: 123_456_789 }

  it('are exact to the nanosecond, by descriptor and by name', () => {
    fs.writeFileSync(at('f'), '')
    const fd = fs.openSync(at('f'), 'r')
    setFileTimes(fd, time)
    fs.closeSync(fd)
    expect(fs.statSync(at('f'), { bigint: true }).mtimeNs).toBe(1_700_000_000_123_456_789n)
    setPathTimes(at('f'), { seconds: -2, nanoseconds: 5 })
    expect(fs.statSync(at('f'), { bigint: true }).mtimeNs).toBe(-1_999_999_995n)
    setPathTimes(at('f'), { seconds: 2 ** 33, nanoseconds: 0 })
    expect(fs.statSync(at('f')).mtimeMs).toBe(2 ** 33 * 1000)
  })

  it('of a link are its own', () => {
    fs.writeFileSync(at('f'), '')
    fs.symlinkSync('f', at('l'))
    const before = fs.statSync(at('f'), { bigint: true }).mtimeNs
    setPathTimes(at('l'), time)
    expect(fs.lstatSync(at('l'), { bigint: true }).mtimeNs).toBe(1_700_000_000_123_456_789n)
    expect(fs.statSync(at('f'), { bigint: true }).mtimeNs).toBe(before)
  })
})

describe('extended attributes', () => {
  it('are set, read, listed and removed, whatever their bytes', () => {
    fs.writeFileSync(at('f'), '')
    const value = Buffer.from([0, 255, 10, 128])
    setXattr(at('f'), 'user.a', value)
    setXattr(at('f'), 'user.big', Buffer.alloc(2000, 1))
    expect(getXattr(at('f'), 'user.a')).toEqual(value)
    expect(getXattr(at('f'), 'user.big')).toHaveLength(2000)
    expect(getXattr(at('f'), 'user.none')).toBeUndefined()
    expect(listXattrs(at('f')).sort()).toEqual(['user.a', 'user.big'])
    removeXattr(at('f'), 'user.a')
    expect(listXattrs(at('f'))).toEqual(['user.big'])
  })

  it('hasXattrs tells whether an open file has any', () => {
    fs.writeFileSync(at('none'), '')
    fs.writeFileSync(at('some'), '')
    setXattr(at('some'), 'user.a', Buffer.from('x'))
    const has = (name: string) => {
      const fd = fs.openSync(at(name), 'r')
      try {
        return hasXattrs(fd)
      } finally {
        fs.closeSync(fd)
      }
    }
    expect([has('none'), has('some')]).toEqual([false, true])
  })

  it('of a link are not those of its target', () => {
    fs.writeFileSync(at('f'), '')
    fs.symlinkSync('f', at('l'))
    setXattr(at('l'), 'trusted.x', Buffer.from('y'))
    expect(getXattr(at('f'), 'trusted.x')).toBeUndefined()
  })
})

describe('openBelow', () => {
  it('opens below a directory and refuses what leads out or through a link', () => {
    fs.mkdirSync(at('d'))
    fs.writeFileSync(at('d/f'), 'inside')
    fs.symlinkSync('f', at('d/l'))
    const directory = fs.openSync(at('d'), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
    const rules = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
    const fd = openBelow(directory, 'f', fs.constants.O_RDONLY, rules)
    expect(fs.readFileSync(fd, 'utf8')).toBe('inside')
    fs.closeSync(fd)
    const code = (path: string) => {
      try {
        fs.closeSync(openBelow(directory, path, fs.constants.O_RDONLY, rules))
      } catch (error) {
        return error
      }
      return undefined
    }
    expect(code('l')).toMatchObject({ code: 'ELOOP' })
    expect(code('../d/f')).toMatchObject({ code: 'EXDEV' })
    expect(code('none')).toMatchObject({ code: 'ENOENT', syscall: 'openat2', path: 'none' })
    fs.closeSync(directory)
  })
})

describe('makePipe', () => {
  it('makes a pipe that holds much, and that no program started later gets', () => {
    const [read, write] = makePipe(1 << 20)
    expect(fs.writeSync(write, Buffer.alloc(1 << 20))).toBe(1 << 20)
    expect(fs.readSync(read, Buffer.alloc(1 << 20))).toBe(1 << 20)
    for (const end of [read, write]) {
      expect(fs.readFileSync(`/proc/self/fdinfo/${end}`, 'utf8')).toMatch(/^flags:\t0?2/m)
      fs.closeSync(end)
    }
  })
})

describe('a failing call', () => {
  it('throws what fs would throw', () => {
    expect(() => mknod(at('none/x'), S_IFIFO)).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'mknod' }),
    )
    expect(() => setPathTimes(Buffer.from(at('\xff')), { seconds: 0, nanoseconds: 0 })).toThrow(/ENOENT/)
  })

  it('refuses a name with a NUL, which would mean another file', () => {
    expect(() => removeXattr(`${home}\0x`, 'user.a')).toThrow(/EINVAL/)
  })

  it('is a rejection when it runs on a worker thread', async () => {
    await expect(syncFileSystem(-1)).rejects.toMatchObject({ syscall: 'syncfs' })
    const fd = fs.openSync(home, 'r')
    await syncFileSystem(fd)
    fs.closeSync(fd)
  })
})
