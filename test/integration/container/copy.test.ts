/** Files in and out of containers by the command line, compared by bytes, for both snapshotters, running and stopped. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { FileChange, FileStat } from '../../../shared/protocol/files.ts'
import { runCli } from '../../harness/cli.ts'
import { eventually, type Kagod, startKagod } from '../../harness/kagod.ts'
import { describeTree } from '../../harness/tree.ts'

const image = 'localhost/busybox'

describe.each(['overlay', 'copy'] as const)('with the snapshotter %s', (snapshotter) => {
  let kagod: Kagod
  let local: string
  let shared: string
  beforeAll(async () => {
    kagod = await startKagod({ snapshotter })
    shared = fs.mkdtempSync(join(tmpdir(), 'kago-copy-bind-'))
  })
  afterAll(async () => {
    await kagod.dispose()
    fs.rmSync(shared, { recursive: true })
    fs.rmSync(local, { recursive: true })
  })
  beforeEach(() => {
    if (local !== undefined) fs.rmSync(local, { recursive: true })
    local = fs.mkdtempSync(join(tmpdir(), 'kago-copy-'))
  })

  const kago = (args: string[], input?: Buffer | string) =>
    runCli(args, {
      host: `unix://${kagod.socket}`,
      cwd: local,
      ...(input !== undefined && { input: Buffer.from(input) }),
    })
  const cp = async (...args: string[]) => {
    const { status, stderr } = await kago(['cp', ...args])
    return status === 0 ? 'copied' : stderr.split('\n')[0]
  }
  const write = (name: string, content: string) => fs.writeFileSync(join(local, name), content)
  const read = (name: string) => fs.readFileSync(join(local, name), 'utf8')

  /** A container whose file system a script has prepared; `stopped`, `created` or `running`. */
  async function container(state: 'running' | 'stopped', script: string, more: object = {}): Promise<string> {
    const command = ['sh', '-c', `${script}\ntouch /ready; exec sleep 1000`]
    const id = await kagod.runDetached({ image, network: 'none', command, ...more })
    const isReady = async () =>
      (await kagod.request('GET', `/v1/containers/${id}/files/stat?path=/ready`)).status === 200
    await eventually(isReady, 'it is ready')
    if (state === 'stopped') await kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })
    return id
  }

  describe.each(['running', 'stopped'] as const)('from a container that is %s', (state) => {
    let id: string
    beforeAll(async () => {
      id = await container(
        state,
        `mkdir -p /a/deep/er /a/empty; echo one >/a/one; echo two >/a/deep/two; ln /a/one /a/same; ln -s one /a/link
         ln -s /nowhere /a/dangling; ln -s /a/deep /todir; chmod 640 /a/one; chmod 750 /a/deep; chown 12:34 /a/deep/two
         mkfifo /a/fifo; head -c 3000000 /dev/zero >/a/big; touch /a/$(printf 'w\\344ird') "/a/ sp ace"
         touch /a/${'n'.repeat(200)}; setfattr -h 2>/dev/null; touch -d 2001-02-03 /a/one`,
      )
    })

    test('a file goes to a new name, over a file, into a directory', async () => {
      expect(await cp(`${id}:/a/one`, 'new')).toBe('copied')
      write('old', 'something longer than that')
      expect(await cp(`${id}:/a/one`, 'old')).toBe('copied')
      expect(await cp(`${id}:a/one`, '.')).toBe('copied')
      expect([read('new'), read('old'), read('one')]).toEqual(['one\n', 'one\n', 'one\n'])
      const { mode, mtime } = fs.statSync(join(local, 'new'))
      expect([mode & 0o777, mtime.toISOString().slice(0, 10)]).toEqual([0o640, '2001-02-03'])
    })

    test('a tree goes into a directory, or becomes a new one, or only its content goes', async () => {
      fs.mkdirSync(join(local, 'into'))
      expect(await cp(`${id}:/a`, 'into')).toBe('copied')
      expect(await cp(`${id}:/a/`, 'new')).toBe('copied')
      expect(await cp(`${id}:/a/.`, 'newer')).toBe('copied')
      fs.mkdirSync(join(local, 'content'))
      expect(await cp(`${id}:/a/.`, 'content')).toBe('copied')
      const into = describeTree(join(local, 'into/a'))
      expect(describeTree(join(local, 'new'))).toEqual(into)
      expect(describeTree(join(local, 'newer'))).toEqual(into)
      const { '.': _top, ...content } = describeTree(join(local, 'content'))
      const { '.': _other, ...rest } = into
      expect(content).toEqual(rest)
      expect(Object.keys(into)).toEqual(
        expect.arrayContaining(['one', 'deep/two', 'empty', 'w\xe4ird', ' sp ace']),
      )
      expect(into['one']).toContain('links=2')
      expect(into['link']).toMatch(/one$/)
      expect(into['deep']).toMatch(/^directory 750 0:0/)
      // Owners are whoever copies; a FIFO is not made here.
      expect(into['deep/two']).toMatch(/^file 644 0:0/)
      expect(into['fifo']).toBeUndefined()
    })

    test('-a keeps owners', async () => {
      expect(await cp('-a', `${id}:/a/deep`, '.')).toBe('copied')
      expect(describeTree(join(local, 'deep'))['two']).toMatch(/^file 644 12:34/)
    })

    test('a link is copied as a link, followed with -L or with a slash at its end', async () => {
      expect(await cp(`${id}:/a/link`, '.')).toBe('copied')
      expect(fs.readlinkSync(join(local, 'link'))).toBe('one')
      expect(await cp('-L', `${id}:/a/link`, 'followed')).toBe('copied')
      expect(read('followed')).toBe('one\n')
      fs.mkdirSync(join(local, 'd'))
      expect(await cp('-L', `${id}:/a/link`, 'd')).toBe('copied')
      expect(read('d/link')).toBe('one\n')
      expect(await cp(`${id}:/todir/`, 'd')).toBe('copied')
      expect(read('d/todir/two')).toBe('two\n')
      expect(await cp('-L', `${id}:/a/dangling`, 'd')).toContain('there is no /a/dangling')
    })

    test('what is wrong is said in words', async () => {
      write('file', 'x')
      expect(await cp(`${id}:/nope`, '.')).toBe('kago: there is no /nope in the container')
      expect(await cp(`${id}:/a/one/`, '.')).toContain('a part of the path is no directory')
      expect(await cp(`${id}:/a`, 'file')).toBe('kago: cannot copy a directory onto a file: file')
      expect(await cp(`${id}:/a/one`, 'missing/')).toBe('kago: there is no directory missing/')
      expect(await cp(`${id}:/a/one`, 'missing/file')).toContain('there is no directory missing')
      expect(await cp('a', 'b')).toBe('kago: neither is a container')
      expect(await cp(`${id}:/a`, `${id}:/b`)).toBe('kago: both are containers')
      expect(await cp('nobody:/a', '.')).toBe('kago: no such container: nobody')
      expect(await cp('./missing', `${id}:/`)).toBe('kago: there is no ./missing here')
    })

    test('- is a tar archive that GNU tar reads', async () => {
      const { stdoutBytes } = await kago(['cp', `${id}:/a`, '-'])
      execFileSync('tar', ['-x', '-C', local], { input: stdoutBytes })
      expect(fs.statSync(join(local, 'a/big')).size).toBe(3_000_000)
      expect(fs.lstatSync(join(local, 'a/fifo')).isFIFO()).toBe(true)
      expect(fs.statSync(join(local, 'a/deep/two')).uid).toBe(12)
    })

    test('stat says what a path is', async () => {
      const stat = await kagod.ok<FileStat>('GET', `/v1/containers/${id}/files/stat?path=/a/link`)
      expect(stat).toMatchObject({ name: 'link', kind: 'symlink', linkTarget: 'one' })
    })
  })

  describe.each(['running', 'stopped'] as const)('into a container that is %s', (state) => {
    let id: string
    beforeAll(async () => {
      id = await container(
        state,
        'mkdir -p /to/sub; echo old >/to/file; ln -s /to/sub /tolink; ln -s /to/made /dangling; ln -s /etc /to/etc',
      )
    })
    const show = async (path: string) => {
      const { stdoutBytes } = await kago(['cp', `${id}:${path}`, '-'])
      return execFileSync('tar', ['-xO'], { input: stdoutBytes }).toString()
    }

    test('a file goes to a new name, over a file, into a directory, and where a link leads', async () => {
      write('f', 'new')
      for (const to of ['/fresh', '/to/file', '/to/sub/', '/tolink', '/dangling']) {
        expect(await cp('f', `${id}:${to}`), to).toBe('copied')
      }
      for (const path of ['/fresh', '/to/file', '/to/sub/f', '/to/made'])
        expect(await show(path), path).toBe('new')
      const stat = await kagod.ok<FileStat>('GET', `/v1/containers/${id}/files/stat?path=/dangling`)
      expect(stat.kind).toBe('symlink')
    })

    test('a tree arrives as it was, and comes back the same', async () => {
      fs.mkdirSync(join(local, 't/in/side'), { recursive: true })
      write('t/x', 'x')
      fs.linkSync(join(local, 't/x'), join(local, 't/in/hard'))
      fs.symlinkSync('../x', join(local, 't/in/soft'))
      fs.writeFileSync(Buffer.concat([Buffer.from(`${local}/t/`), Buffer.from([0xff, 0x41])]), 'bytes')
      write('t/sparse', '\0'.repeat(100_000))
      fs.chmodSync(join(local, 't/x'), 0o4711)
      fs.chownSync(join(local, 't/in/side'), 77, 88)
      for (const name of ['t', 't/in', 't/x', 't/in/side', 't/sparse'])
        fs.utimesSync(join(local, name), 1e9, 1e9)
      expect(await cp('t', `${id}:/as-new`)).toBe('copied')
      expect(await cp('t', `${id}:/to`)).toBe('copied')
      expect(await cp('t/.', `${id}:/to/content-of`)).toBe('copied')
      const { stdoutBytes } = await kago(['cp', `${id}:/as-new`, '-'])
      execFileSync('tar', ['-x', '-C', local, '--same-owner', '-p'], { input: stdoutBytes })
      const wanted = describeTree(join(local, 't'), { times: false })
      expect(describeTree(join(local, 'as-new'), { times: false })).toEqual(wanted)
      expect(fs.statSync(join(local, 'as-new/in')).mtimeMs).toBe(1e12)
      expect(await show('/to/t/x')).toBe('x')
      expect(await show('/to/content-of/x')).toBe('x')
    })

    test('an archive from stdin is extracted in a directory, plain or compressed', async () => {
      write('in', 'stream')
      const archive = execFileSync('tar', ['-cz', '--owner=5', '--group=6', '-C', local, 'in'])
      expect((await kago(['cp', '-', `${id}:/to/sub`], archive)).stderr).toBe('')
      expect(await show('/to/sub/in')).toBe('stream')
      const stat = await kagod.ok<FileStat>('GET', `/v1/containers/${id}/files/stat?path=/to/sub/in`)
      expect([stat.uid, stat.gid]).toEqual([5, 6])
      expect((await kago(['cp', '-', `${id}:/to/file`], archive)).stderr).toContain(
        '/to/file of the container is no directory',
      )
      expect((await kago(['cp', '-', `${id}:/to/none`], archive)).stderr).toContain('there is no /to/none')
      expect((await kago(['cp', '-', `${id}:/to`], 'no archive'.repeat(100))).stderr).toContain(
        'this is no tar archive',
      )
    })

    test('what is wrong is said in words, and nothing is replaced by another kind', async () => {
      write('f', 'new')
      fs.mkdirSync(join(local, 'etc'))
      write('sub', 'a file')
      expect(await cp('f', `${id}:/none/f`)).toContain('there is no directory /none in the container')
      expect(await cp('f', `${id}:/none/`)).toContain('there is no directory /none/')
      expect(await cp('etc', `${id}:/to/file`)).toBe('kago: cannot copy a directory onto a file: /to/file')
      expect(await cp('sub', `${id}:/to`)).toContain('cannot replace a directory by a file')
      expect(await cp('etc', `${id}:/to`)).toContain('cannot replace a file by a directory')
    })
  })

  test('a file that is a mount is written in place, a read-only mount and root refuse', async () => {
    fs.writeFileSync(join(shared, 'single'), 'before')
    const mounts = [
      { type: 'bind', source: shared, target: '/ro', readOnly: true },
      { type: 'bind', source: shared, target: '/rw' },
      { type: 'bind', source: join(shared, 'single'), target: '/single' },
      { type: 'tmpfs', target: '/memory' },
    ]
    const id = await container('running', ':', { mounts })
    write('f', 'after')
    expect(await cp('f', `${id}:/single`)).toBe('copied')
    expect(fs.readFileSync(join(shared, 'single'), 'utf8')).toBe('after')
    expect(await cp('f', `${id}:/rw/through`)).toBe('copied')
    expect(fs.readFileSync(join(shared, 'through'), 'utf8')).toBe('after')
    expect(await cp('f', `${id}:/ro/x`)).toContain('/ro/x is on a read-only mount')
    expect(await cp('f', `${id}:/memory/f`)).toBe('copied')
    expect(await cp(`${id}:/memory/f`, 'back')).toBe('copied')
    expect(read('back')).toBe('after')
    await kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })
    expect(await cp('f', `${id}:/rw/stopped`)).toBe('copied')
    expect(fs.readFileSync(join(shared, 'stopped'), 'utf8')).toBe('after')
    expect(await cp('f', `${id}:/ro/x`)).toContain('/ro/x is on a read-only mount')
    expect(await cp(`${id}:/rw/stopped`, '.')).toBe('copied')
  })

  test('a container that never ran is filled, mounts and all', async () => {
    const mounts = [{ type: 'bind', source: shared, target: '/some/where' }]
    const lines = await kagod.ok<{ result?: { id: string } }[]>('POST', '/v1/containers', {
      image,
      network: 'none',
      mounts,
      command: ['cat', '/some/where/f', '/f'],
    })
    const id = lines.at(-1)?.result?.id ?? ''
    write('f', 'filled\n')
    expect(await cp('f', `${id}:/some/where`)).toBe('copied')
    expect(await cp('f', `${id}:/`)).toBe('copied')
    expect(await cp(`${id}:/some/where/f`, 'back')).toBe('copied')
    expect(fs.readFileSync(join(shared, 'f'), 'utf8')).toBe('filled\n')
    expect((await kago(['start', '-a', id])).stdout).toBe('filled\nfilled\n')
  })

  test.each(['running', 'stopped'] as const)(
    'diff tells what changed, a container that is %s',
    async (state) => {
      const id = await container(
        state,
        `mkdir -p /new/dir; echo x >/new/dir/f; echo x >>/etc/passwd; rm /bin/ls; rm -r /usr; mkdir /usr; echo x >/usr/mine
       chmod 700 /var; touch /etc/group`,
        {
          mounts: [{ type: 'bind', source: shared, target: '/mnt/here' }],
          tmpfs: [{ target: '/t', options: '' }],
        },
      )
      const changes = await kagod.ok<FileChange[]>('GET', `/v1/containers/${id}/changes`)
      const told = changes.map(({ kind, path }) => `${kind} ${path}`)
      const deletedOfUsr = told.filter((line) => line.startsWith('D /usr/'))
      expect(deletedOfUsr.length).toBeGreaterThan(0)
      expect(told.filter((line) => !line.startsWith('D /usr/'))).toEqual([
        'C /bin',
        'D /bin/ls',
        'C /etc',
        'C /etc/group',
        'C /etc/passwd',
        'A /new',
        'A /new/dir',
        'A /new/dir/f',
        'A /ready',
        'C /usr',
        'A /usr/mine',
        'C /var',
      ])
      expect((await kago(['diff', id])).stdout).toBe(`${told.join('\n')}\n`)
    },
  )

  test('a container that changed nothing has no changes', async () => {
    const id = await kagod.runDetached({ image, network: 'none', command: ['sleep', '1000'] })
    expect((await kago(['diff', id])).stdout).toBe('')
  })

  test('an export is the same whether it runs or not, without what is mounted', async () => {
    fs.writeFileSync(join(shared, 'outside'), 'x')
    const id = await container('running', 'echo x >/mine; rm -r /usr', {
      mounts: [{ type: 'bind', source: shared, target: '/mnt/here' }],
    })
    const running = await kago(['export', id])
    await kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })
    const stopped = await kago(['export', '-o', 'file.tar', id])
    expect(stopped.stderr).toBe('')
    expect(fs.readFileSync(join(local, 'file.tar')).equals(running.stdoutBytes)).toBe(true)
    const names = execFileSync('tar', ['-t'], { input: running.stdoutBytes }).toString().split('\n')
    expect(names).toEqual(expect.arrayContaining(['mine', 'bin/', 'bin/busybox', 'mnt/here/']))
    expect(names.filter((name) => /^usr\/|^mnt\/here\/.|^proc\/.|^\.|^\//.test(name))).toEqual([])
  })
})
