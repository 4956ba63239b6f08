/** The ledger of disk space and the prunes that read it, against what the disk says. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiskUsage } from '../../../shared/protocol/disk-usage.ts'
import type { ContainerSummary } from '../../../shared/protocol/containers.ts'
import type { SystemPrune } from '../../../shared/protocol/prune.ts'
import { runCli } from '../../harness/cli.ts'
import { eventually, type Kagod, startKagod } from '../../harness/kagod.ts'

const image = 'localhost/busybox'

describe.each(['overlay', 'copy'] as const)('with the snapshotter %s', (snapshotter) => {
  let kagod: Kagod
  beforeAll(async () => {
    kagod = await startKagod({ snapshotter })
  })
  afterAll(async () => {
    await kagod.dispose()
  })
  const kago = (args: string[], input?: Buffer) =>
    runCli(args, { host: `unix://${kagod.socket}`, ...(input !== undefined && { input }) })
  const usage = () => kagod.ok<DiskUsage>('GET', '/v1/disk-usage?verbose=true')
  const du = (path: string) => {
    const said = execFileSync('du', ['-s', '-B1', path]).toString()
    return Number.parseInt(said, 10) - fs.statSync(path).blocks * 512
  }
  const upper = (id: string) => join(kagod.dataRoot, 'containers', id, 'upper')
  const run = (script: string, more: object = {}) =>
    kagod.runDetached({ image, network: 'none', command: ['sh', '-c', script], ...more })
  const has = async (id: string, path: string) =>
    (await kagod.request('GET', `/v1/containers/${id}/files/stat?path=${path}`)).status === 200

  test('a container is as large as what it wrote, while it runs, when it has ended, and after a copy into it', async () => {
    const id = await run('head -c 500000 /dev/urandom >/a; touch /ready; sleep 1000')
    await eventually(() => has(id, '/ready'), 'it has written')
    const size = async () => {
      const all = await kagod.ok<ContainerSummary[]>('GET', '/v1/containers?all=true&size=true')
      return all.find((one) => one.id === id)?.size
    }
    expect(await size()).toMatchObject({ writableBytes: du(upper(id)), isEstimate: false })
    await kagod.ok('POST', `/v1/containers/${id}/exec-detached`, {
      command: ['sh', '-c', 'head -c 300000 /dev/urandom >/b; touch /again'],
    })
    await eventually(() => has(id, '/again'), 'it has written more')
    await kagod.ok('POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 })
    expect(await size()).toMatchObject({ writableBytes: du(upper(id)), isEstimate: false })
    const archive = execFileSync('tar', ['-c', '-C', '/', 'etc/passwd', 'bin/sh', '--dereference'])
    expect((await kago(['cp', '-', `${id}:/`], archive)).stderr).toBe('')
    const after = await size()
    expect(after).toMatchObject({ writableBytes: du(upper(id)), isEstimate: false })
    if (snapshotter === 'overlay') expect(after?.rootBytes).toBeGreaterThan(after?.writableBytes ?? 0)
    const row = (await kago(['ps', '-a', '-s', '--format', '{{.Size}}'])).stdout
    expect(row).toMatch(/^[\d.]+[kM]B \(virtual [\d.]+MB\)\n/)
    await kagod.ok('DELETE', `/v1/containers/${id}`)
  })

  test('system df adds up to what is on the disk', async () => {
    const id = await run('head -c 200000 /dev/urandom >/a; echo said')
    await eventually(async () => (await kagod.inspect(id)).task.state === 'exited', 'it has ended')
    await kago(['commit', id, 'second:1'])
    const { images, containers, logs, imageList, containerList } = await usage()
    const layers = join(kagod.dataRoot, 'layers')
    const trees = fs
      .readdirSync(layers)
      .filter((name) => !name.startsWith('.'))
      .reduce(
        (sum, name) =>
          sum + Number.parseInt(execFileSync('du', ['-s', '-B1', join(layers, name)]).toString(), 10),
        0,
      )
    const blobs = fs
      .readdirSync(join(kagod.dataRoot, 'content'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, entry) => sum + fs.statSync(join(entry.parentPath, entry.name)).size, 0)
    expect(images).toMatchObject({ count: 2, active: 1, sizeBytes: trees + blobs })
    expect(containers).toMatchObject({ count: 1, active: 0, sizeBytes: du(upper(id)), isEstimate: false })
    expect(containers.reclaimableBytes).toBe(containers.sizeBytes)
    expect(logs.sizeBytes).toBe(16 + 'said\n'.length)
    expect(imageList?.reduce((sum, one) => sum + one.uniqueBytes, 0)).toBeLessThanOrEqual(images.sizeBytes)
    expect(containerList?.[0]).toMatchObject({ id, logBytes: logs.sizeBytes })
    const table = (await kago(['system', 'df'])).stdout
    expect(table.split('\n').map((line) => line.split(/\s{2,}/)[0])).toEqual([
      'TYPE',
      'Images',
      'Containers',
      'Volumes',
      'Logs',
      '',
    ])
    await kagod.ok('DELETE', `/v1/containers/${id}`)
    await kago(['rmi', 'second:1'])
  })

  test('a prune shows what goes and its bytes, asks, and then frees exactly that', async () => {
    const running = await run('sleep 1000', { labels: { keep: 'me' } })
    const ended = await run('head -c 100000 /dev/urandom >/a')
    const labelled = await run('true', { labels: { keep: 'me' } })
    for (const id of [ended, labelled])
      await eventually(async () => (await kagod.inspect(id)).task.state === 'exited', 'it has ended')
    await kago(['commit', ended])
    await kago(['commit', ended, 'named:1'])
    const created = await kagod.ok<{ id: string }>('POST', '/v1/networks', { name: 'lonely' })
    const before = await usage()
    const plan = await kagod.ok<SystemPrune>('POST', '/v1/prune', { dryRun: true, filter: ['label!=keep'] })
    expect(plan.containers.map(({ id }) => id)).toEqual([ended])
    expect(plan.networks).toMatchObject([{ id: created.id, name: 'lonely' }])
    expect(plan.images.map(({ names }) => names)).toEqual([[]])
    expect(await usage()).toEqual(before)

    const asked = await kago(['system', 'prune', '--filter', 'label!=keep'])
    expect(asked.status).toBe(2)
    expect(asked.stdout).toContain(ended.slice(0, 12))
    expect(asked.stdout).toContain('To be freed:')
    expect(asked.stderr).toContain('do not ask: kago system prune --force')
    expect(await usage()).toEqual(before)

    const done = await kago(['system', 'prune', '-f', '--filter', 'label!=keep'])
    expect(done.stdout).toMatch(/To be freed: (.*)\nFreed: \1\n$/)
    expect((await kagod.request('GET', `/v1/networks/${created.id}`)).status).toBe(404)
    const after = await usage()
    expect(before.images.sizeBytes + before.containers.sizeBytes + before.logs.sizeBytes - plan.bytes).toBe(
      after.images.sizeBytes + after.containers.sizeBytes + after.logs.sizeBytes,
    )
    expect((await kagod.list()).map(({ id }) => id).sort()).toEqual([labelled, running].sort())

    expect((await kago(['container', 'prune', '--dry-run'])).stdout).toContain(labelled.slice(0, 12))
    expect((await kago(['container', 'prune', '-f'])).stdout).toContain(labelled.slice(0, 12))
    expect((await kago(['container', 'prune', '-f'])).stdout).toBe('There is nothing to remove.\n')
    expect((await kago(['image', 'prune', '-f'])).stdout).toBe('There is nothing to remove.\n')
    expect((await kago(['image', 'prune', '-a', '-f', '--filter', 'until=1h'])).stdout).toBe(
      'There is nothing to remove.\n',
    )
    const json = JSON.parse((await kago(['image', 'prune', '-a', '-f', '--json'])).stdout) as {
      names: string[]
    }[]
    expect(json.map(({ names }) => names)).toEqual([['named:1']])
    await kagod.ok('DELETE', `/v1/containers/${running}?force=true`)
  })

  test('what came into use since the plan was shown stays', async () => {
    const id = await run('test -e /again && sleep 1000; touch /again')
    await eventually(async () => (await kagod.inspect(id)).task.state === 'exited', 'it has ended')
    const plan = await kagod.ok<{ id: string }[]>('POST', '/v1/containers/prune', { dryRun: true })
    await kagod.ok('POST', `/v1/containers/${id}/start`)
    const other = await run('true')
    await eventually(async () => (await kagod.inspect(other)).task.state === 'exited', 'it has ended')
    const only = plan.map((one) => one.id)
    expect(only).toEqual([id])
    expect(await kagod.ok('POST', '/v1/containers/prune', { only })).toEqual([])
    await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
    await kagod.ok('DELETE', `/v1/containers/${other}`)
  })
})
