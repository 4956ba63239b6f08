import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ownFile, readAuthFile, writeAuth } from '../../../../cli/client/auth-file.ts'
import { askHelper, eraseWithHelper, storeWithHelper } from '../../../../cli/client/credential-helper.ts'
import { canonicalRegistry, findCredentials, registryHeaders } from '../../../../cli/client/credentials.ts'

let home: string
let docker: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kago-auth-'))
  docker = join(home, 'docker')
  mkdirSync(docker)
  vi.stubEnv('KAGO_CONFIG', join(home, 'kago'))
  vi.stubEnv('DOCKER_CONFIG', docker)
  vi.stubEnv('PATH', `${home}:${process.env['PATH'] ?? ''}`)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

const basic = (user: string, password: string) => ({
  auth: Buffer.from(`${user}:${password}`).toString('base64'),
})

function dockerConfig(config: object): void {
  writeFileSync(join(docker, 'config.json'), JSON.stringify(config))
}

function helper(name: string, script: string): void {
  const path = join(home, `docker-credential-${name}`)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}

describe('the file of credentials', () => {
  test('is made for its owner alone, whole, and keeps what else is in it', () => {
    const path = ownFile()
    writeAuth(path, 'a.example', { username: 'me', password: 'p:w' })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const whole: Record<string, unknown> = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...whole, other: 1 }))
    writeAuth(path, 'b.example', { identityToken: 't' })
    writeAuth(path, 'a.example', undefined)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      other: 1,
      auths: { 'b.example': { identitytoken: 't' } },
    })
  })

  test('that is not JSON is neither passed over nor quoted nor overwritten', () => {
    const path = ownFile()
    mkdirSync(join(home, 'kago'))
    writeFileSync(path, 'secret{')
    expect(() => readAuthFile(path)).toThrow(`${path} is not JSON`)
    expect(() => {
      writeAuth(path, 'a', { identityToken: 't' })
    }).toThrow('is not JSON')
    expect(readFileSync(path, 'utf8')).toBe('secret{')
  })

  test('of any shape is read without harm', () => {
    dockerConfig({
      auths: { a: 1, b: null, c: { auth: '%%' }, d: { auth: 'bm9jb2xvbg==' }, e: basic('u', 'p:q\0') },
      credHelpers: [],
      credsStore: 3,
    })
    expect(readAuthFile(join(docker, 'config.json'))).toMatchObject({
      auths: { e: { username: 'u', password: 'p:q' } },
      credHelpers: {},
      credsStore: undefined,
    })
  })
})

describe('credentials of a registry', () => {
  test('are found under the Hub’s old URL, under a host and under a URL', async () => {
    dockerConfig({
      auths: {
        'https://index.docker.io/v1/': basic('hub', 'h'),
        'a.example:5000': basic('a', 'x'),
        'https://b.example/v2/': basic('b', 'y'),
      },
    })
    expect(await findCredentials('docker.io')).toEqual({ username: 'hub', password: 'h' })
    expect(await findCredentials('a.example:5000')).toEqual({ username: 'a', password: 'x' })
    expect(await findCredentials('b.example')).toEqual({ username: 'b', password: 'y' })
    expect(await findCredentials('c.example')).toBeUndefined()
  })

  test('of kago’s own file come before Docker’s', async () => {
    dockerConfig({ auths: { 'a.example': basic('docker', 'd') } })
    writeAuth(ownFile(), 'a.example', { username: 'own', password: 'o' })
    expect(await findCredentials('a.example')).toMatchObject({ username: 'own' })
  })

  test('only of the image’s registry are sent', async () => {
    dockerConfig({
      auths: { 'https://index.docker.io/v1/': basic('hub', 'h'), 'a.example': basic('a', 'x') },
    })
    const headers = await registryHeaders(['a.example/x:1'])
    const sent: unknown = JSON.parse(
      Buffer.from(headers['x-kago-registry-auth'] ?? '', 'base64url').toString(),
    )
    expect(sent).toEqual({ 'a.example': { username: 'a', password: 'x' } })
    expect(await registryHeaders(['b.example/x'])).toEqual({})
    expect(await registryHeaders(['Not An Image'])).toEqual({})
  })

  test('are asked of the helper that is named for it', async () => {
    dockerConfig({ credHelpers: { 'a.example': 'mine' }, auths: { 'a.example': basic('file', 'f') } })
    helper('mine', 'read key; [ "$1 $key" = "get a.example" ] && echo \'{"Username":"u","Secret":"s"}\'')
    expect(await findCredentials('a.example')).toEqual({ username: 'u', password: 's' })
  })

  test('that a helper does not know are looked for elsewhere', async () => {
    dockerConfig({ credsStore: 'none', auths: { 'a.example': basic('file', 'f') } })
    helper('none', 'echo "credentials not found in native keychain"; exit 1')
    expect(await findCredentials('a.example')).toMatchObject({ username: 'file' })
  })
})

describe('a helper', () => {
  test('that answers a token gives an identity token', async () => {
    helper('t', 'echo \'{"Username":"<token>","Secret":"s"}\'')
    expect(await askHelper('t', 'x')).toEqual({ identityToken: 's' })
  })

  test('that fails, is missing or talks nonsense is named, and its answer not quoted', async () => {
    helper('bad', 'echo secret; exit 3')
    helper('odd', 'echo secret')
    await expect(askHelper('bad', 'x')).rejects.toThrow(/^docker-credential-bad failed for x$/)
    await expect(askHelper('odd', 'x')).rejects.toThrow(
      /^docker-credential-odd answered something that is not JSON$/,
    )
    await expect(askHelper('missing', 'x')).rejects.toThrow('cannot run docker-credential-missing')
    await expect(askHelper('../x', 'x')).rejects.toThrow('not the name of a credential helper')
  })

  test('is given secrets by stdin, to keep and to forget', async () => {
    helper('keep', `echo "$@" > ${home}/argv; cat > ${home}/stdin-$1`)
    await storeWithHelper('keep', 'a.example', { username: 'u', password: 'p' })
    expect(JSON.parse(readFileSync(join(home, 'stdin-store'), 'utf8'))).toEqual({
      ServerURL: 'a.example',
      Username: 'u',
      Secret: 'p',
    })
    expect(readFileSync(join(home, 'argv'), 'utf8')).toBe('store\n')
    await eraseWithHelper('keep', 'a.example')
    expect(readFileSync(join(home, 'stdin-erase'), 'utf8')).toBe('a.example')
  })
})

test('a registry has one name, however it is typed', () => {
  for (const text of ['', 'docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io', 'DOCKER.IO']) {
    expect(canonicalRegistry(text)).toBe('docker.io')
  }
  expect(canonicalRegistry('https://A.example:5000/v2/')).toBe('a.example:5000')
  expect(canonicalRegistry('localhost:5000')).toBe('localhost:5000')
  expect(() => canonicalRegistry('a b')).toThrow('not a registry')
})
