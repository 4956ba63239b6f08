/** A hundred containers on one network: each finds and reaches every other by its name. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../../harness/cli.ts'
import { type Kagod, startKagod } from '../../harness/kagod.ts'

const count = 100
const names = Array.from({ length: count }, (_, index) => `c${index}`)

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
  const { status, stderr } = await kago('network', 'create', 'crowd')
  if (status !== 0) throw new Error(stderr)
})
afterAll(() => kagod.dispose())

const kago = (...args: string[]) => runCli(args, { host: `unix://${kagod.socket}` })

/** Runs `work` for every name, a few at once. */
async function forEach(work: (name: string) => Promise<void>): Promise<void> {
  const waiting = [...names]
  const worker = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await work(name)
  }
  await Promise.all(Array.from({ length: 4 }, worker))
}

test('each of them resolves and reaches all', async () => {
  const addresses = new Map<string, string>()
  await forEach(async (name) => {
    await kagod.runDetached({
      image: 'localhost/busybox',
      name,
      network: 'crowd',
      networkAliases: ['everyone'],
      command: ['sleep', '1000'],
    })
  })
  await forEach(async (name) => {
    const said = await kago('exec', name, 'hostname', '-i')
    expect(said).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^10\./) as unknown })
    addresses.set(name, said.stdout.trim())
  })
  expect(new Set(addresses.values()).size).toBe(count)

  const expected = names.map((name) => `PING ${name} (${addresses.get(name)}): 8 data bytes`).join('\n')
  const script = `for name in ${names.join(' ')}; do ping -c 1 -W 5 -s 8 $name >/tmp/said && head -n 1 /tmp/said; done`
  await forEach(async (name) => {
    const { stdout, stderr } = await kago('exec', name, 'sh', '-c', script)
    expect(stderr).toBe('')
    expect(stdout.trim()).toBe(expected)
  })

  // More than fits into a datagram of 512 bytes: some by UDP, all by TCP.
  const { stdout } = await kago('exec', 'c0', 'nslookup', '-type=a', 'everyone')
  const found = new Set([...stdout.matchAll(/^Address: (10\.[\d.]+)$/gm)].map((match) => match[1]))
  expect(found.size).toBeGreaterThan(15)
  expect([...addresses.values()]).toEqual(expect.arrayContaining([...found]))
}, 600_000)
