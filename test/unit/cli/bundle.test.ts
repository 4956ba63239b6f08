import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildCli, cliEnvironment } from '../../harness/cli.ts'

const directory = mkdtempSync(join(tmpdir(), 'kago-bundle-'))
const preload = join(directory, 'preload.cjs')

beforeAll(() => {
  const list = join(directory, 'modules')
  writeFileSync(
    preload,
    `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(list)}, process.moduleLoadList.join('\\n')))`,
  )
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

async function modulesOf(...args: string[]): Promise<string[]> {
  const bundle = await buildCli()
  const { status } = spawnSync(process.execPath, ['--require', preload, bundle, ...args], {
    env: cliEnvironment({ host: '/nonexistent' }),
    // A pipe would be a socket of Node's.
    stdio: 'ignore',
  })
  expect(status).not.toBeNull()
  return readFileSync(join(directory, 'modules'), 'utf8').split('\n')
}

test.each([['version'], ['ps'], ['run', 'alpine'], ['pull', 'alpine'], ['exec', 'a', 'b']])(
  'kago %s loads neither the built-in undici nor node:http',
  async (...args) => {
    const modules = await modulesOf(...args)
    expect(modules).toContain('NativeModule net')
    expect(modules.filter((name) => /undici|NativeModule _?http|NativeModule tls/.test(name))).toEqual([])
  },
)

test('help speaks to nobody and loads no network', async () => {
  expect((await modulesOf('help')).filter((name) => name === 'NativeModule net')).toEqual([])
})

test('the bundle is one file that asks for nothing but Node’s own modules', async () => {
  const text = readFileSync(await buildCli(), 'utf8')
  const asked = [...text.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name)
  expect(asked.length).toBeGreaterThan(3)
  expect(asked.filter((name) => name?.startsWith('node:') !== true)).toEqual([])
  expect(text).not.toMatch(/typebox|commander|koffi|node-pty/)
})
