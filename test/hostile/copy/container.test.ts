/** What a container must not reach with `cp`, `diff`, `commit`: the machine's files, whatever links it makes and swaps. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../../harness/cli.ts'
import { eventually, type Kagod, startKagod } from '../../harness/kagod.ts'
import { directory, file, hardlink, symlink, tar, type TarPart } from '../../harness/tar-builder.ts'
import { describeTree } from '../../harness/tree.ts'

const image = 'localhost/busybox'

describe.each(['overlay', 'copy'] as const)('with the snapshotter %s', (snapshotter) => {
  let kagod: Kagod
  /** A directory of the machine that no container may see. */
  let secret: string
  let local: string
  beforeAll(async () => {
    kagod = await startKagod({ snapshotter })
    secret = fs.mkdtempSync(join(tmpdir(), 'kago-secret-'))
    local = fs.mkdtempSync(join(tmpdir(), 'kago-local-'))
    fs.writeFileSync(join(secret, 'file'), 'SECRET')
    fs.mkdirSync(join(secret, 'sub'))
  })
  afterAll(async () => {
    await kagod.dispose()
    for (const path of [secret, local]) fs.rmSync(path, { recursive: true })
  })
  const kago = (args: string[], input?: Buffer) =>
    runCli(args, { host: `unix://${kagod.socket}`, cwd: local, ...(input !== undefined && { input }) })

  async function start(script: string, state: 'running' | 'stopped', more: object = {}): Promise<string> {
    const command = ['sh', '-c', script]
    const id = await kagod.runDetached({ image, network: 'none', command, ...more })
    const path = `/v1/containers/${id}/files/stat?path=/ready`
    await eventually(async () => (await kagod.request('GET', path)).status === 200, 'it is ready')
    if (state === 'stopped') await kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })
    return id
  }

  test.each(['running', 'stopped'] as const)('links end inside, of a container that is %s', async (state) => {
    const id = await start(
      `ln -s ${secret} /abs; ln -s ../../../../../../../..${secret} /rel; mkdir /d; ln -s ${secret}/file /d/link
       ln -s /proc/1/root/${secret} /magic; ln -s /abs /chain; touch /ready; sleep 1000`,
      state,
    )
    const before = describeTree(secret)
    fs.writeFileSync(join(local, 'f'), 'evil')
    for (const link of ['/abs', '/rel', '/magic', '/chain']) {
      for (const path of [`${link}/file`, `${link}/`, `${link}/.`, `${link}/../${secret}/file`]) {
        const { stdout } = await kago(['cp', `${id}:${path}`, '-'])
        expect(stdout, path).not.toContain('SECRET')
        expect((await kago(['cp', '-L', `${id}:${path}`, '-'])).stdout, path).not.toContain('SECRET')
      }
      await kago(['cp', 'f', `${id}:${link}/file`])
      await kago(['cp', 'f', `${id}:${link}`])
      await kago(['cp', 'f', `${id}:${link}/new`])
    }
    expect((await kago(['cp', '-L', `${id}:/d/link`, '-'])).stdout).not.toContain('SECRET')
    expect(describeTree(secret)).toEqual(before)
  })

  test.each<[string, TarPart[]]>([
    ['climbing names', [file('../../../../../../../../tmp/kago-evil', 'x')]],
    ['absolute names', [file('/kago-evil', 'x')]],
    ['writing through a link', [symlink('l', 'SECRET'), file('l/file', 'x'), file('l/new', 'x')]],
    ['a directory through a link', [symlink('m', 'SECRET'), directory('m/made')]],
    ['hard links', [hardlink('h', 'SECRET/file'), file('h', 'changed')]],
    ['hard links through a link', [symlink('n', 'SECRET'), hardlink('h2', 'n/file'), file('h2', 'changed')]],
  ])('an archive with %s touches nothing of the machine', async (_what, parts) => {
    const real = parts.map((part) => ({
      ...part,
      ...(part.linkName !== undefined && { linkName: part.linkName.replace('SECRET', secret) }),
    }))
    for (const state of ['running', 'stopped'] as const) {
      const id = await start('touch /ready; sleep 1000', state)
      const before = describeTree(secret)
      await kago(['cp', '-', `${id}:/tmp`], tar(...real))
      expect(describeTree(secret)).toEqual(before)
      expect(fs.existsSync('/kago-evil') || fs.existsSync('/tmp/kago-evil')).toBe(false)
      await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
    }
  })

  test('a container that swaps a directory for a link all the time gets nothing in or out', async () => {
    const id = await start(
      `mkdir -p /real/sub; for i in $(seq 50); do echo inside >/real/sub/file$i; echo inside >/real/file; done
       mkdir /stage; ln -s ${secret} /stage/link; touch /ready
       while :; do mv /real /stage/real; mv /stage/link /real; mv /real /stage/link; mv /stage/real /real; done`,
      'running',
    )
    const before = describeTree(secret)
    fs.writeFileSync(join(local, 'evil'), 'evil')
    for (let round = 0; round < 8; round++) {
      const [out, , changes] = await Promise.all([
        kago(['cp', `${id}:/real`, '-']),
        kago(['cp', 'evil', `${id}:/real/file`]),
        kago(['diff', id]),
      ])
      expect(out.stdout).not.toContain('SECRET')
      expect(changes.status, changes.stderr).toBe(0)
      expect(changes.stdout).not.toContain(secret)
    }
    await kago(['commit', '--pause=false', id, 'swapped:1'])
    const saved = await kago(['save', 'swapped:1'])
    expect(saved.stdoutBytes.includes('SECRET')).toBe(false)
    expect(describeTree(secret)).toEqual(before)
    await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
  })

  test('nothing is left behind: no mount, no process, no open archive', async () => {
    const id = await start('head -c 50000000 /dev/zero >/big; touch /ready; sleep 1000', 'stopped')
    const programs = () =>
      fs
        .readdirSync('/proc')
        .filter((pid) => /^\d+$/.test(pid))
        .filter((pid) => {
          try {
            const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8')
            return words.includes('tree.mjs') && words.includes(kagod.dataRoot)
          } catch {
            return false
          }
        })
    // Whoever asked goes away in the middle.
    await runCli(['cp', `${id}:/big`, '-'], {
      host: `unix://${kagod.socket}`,
      meanwhile: async (child) => {
        await new Promise((resolve) => child.stdout.once('readable', resolve))
        child.kill('SIGKILL')
      },
    })
    await eventually(() => programs().length === 0, 'the program has ended')
    const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8')
    expect(mounts.includes(`${kagod.dataRoot}/containers/${id} `)).toBe(false)
    await kagod.ok('POST', `/v1/containers/${id}/start`)
    await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
    const directory = join(kagod.dataRoot, 'containers', id)
    await eventually(() => !fs.existsSync(directory), 'its files are gone')
  })
})
