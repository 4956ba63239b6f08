/** Debian's docker-registry, run on a directory of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { issuer, service, type Signer } from './token.ts'

export interface Storage {
  /** `http://127.0.0.1:PORT` */
  url: string
  /** Whether anything was ever pushed there. */
  hasRepository(name: string): boolean
  /** The file of a blob, there or not. */
  blobPath(digest: string): string
  close(): Promise<void>
}

/** @param realm with it, every request needs a token that the signer signed. */
export async function startStorage(signer: Signer, realm: string | undefined): Promise<Storage> {
  const directory = await mkdtemp(join(tmpdir(), 'kago-registry-'))
  const root = join(directory, 'data')
  const bundle = join(directory, 'roots.pem')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  await writeFile(bundle, signer.certificatePem)
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: root }, delete: { enabled: true }, redirect: { disable: true } },
    http: { addr: `127.0.0.1:${port}`, relativeurls: true, secret: 'a test is no secret' },
    ...(realm !== undefined && { auth: { token: { realm, service, issuer, rootcertbundle: bundle } } }),
  }
  // JSON is YAML.
  const configPath = join(directory, 'config.yml')
  await writeFile(configPath, JSON.stringify(config))
  const child = spawn('docker-registry', ['serve', configPath], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-4000)
  })
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await untilUp(url, () => child.exitCode)
  } catch (error) {
    await close()
    throw new Error(`docker-registry did not start: ${said}`, { cause: error })
  }
  const below = join(root, 'docker/registry/v2')
  return {
    url,
    hasRepository: (name) => existsSync(join(below, 'repositories', name)),
    blobPath(digest) {
      const hex = digest.slice('sha256:'.length)
      return join(below, 'blobs/sha256', hex.slice(0, 2), hex, 'data')
    },
    close,
  }
}

async function untilUp(url: string, exitCode: () => number | null): Promise<void> {
  for (let tries = 0; tries < 300 && exitCode() === null; tries += 1) {
    try {
      await (await fetch(`${url}/v2/`)).arrayBuffer()
      return
    } catch {
      // Not yet.
      await sleep(20)
    }
  }
  throw new Error(`nothing answers at ${url}`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}
