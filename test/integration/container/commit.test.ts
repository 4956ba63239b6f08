/** Images made of containers and of archives, run, saved and loaded again, for both snapshotters. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ImageDetails } from '../../../shared/protocol/images.ts'
import type { OperationDetails } from '../../../shared/protocol/operations.ts'
import { runCli } from '../../harness/cli.ts'
import { eventually, type Kagod, startKagod } from '../../harness/kagod.ts'
import { directory, file, tar } from '../../harness/tar-builder.ts'

const image = 'localhost/busybox'

describe.each(['overlay', 'copy'] as const)('with the snapshotter %s', (snapshotter) => {
  let kagod: Kagod
  beforeAll(async () => {
    kagod = await startKagod({ snapshotter })
  })
  afterAll(async () => {
    await kagod.dispose()
  })
  const kago = async (args: string[], input?: Buffer) => {
    const result = await runCli(args, {
      host: `unix://${kagod.socket}`,
      ...(input !== undefined && { input }),
    })
    if (result.status !== 0) throw new Error(result.stderr)
    return result
  }
  const out = async (name: string, ...command: string[]) => {
    const { stdout } = await kago(['run', '--rm', '--network', 'none', name, ...command])
    return stdout
  }
  async function changed(script: string): Promise<string> {
    const command = ['sh', '-c', `${script}\necho done; exec sleep 1000`]
    const id = await kagod.runDetached({
      image,
      network: 'none',
      command,
      env: ['MINE=1'],
      labels: { own: 'label' },
      workingDir: '/tmp',
      tmpfs: [{ target: '/memory', options: '' }],
    })
    await eventually(async () => (await kagod.logs(id)).stdout.includes('done'), 'it is ready')
    return id
  }
  const script = `echo x >/new; rm /bin/ls; rm -r /usr; mkdir /usr; echo 1 >/usr/only; mkdir -m 700 /etc/dir
    ln /new /hard; ln -s new /soft; chown 12:34 /etc/dir; echo secret >/memory/file; mkfifo /fifo`
  const look =
    'cat /new /soft; test -e /bin/ls || echo gone; echo /usr/*; stat -c "%a %u:%g" /etc/dir; stat -c %h /hard'

  test.each(['running', 'stopped'] as const)(
    'a commit holds what changed, of a container that is %s',
    async (state) => {
      const id = await changed(script)
      if (state === 'stopped') await kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })
      const name = `made:${state}`
      const words = ['-a', 'me', '-m', 'why', '-c', 'CMD ["cat", "/new"]', '-c', 'ENV MORE=2']
      const made = (await kago(['commit', ...words, id, name])).stdout.trim()
      expect(await out(name)).toBe('x\n')
      expect(await out(name, 'sh', '-c', look)).toBe('x\nx\ngone\n/usr/only\n700 12:34\n2\n')
      expect(await out(name, 'sh', '-c', 'echo $MINE $MORE; pwd; test -p /fifo && echo /memory/*')).toBe(
        '1 2\n/tmp\n/memory/*\n',
      )
      const details = await kagod.ok<ImageDetails>('GET', `/v1/images/inspect?name=${name}`)
      expect(details).toMatchObject({ id: made, author: 'me', config: { Labels: { own: 'label' } } })
      expect(details.layers).toHaveLength(2)
      expect((await kago(['history', '--format', '{{.Comment}}', name])).stdout.split('\n')[0]).toBe('why')
      // The layer is what another engine would unpack: its archive says all that the container did.
      const archive = (await kago(['save', name])).stdoutBytes
      await kago(['rmi', '-f', name])
      await kago(['load'], archive)
      expect(await out(name)).toBe('x\n')
      const inspected = await kagod.inspect(id)
      expect(inspected.task.state).toBe(state === 'running' ? 'running' : 'exited')
    },
  )

  test('a commit of a commit, and the container of a commit committed', async () => {
    const id = await changed('echo 1 >/one')
    await kago(['commit', id, 'chain:1'])
    await kago([
      'run',
      '--name',
      `second-${snapshotter}`,
      '--network',
      'none',
      'chain:1',
      'sh',
      '-c',
      'echo 2 >/two; rm /one',
    ])
    await kago(['commit', '--pause=false', `second-${snapshotter}`, 'chain:2'])
    expect(await out('chain:2', 'sh', '-c', 'cat /two; test -e /one || echo gone')).toBe('2\ngone\n')
  })

  test('processes stand still during a commit unless told otherwise', async () => {
    const id = await changed(':')
    const steps = async (...words: string[]) => {
      await kago(['commit', '-q', ...words, id])
      const { steps: all } = await kagod.ok<OperationDetails>('GET', `/v1/operations/${id.slice(0, 12)}`)
      return all.map(({ name }) => name)
    }
    expect(await steps()).toContain('freeze its processes')
    expect(await steps('-p=false')).not.toContain('freeze its processes')
    expect((await kagod.inspect(id)).task.state).toBe('running')
  })

  test('what is wrong is said before anything is done', async () => {
    const id = await changed(':')
    const fails = async (...args: string[]) =>
      (await runCli(args, { host: `unix://${kagod.socket}` })).stderr.split('\n')[0]
    expect(await fails('commit', id, 'Bad Name')).toContain('Bad Name')
    expect(await fails('commit', '-c', 'RUN x', id)).toBe('kago: no such change: "RUN x"')
    expect(await fails('import', '-c', 'FROM x', '/dev/null')).toBe('kago: no such change: "FROM x"')
    expect(await fails('import', 'http://x/y')).toBe('kago: kago import fetches no URLs')
    expect(await fails('import', '/nope')).toBe('kago: there is no file /nope')
    expect(readdirSync(kagod.dataRoot).filter((name) => name.startsWith('load-'))).toEqual([])
  })

  test('an export comes back by import, plain, gzip and zstd, with its changes applied', async () => {
    const id = await changed('echo 5 >/five')
    const { stdoutBytes } = await kago(['export', id])
    for (const [index, compress] of [(bytes: Buffer) => bytes, gzipSync, zstdCompressSync].entries()) {
      const words = ['-c', 'CMD ["cat", "/five"]', '-m', 'from elsewhere', '-', `imported:${index}`]
      const { stdout } = await kago(['import', ...words], compress(stdoutBytes))
      expect(stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/)
      expect(await out(`imported:${index}`)).toBe('5\n')
    }
    const details = await kagod.ok<ImageDetails>('GET', '/v1/images/inspect?name=imported:0')
    expect(details.layers).toHaveLength(1)
  })

  test('what is no archive, or a hostile one, makes no image and leaves nothing', async () => {
    const before = await kagod.ok('GET', '/v1/images')
    const refuse = async (bytes: Buffer) =>
      (await runCli(['import', '-', 'bad'], { host: `unix://${kagod.socket}`, input: bytes })).status
    expect(await refuse(Buffer.from('not an archive'))).not.toBe(0)
    expect(await refuse(gzipSync(Buffer.alloc(100_000, 'x')).subarray(0, 50))).not.toBe(0)
    expect(await refuse(tar(directory('a'), file('../../etc/evil', 'x')))).not.toBe(0)
    expect(await kagod.ok('GET', '/v1/images')).toEqual(before)
    expect(readdirSync(kagod.dataRoot).filter((name) => name.startsWith('load-'))).toEqual([])
  })

  test('what is committed of nothing is an empty layer', async () => {
    const id = await kagod.runDetached({ image, network: 'none', command: ['sleep', '1000'] })
    await kago(['commit', id, 'same:1'])
    const archive = (await kago(['save', 'same:1'])).stdoutBytes
    const { layers } = await kagod.ok<ImageDetails>('GET', '/v1/images/inspect?name=same:1')
    const blob = `blobs/${layers.at(-1)?.digest.replace(':', '/')}`
    const layer = execFileSync('tar', ['-xO', blob], { input: archive })
    expect(execFileSync('tar', ['-t'], { input: layer }).toString()).toBe('')
  })
})
