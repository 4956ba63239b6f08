/** Volumes on the real kernel, by the command line: made, filled, mounted, shared, renamed, cloned, pruned, and gone. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../../harness/cli.ts'
import { eventually, type Kagod, leftovers, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
const home = fs.mkdtempSync(join(tmpdir(), 'kago-volumes-'))
const kago = async (...args: string[]) => await runCli(args, { host: kagod.socket })
const ok = async (...args: string[]) => {
  const { status, stdout, stderr } = await kago(...args)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}
const image = 'localhost/busybox'
const run = (...args: string[]) => ok('run', '--rm', '--network', 'none', ...args)
const sh = (options: string[], script: string) => run(...options, image, 'sh', '-c', script)
const directories = () => fs.readdirSync(join(kagod.dataRoot, 'volumes'))

beforeAll(async () => {
  kagod = await startKagod()
})
afterEach(async () => {
  const all = (await ok('ps', '-aq')).split('\n').filter(Boolean)
  if (all.length > 0) await ok('rm', '-fv', ...all)
  await ok('volume', 'prune', '-af')
  await eventually(() => directories().length === 0, 'no volume is left')
  await eventually(
    () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
    'nothing is left',
  )
})
afterAll(async () => {
  await kagod.dispose()
  fs.rmSync(home, { recursive: true })
})

/** Changes the database as a crash might have left it. */
async function whileStopped(sql: string): Promise<void> {
  await kagod.stop()
  const database = new DatabaseSync(join(kagod.dataRoot, 'kago.db'))
  database.exec(sql)
  database.close()
  await kagod.start()
}

/** An image with the given content at /data, made by commit. */
async function imageWith(name: string, script: string, ...changes: string[]): Promise<void> {
  await ok('run', '--network', 'none', '--name', 'maker', image, 'sh', '-c', script)
  await ok('commit', ...changes.flatMap((change) => ['--change', change]), 'maker', name)
  await ok('rm', 'maker')
}

describe('a volume with a name', () => {
  test('is made by its first use and keeps what is written', async () => {
    await sh(['-v', 'notes:/data'], 'echo one > /data/file')
    expect(await sh(['-v', 'notes:/data'], 'cat /data/file')).toBe('one\n')
    expect(await ok('volume', 'ls', '-q')).toBe('notes\n')
    await ok('volume', 'rm', 'notes')
    expect(await ok('volume', 'ls', '-q')).toBe('')
  })

  test('is made by hand, with labels, and twice is success', async () => {
    expect(await ok('volume', 'create', '--label', 'a=b', 'data')).toBe('data\n')
    expect(await ok('volume', 'create', 'data')).toBe('data\n')
    expect(JSON.parse(await ok('volume', 'inspect', 'data'))).toMatchObject([
      { name: 'data', labels: { a: 'b' }, anonymous: false, usedBy: [] },
    ])
    expect((await kago('volume', 'create', '--label', 'a=c', 'data')).stderr).toMatch(/without the label a=c/)
  })

  test('cannot be removed while a container mounts it, which is named', async () => {
    await ok('create', '--network', 'none', '--name', 'holder', '-v', 'kept:/data', image, 'true')
    const refused = await kago('volume', 'rm', 'kept')
    expect(refused).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/volume kept is used by holder/),
    })
    expect(await ok('volume', 'ls', '--format', '{{.Name}} {{.UsedBy}}')).toBe('kept holder\n')
  })

  test('is read-only where it was asked for', async () => {
    await ok('volume', 'create', 'ro-data')
    const refused = await kago(
      'run',
      '--rm',
      '--network',
      'none',
      '-v',
      'ro-data:/data:ro',
      image,
      'touch',
      '/data/x',
    )
    expect(refused.stderr).toMatch(/Read-only file system/)
  })

  test('is shared by two that run at once', async () => {
    const watch = 'until [ -e /data/go ]; do sleep 0.05; done; echo seen'
    await ok(
      'run',
      '-d',
      '--network',
      'none',
      '--name',
      'reader',
      '-v',
      'both:/data',
      image,
      'sh',
      '-c',
      watch,
    )
    await sh(['-v', 'both:/data'], 'touch /data/go')
    expect(await ok('wait', 'reader')).toBe('0\n')
    expect(await ok('logs', 'reader')).toBe('seen\n')
  })

  test('is mounted by kago’s own runtime too', async () => {
    const runtime = 'unshare'
    await sh(['--runtime', runtime, '-v', 'there:/data'], 'mkdir /data/a && echo 1 > /data/a/b')
    const part = ['--mount', 'source=there,target=/p,volume-subpath=a,readonly']
    expect(await sh(['--runtime', runtime, ...part], 'cat /p/b; touch /p/c 2>/dev/null || echo no')).toBe(
      '1\nno\n',
    )
  })

  test('has names as Docker’s, and no others', async () => {
    for (const name of ['-x', 'a', 'ä-b', 'x'.repeat(256)]) {
      expect((await kago('volume', 'create', '--', name)).status, name).toBe(2)
    }
    expect((await kago('volume', 'rm', 'none')).stderr).toMatch(/no such volume: none/)
    expect(await ok('volume', 'rm', '-f', 'none')).toBe('')
  })
})

describe('what an image has at the place of a volume', () => {
  const content = `mkdir -p /data/sub && echo deep > /data/sub/file && ln -s sub/file /data/link &&
    ln /data/sub/file /data/hard && chown -R 7:8 /data && chmod 2750 /data && chmod 4755 /data/sub/file`

  test('is in it at its first use: contents, owners, modes, links', async () => {
    await imageWith('localhost/filled', content)
    const script = 'cd /data && stat -c "%n %F %a %u:%g %h" . sub sub/file link hard && cat link'
    const listing = await run('-v', 'fresh:/data', 'localhost/filled', 'sh', '-c', script)
    expect(listing).toBe(`. directory 2750 7:8 3
sub directory 755 7:8 2
sub/file regular file 4755 7:8 2
link symbolic link 777 7:8 1
hard regular file 4755 7:8 2
deep
`)
    // Whatever is in it later stays as it is.
    await run('-v', 'fresh:/data', image, 'rm', '-r', '/data/sub')
    expect(await run('-v', 'fresh:/data', 'localhost/filled', 'ls', '/data')).toBe('hard\nlink\n')
    expect(await run('-v', 'other:/data:nocopy', 'localhost/filled', 'ls', '/data')).toBe('')
    await ok('rmi', 'localhost/filled')
  })

  test('follows no link out of the image', async () => {
    const canary = join(home, 'canary')
    fs.mkdirSync(canary)
    fs.writeFileSync(join(canary, 'secret'), 'secret')
    await imageWith('localhost/hostile', `ln -s ${canary} /data && ln -s ../../../../../..${canary} /up`)
    for (const place of ['/data', '/up']) {
      const failed = await kago(
        'run',
        '--rm',
        '--network',
        'none',
        '-v',
        `v${place.slice(1)}:${place}`,
        'localhost/hostile',
        'ls',
        place,
      )
      expect(failed.stdout).not.toContain('secret')
    }
    expect(fs.readdirSync(canary)).toEqual(['secret'])
    await ok('rmi', 'localhost/hostile')
  })

  test('half of it, after a crash, is put there again', async () => {
    await imageWith('localhost/filled', content)
    await ok('volume', 'create', 'half')
    const [{ path }] = JSON.parse(await ok('volume', 'inspect', 'half')) as [{ path: string }]
    fs.writeFileSync(join(path, 'left-over'), '')
    await whileStopped("UPDATE volumes SET filling = 1 WHERE name = 'half'")
    expect(await run('-v', 'half:/data', 'localhost/filled', 'ls', '/data')).toBe('hard\nlink\nsub\n')
    await ok('rmi', 'localhost/filled')
  })

  test('is put aside for whoever wants none of it; what is written then stays', async () => {
    await imageWith('localhost/filled', content)
    for (const how of ['-v=half:/data:nocopy', '--mount=type=volume,src=half,dst=/data,volume-nocopy']) {
      await ok('volume', 'create', 'half')
      const [{ path }] = JSON.parse(await ok('volume', 'inspect', 'half')) as [{ path: string }]
      fs.writeFileSync(join(path, 'left-over'), '')
      await whileStopped("UPDATE volumes SET filling = 1 WHERE name = 'half'")
      expect(await sh([how], 'ls /data && echo mine > /data/precious')).toBe('')
      expect(await run('-v', 'half:/data', 'localhost/filled', 'ls', '/data')).toBe('precious\n')
      await ok('volume', 'rm', 'half')
    }
    await ok('rmi', 'localhost/filled')
  })

  test('half of it, cloned, is still half: the clone is filled from the beginning', async () => {
    await imageWith('localhost/filled', content)
    await ok('volume', 'create', 'half')
    const [{ path }] = JSON.parse(await ok('volume', 'inspect', 'half')) as [{ path: string }]
    fs.writeFileSync(join(path, 'left-over'), '')
    await whileStopped("UPDATE volumes SET filling = 1 WHERE name = 'half'")
    await ok('volume', 'clone', 'half', 'copy')
    expect(await run('-v', 'copy:/data', 'localhost/filled', 'ls', '/data')).toBe('hard\nlink\nsub\n')
    await ok('rmi', 'localhost/filled')
  })

  test('half of it is not emptied under a container that mounts the volume', async () => {
    await imageWith('localhost/filled', content)
    await ok('create', '--network', 'none', '-v', 'half:/data:nocopy', '--name', 'holder', image)
    const [{ path }] = JSON.parse(await ok('volume', 'inspect', 'half')) as [{ path: string }]
    fs.writeFileSync(join(path, 'precious'), '')
    await whileStopped("UPDATE volumes SET filling = 1 WHERE name = 'half'")
    expect(await run('-v', 'half:/data', 'localhost/filled', 'ls', '/data')).toBe('precious\n')
    await ok('rmi', 'localhost/filled')
  })
})

describe('a volume without a name', () => {
  test('goes with --rm, and with rm -v, and otherwise stays', async () => {
    await sh(['-v', '/data'], 'touch /data/x')
    await eventually(() => directories().length === 0, 'it went with its container')
    await ok('create', '--network', 'none', '--name', 'one', '-v', '/data', image, 'true')
    await ok('rm', '-v', 'one')
    expect(directories()).toEqual([])
    await ok('create', '--network', 'none', '--name', 'two', '-v', '/data', image, 'true')
    await ok('rm', 'two')
    expect(directories()).toHaveLength(1)
    expect(await ok('volume', 'prune', '--dry-run')).toMatch(/Volumes without a name .*\(1\):/)
    expect(directories()).toHaveLength(1)
  })

  test('is made for every VOLUME of the image that nothing else is mounted at', async () => {
    await imageWith('localhost/volumes', 'mkdir /a /b && echo a > /a/x && echo b > /b/x', 'VOLUME /a /b')
    await ok(
      'run',
      '-d',
      '--network',
      'none',
      '--name',
      'c',
      '-v',
      'mine:/b',
      'localhost/volumes',
      'sleep',
      '1000',
    )
    const mounts = await ok('inspect', '-f', '{{range .Mounts}}{{.Type}} {{.Destination}} {{end}}', 'c')
    expect(
      mounts
        .trim()
        .split(/(?<=\/.) /)
        .sort(),
    ).toEqual(['volume /a', 'volume /b'])
    expect(await ok('exec', 'c', 'cat', '/a/x', '/b/x')).toBe('a\nb\n')
    await ok('rm', '-fv', 'c')
    expect(await ok('volume', 'ls', '-q')).toBe('mine\n')
    await ok('rmi', 'localhost/volumes')
  })

  test('of another container is mounted by --volumes-from, read-only if asked', async () => {
    await ok(
      'create',
      '--network',
      'none',
      '--name',
      'base',
      '-v',
      '/data',
      '-v',
      `${home}:/home-dir:ro`,
      image,
      'true',
    )
    await sh(['--volumes-from', 'base'], 'touch /data/x && ls /home-dir')
    const refused = await kago(
      'run',
      '--rm',
      '--network',
      'none',
      '--volumes-from',
      'base:ro',
      image,
      'touch',
      '/data/y',
    )
    expect(refused.stderr).toMatch(/Read-only/)
    expect(await sh(['--volumes-from', 'base'], 'ls /data')).toBe('x\n')
  })
})

describe('a part of a volume', () => {
  test('is mounted alone, a directory or a file', async () => {
    await sh(['-v', 'tree:/data'], 'mkdir -p /data/a/b && echo in > /data/a/b/file')
    const part = (subpath: string) => ['--mount', `source=tree,target=/part,volume-subpath=${subpath}`]
    expect(await sh(part('a/b'), 'cat /part/file; echo more >> /part/file')).toBe('in\n')
    expect(await sh(part('a/b/file'), 'cat /part')).toBe('in\nmore\n')
    expect((await kago('run', '--rm', ...part('none'), image, 'true')).stderr).toMatch(
      /none, .* is not in volume tree/,
    )
  })

  test('that is a link leads nowhere outside', async () => {
    await sh(
      ['-v', 'tree:/data'],
      `ln -s ${home} /data/out && ln -s ../.. /data/up && mkdir /data/in && ln -s in /data/link`,
    )
    for (const subpath of ['out', 'up', '../..', '/etc']) {
      const refused = await kago(
        'run',
        '--rm',
        '--network',
        'none',
        '--mount',
        `source=tree,target=/part,volume-subpath=${subpath}`,
        image,
        'ls',
        '/part',
      )
      expect(refused.status, subpath).toBe(125)
      expect(refused.stderr).toMatch(/leads out of|is not in/)
    }
    await sh(['--mount', 'source=tree,target=/part,volume-subpath=link'], 'touch /part/x')
    expect(await sh(['-v', 'tree:/data'], 'ls /data/in')).toBe('x\n')
  })
})

describe('a volume', () => {
  test('gets another name while a container runs with it', async () => {
    await ok('run', '-d', '--network', 'none', '--name', 'user', '-v', 'old:/data', image, 'sleep', '1000')
    await ok('volume', 'rename', 'old', 'new')
    await ok('exec', 'user', 'touch', '/data/x')
    await ok('restart', '-t', '0', 'user')
    expect(await ok('exec', 'user', 'ls', '/data')).toBe('x\n')
    expect(await ok('volume', 'ls', '--format', '{{.Name}} {{.UsedBy}}')).toBe('new user\n')
    await ok('volume', 'create', 'taken')
    expect((await kago('volume', 'rename', 'new', 'taken')).status).toBe(4)
  })

  test('is cloned with all that is in it', async () => {
    await sh(['-v', 'first:/data'], 'echo 1 > /data/x && ln -s x /data/y && chown 5:6 /data/x')
    await ok('volume', 'clone', 'first', 'second')
    await sh(['-v', 'second:/data'], 'echo 2 > /data/x')
    expect(await sh(['-v', 'first:/data'], 'cat /data/y; stat -c %u:%g /data/x')).toBe('1\n5:6\n')
    expect(await sh(['-v', 'second:/data'], 'cat /data/y; stat -c %u:%g /data/x')).toBe('2\n5:6\n')
  })

  test('that no container mounts is pruned with -a, after the plan and its bytes', async () => {
    await sh(['-v', 'big:/data'], 'head -c 1000000 /dev/zero > /data/x')
    await ok('volume', 'create', '--label', 'keep', 'kept')
    expect(await ok('volume', 'prune', '-f')).toBe('There is nothing to remove.\n')
    const said = await ok('volume', 'prune', '-af', '--filter', 'label!=keep')
    expect(said).toMatch(/Volumes that no container mounts \(1, 1.*MB\):\n {2}big/)
    expect(await ok('volume', 'ls', '-q')).toBe('kept\n')
  })

  test('counts in system df, and again once somebody has written', async () => {
    const sizeOf = async () => {
      const { volumeList } = JSON.parse(await ok('system', 'df', '-v', '--json')) as {
        volumeList: { name: string; sizeBytes: number }[]
      }
      return volumeList.find(({ name }) => name === 'full')?.sizeBytes
    }
    await ok('volume', 'create', 'full')
    expect(await sizeOf()).toBe(0)
    await sh(['-v', 'full:/data'], 'head -c 1000000 /dev/zero > /data/x')
    await eventually(async () => ((await sizeOf()) ?? 0) >= 1_000_000, 'it has grown')
    expect(await ok('system', 'df')).toMatch(/Volumes +1 +0 +1(\.0\d*)?MB +1/)
  })

  test('goes with cp: into it and out of it, running or not', async () => {
    fs.writeFileSync(join(home, 'letter'), 'dear')
    await ok('create', '--network', 'none', '--name', 'post', '-v', 'box:/box', image, 'cat', '/box/letter')
    await ok('cp', join(home, 'letter'), 'post:/box/letter')
    const [{ path }] = JSON.parse(await ok('volume', 'inspect', 'box')) as [{ path: string }]
    expect(await ok('inspect', '-f', '{{range .Mounts}}{{.Source}}{{end}}', 'post')).toBe(`${path}\n`)
    const part = ['--mount', 'source=box,target=/part,volume-subpath=sub']
    fs.mkdirSync(join(path, 'sub'))
    await ok('create', '--network', 'none', '--name', 'partly', ...part, image, 'true')
    await ok('cp', join(home, 'letter'), 'partly:/part/')
    expect(fs.readdirSync(join(path, 'sub'))).toEqual(['letter'])
    await ok('start', 'post')
    await ok('wait', 'post')
    expect(await ok('logs', 'post')).toBe('dear')
  })
})

describe('a bind', () => {
  test('of nothing is refused by name, unless it is to be made', async () => {
    const missing = join(home, 'missing')
    for (const words of [
      ['-v', `${missing}:/x`],
      ['--mount', `type=bind,source=${missing},target=/x`],
    ]) {
      const refused = await kago('run', '--rm', '--network', 'none', ...words, image, 'true')
      expect(refused).toMatchObject({
        status: 125,
        stderr: expect.stringMatching(/missing, to be mounted at \/x/),
      })
    }
    expect(fs.existsSync(missing)).toBe(false)
    await sh(['--create-bind-source', '-v', `${missing}:/x`], 'touch /x/made')
    expect(fs.readdirSync(missing)).toEqual(['made'])
  })

  test('that is shared lets the machine see what is mounted in it', async () => {
    const place = join(home, 'shared')
    fs.mkdirSync(place)
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', place])
    execFileSync('mount', ['--make-shared', place])
    fs.mkdirSync(join(place, 'in'))
    try {
      const script = 'mount -t tmpfs inner /p/in && touch /p/in/from-inside && sleep 1000'
      await ok(
        'run',
        '-d',
        '--network',
        'none',
        '--privileged',
        '--name',
        'mounter',
        '-v',
        `${place}:/p:rshared`,
        image,
        'sh',
        '-c',
        script,
      )
      await eventually(() => fs.existsSync(join(place, 'in/from-inside')), 'the mount is seen outside')
      await ok('rm', '-f', 'mounter')
    } finally {
      execFileSync('umount', ['-R', place])
    }
    await eventually(
      () => !fs.readFileSync('/proc/self/mountinfo', 'utf8').includes(kagod.runRoot),
      'no root stays mounted',
    )
  })
})

test('what an interrupted daemon left of volumes goes at its next start', async () => {
  await ok('volume', 'create', 'stays')
  fs.mkdirSync(join(kagod.dataRoot, 'volumes', 'f'.repeat(32), 'data'), { recursive: true })
  fs.mkdirSync(join(kagod.dataRoot, 'volumes', 'e'.repeat(32), 'data'), { recursive: true })
  await whileStopped(
    `INSERT INTO volumes VALUES ('${'e'.repeat(64)}', '${'e'.repeat(32)}', 0, '{}', 1, 'gone-container', 0)`,
  )
  expect(await ok('volume', 'ls', '-q')).toBe('stays\n')
  expect(directories()).toHaveLength(1)
})
