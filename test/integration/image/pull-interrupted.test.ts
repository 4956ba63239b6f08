import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pullImage } from '../../../daemon/image/pull.ts'
import { recoverImages } from '../../../daemon/image/recover.ts'
import { recoverOperations } from '../../../daemon/operation/recover.ts'
import { createRegistryClient } from '../../../daemon/registry/client.ts'
import { makeImage, type TestImage } from '../../harness/registry/image.ts'
import { pushImage } from '../../harness/registry/push.ts'
import { startRegistry, type TestRegistry } from '../../harness/registry/registry.ts'
import { never, openTestStore } from './harness.ts'

const program = join(import.meta.dirname, 'pull-program.ts')

let registry: TestRegistry
let root: string
let image: TestImage
beforeEach(async () => {
  registry = await startRegistry({ auth: 'none' })
  root = mkdtempSync(join(tmpdir(), 'kago-killed-'))
  const first = { one: { data: randomBytes(20_000) } }
  const second = { two: { data: randomBytes(3_000_000) } }
  image = await makeImage({ layers: [first, second] })
  await pushImage(registry, 'team/big', '1', image)
})
afterEach(async () => {
  await registry.close()
  rmSync(root, { recursive: true, force: true })
})

const reference = () => `${registry.host}/team/big:1`

/** Runs the program and kills it with SIGKILL as soon as a line says so. */
async function killWhen(isTime: (line: string) => boolean): Promise<void> {
  const child = spawn(process.execPath, [program, root, reference()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  for await (const line of createInterface({ input: child.stdout })) {
    if (!isTime(line)) continue
    child.kill('SIGKILL')
    break
  }
  await ended
  expect(child.signalCode).toBe('SIGKILL')
}

describe('a daemon killed in the middle of a pull', () => {
  it('has no image and no layers at its next start, and the next pull goes on where it was', async () => {
    const big = image.layers[1]?.digest ?? ''
    registry.faults.add({ on: 'blob', kind: 'drip', bytes: 100_000, everyMs: 20, url: big.slice(7) })
    const isTime = (line: string) =>
      line.includes(big) && Number(/"current":(\d+)/.exec(line)?.[1]) > 2_200_000
    await killWhen(isTime)
    registry.faults.clear()
    registry.requests.length = 0
    const client = createRegistryClient({ insecureRegistries: [], mirrors: {} })
    const store = openTestStore({ root, registry: client })
    try {
      await recoverOperations(store.context)
      await recoverImages(store.context)
      expect(store.context.images.list()).toEqual([])
      expect(await store.leftovers()).toMatchObject({ layers: 0, scratch: [] })
      expect(await recoverOperations(store.context)).toBe(0)
      const { id } = await pullImage(
        store.context,
        { reference: reference() },
        { report: () => {}, signal: never },
      )
      expect(id).toBe(image.config.digest)
      const ranges = registry.requests.flatMap(({ range }) => (range === undefined ? [] : [range]))
      // What was written in whole mebibytes is on the disk.
      expect(ranges[0]).toMatch(/^bytes=[1-9]\d{6}-$/)
      expect(await store.leftovers()).toEqual({ blobs: 4, partials: 0, layers: 2, scratch: [] })
    } finally {
      await store.close()
      await client.close()
    }
  })

  it('after a layer was committed takes that layer back', async () => {
    const [small, big] = image.layers.map(({ digest }) => digest)
    registry.faults.add({ on: 'blob', kind: 'drip', bytes: 2_000, everyMs: 20, url: big?.slice(7) ?? '' })
    await killWhen((line) => line.includes(small ?? '') && line.includes('"done"'))
    const store = openTestStore({ root })
    try {
      await recoverOperations(store.context)
      await recoverImages(store.context)
      expect(store.context.images.list()).toEqual([])
      expect(await store.leftovers()).toMatchObject({ layers: 0, scratch: [] })
      expect(store.context.journal.list(1)[0]?.status).toBe('rolled-back')
    } finally {
      await store.close()
    }
  })
})

describe('a pull onto a full disk', () => {
  it('says that there is no space left, and leaves nothing', async () => {
    // Room for the big layer's bytes, but not for its tree as well.
    const script = 'mount -t tmpfs -o size=5m none "$1" && exec "$2" "$3" "$1" "$4"'
    const words = ['sh', '-c', script, 'sh', root, process.execPath, program, reference()]
    const { said, status } = await run('unshare', ['--mount', '--propagation', 'private', ...words])
    expect(said).toContain('"code":"exhausted"')
    expect(said).toContain('{"type":"leftovers","blobs":0,"partials":0,"layers":0,"scratch":[]}')
    expect(status).toBe(1)
  })
})

/** The registry that is asked lives in this process, so it must not be blocked. */
async function run(command: string, args: string[]): Promise<{ said: string; status: number | null }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const { promise, resolve } = Promise.withResolvers<number | null>()
  child.on('close', resolve)
  return { status: await promise, said }
}
