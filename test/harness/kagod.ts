/** A real kagod on roots of its own, and a small client of its protocol, for the tests. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConfigFile } from '../../daemon/config.ts'
import type { ContainerDetails, ContainerSummary, CreateBody } from '../../shared/protocol/containers.ts'
import { encodeClose, encodeFrame, FrameParser, frameTypes, parseExit } from '../../shared/protocol/frames.ts'

const program = join(import.meta.dirname, '../../dist/kagod.mjs')

export interface Reply {
  status: number
  body: unknown
}

export interface RunResult {
  id: string
  stdout: string
  stderr: string
  exit: number | undefined
  error: { code: string; message: string } | undefined
}

export interface Kagod {
  readonly dataRoot: string
  readonly runRoot: string
  readonly socket: string
  readonly pid: number
  request(method: string, path: string, body?: unknown): Promise<Reply>
  /** The result of a request that must succeed. */
  ok<T>(method: string, path: string, body?: unknown): Promise<T>
  /** Runs a container attached, with `input` as its whole stdin. */
  run(create: CreateBody, input?: string): Promise<RunResult>
  /** Runs a container in the background; its id. */
  runDetached(create: CreateBody): Promise<string>
  list(): Promise<ContainerSummary[]>
  inspect(id: string): Promise<ContainerDetails>
  logs(id: string): Promise<{ stdout: string; stderr: string }>
  upgrade(path: string, body: unknown): Promise<Duplex>
  /** SIGKILL, as a crash. */
  crash(): Promise<void>
  /** SIGTERM; the exit status. */
  stop(): Promise<number | null>
  /** Starts it again on the same roots. */
  start(environment?: Record<string, string>): Promise<void>
  /** Resolves when the process has ended by itself. */
  ended(): Promise<void>
  /** What it wrote to its log so far. */
  log(): string
  /** Ends it and every container of it, and removes the roots. */
  dispose(): Promise<void>
}

/** Starts a daemon; `config` goes into its configuration file. */
export async function startKagod(
  config: ConfigFile = {},
  {
    environment = {},
    root = mkdtempSync(join(tmpdir(), 'kagod-')),
    launcher = [],
  }: {
    environment?: Record<string, string>
    root?: string
    /** Words before the daemon's, of a program that becomes it: `nsenter --net=… --`. */
    launcher?: readonly string[]
  } = {},
): Promise<Kagod> {
  const dataRoot = config.dataRoot ?? join(root, 'data')
  const runRoot = join(root, 'run')
  const socket = join(runRoot, 'kagod.sock')
  const configFile = join(root, 'kagod.json')
  const logFile = join(root, 'kagod.log')
  writeFileSync(configFile, JSON.stringify({ dataRoot, runRoot, ...ownNetwork(root), ...config }))
  let child: ChildProcess

  const kagod: Kagod = {
    dataRoot,
    runRoot,
    socket,
    get pid() {
      return child.pid ?? 0
    },
    request: (method, path, body) => send(socket, method, path, body),
    async ok<T>(method: string, path: string, body?: unknown) {
      const reply = await send(socket, method, path, body)
      if (reply.status >= 300)
        throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
      // The contract says what a route answers; a test that asks for it knows which.
      return reply.body as T
    },
    async run(create, input) {
      const stdin = input !== undefined
      const stream = await openFrames(socket, '/v1/containers/run', {
        create: { ...create, stdin: create.stdin ?? stdin },
        attach: { stdin, output: true },
      })
      if (stdin) sendInput(stream, Buffer.from(input))
      return await readRun(stream)
    },
    async runDetached(create) {
      const lines = await kagod.ok<{ type: string; result?: { id: string }; error?: unknown }[]>(
        'POST',
        '/v1/containers?start=true',
        create,
      )
      const result = lines.at(-1)?.result
      if (result === undefined) throw new Error(JSON.stringify(lines.at(-1)))
      return result.id
    },
    list: () => kagod.ok('GET', '/v1/containers?all=true'),
    inspect: (id) => kagod.ok('GET', `/v1/containers/${id}`),
    async logs(id) {
      const bytes = await kagod.ok<Buffer>('GET', `/v1/containers/${id}/logs`)
      const out = { stdout: '', stderr: '' }
      for (const { type, payload } of new FrameParser().push(bytes)) {
        if (type === frameTypes.stdout) out.stdout += Buffer.from(payload).toString()
        if (type === frameTypes.stderr) out.stderr += Buffer.from(payload).toString()
      }
      return out
    },
    upgrade: (path, body) => openFrames(socket, path, body),
    async crash() {
      await end('SIGKILL')
    },
    async stop() {
      await end('SIGTERM')
      return child.exitCode
    },
    async start(more = {}) {
      const log = openSync(logFile, 'a')
      const [file, ...words] = [...launcher, process.execPath, program, '--config', configFile]
      child = spawn(file, words, {
        stdio: ['ignore', log, log],
        env: { ...process.env, ...environment, ...more },
      })
      closeSync(log)
      await untilReady()
    },
    async ended() {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
    log: () => readFileSync(logFile, 'utf8'),
    async dispose() {
      if (child.exitCode !== null || child.signalCode !== null) await kagod.start()
      for (const { id } of await kagod.list())
        await kagod.request('DELETE', `/v1/containers/${id}?force=true`)
      await kagod.stop()
      for (const name of ownLinks(dataRoot)) spawnSync('ip', ['link', 'delete', name])
      spawnSync('nft', ['delete', 'table', 'inet', config.firewallTable ?? ownNetwork(root).firewallTable])
      rmSync(root, { recursive: true, force: true })
    },
  }
  await kagod.start()
  return kagod

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  async function untilReady(): Promise<void> {
    for (let attempt = 0; attempt < 1000; attempt++) {
      if (child.exitCode !== null || child.signalCode !== null) break
      try {
        if ((await send(socket, 'GET', '/v1/ping')).status === 200) return
      } catch {
        // Not listening yet.
      }
      await sleep(10)
    }
    throw new Error(`kagod did not come up:\n${readFileSync(logFile, 'utf8')}`)
  }
}

/**
 * Bridge, table and addresses of one daemon, so that several can run at once: a /20 of 10.64.0.0/12 by its root's name
 * (two of 256 may meet: then a subnet that is taken is passed over, and the second base serves).
 */
function ownNetwork(root: string): Required<Pick<ConfigFile, 'bridge' | 'firewallTable' | 'addressPools'>> {
  const hash = createHash('sha256').update(root).digest()
  const name = hash.toString('hex').slice(0, 10)
  const block = hash.readUInt8(0)
  return {
    bridge: `kt${name}`,
    firewallTable: `kago-${name}`,
    addressPools: [
      { base: `10.${64 + (block >> 4)}.${(block & 15) << 4}.0/20`, size: 24 },
      { base: '10.80.0.0/13', size: 24 },
    ],
  }
}

/** NDJSON comes as a list, frames as bytes. */
async function send(socketPath: string, method: string, path: string, body?: unknown): Promise<Reply> {
  const text = body === undefined ? (method === 'POST' ? '{}' : undefined) : JSON.stringify(body)
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const call = request(
    {
      socketPath,
      method,
      path,
      headers: { host: 'kago', ...(text !== undefined && { 'content-type': 'application/json' }) },
    },
    (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        resolve({
          status: response.statusCode ?? 0,
          body: decode(response.headers['content-type'] ?? '', bytes),
        })
      })
    },
  )
  call.on('error', reject)
  call.end(text)
  return await promise
}

function decode(type: string, bytes: Buffer): unknown {
  if (type.startsWith('application/json')) return JSON.parse(bytes.toString())
  if (!type.startsWith('application/x-ndjson')) return bytes
  return bytes
    .toString()
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
}

async function openFrames(socketPath: string, path: string, body: unknown): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const call = request({
    socketPath,
    method: 'POST',
    path,
    headers: {
      host: 'kago',
      connection: 'Upgrade',
      upgrade: 'kago-frames',
      'content-type': 'application/json',
    },
  })
  call.on('upgrade', (_response, socket, head) => {
    if (head.length > 0) socket.unshift(head)
    resolve(socket)
  })
  call.on('response', (response) => {
    response.setEncoding('utf8').on('data', (text: string) => {
      reject(new Error(`${response.statusCode}: ${text}`))
    })
  })
  call.on('error', reject)
  const text = JSON.stringify(body)
  call.setHeader('content-length', Buffer.byteLength(text))
  call.end(text)
  return await promise
}

/** All of a process's stdin, and its end. */
function sendInput(stream: Duplex, bytes: Buffer): void {
  const pieceBytes = 256 * 1024
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    stream.write(encodeFrame(frameTypes.stdin, bytes.subarray(at, at + pieceBytes)))
  }
  stream.write(encodeClose())
}

/** Reads an attached run to its end. */
export async function readRun(stream: Duplex): Promise<RunResult> {
  const result: RunResult = { id: '', stdout: '', stderr: '', exit: undefined, error: undefined }
  const parser = new FrameParser()
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (const { type, payload } of parser.push(chunk)) {
      const text = Buffer.from(payload).toString()
      if (type === frameTypes.stdout) result.stdout += text
      if (type === frameTypes.stderr) result.stderr += text
      if (type === frameTypes.exit) result.exit = parseExit(payload).status
      if (type === frameTypes.error) result.error = JSON.parse(text) as RunResult['error']
      if (type === frameTypes.event) {
        const event = JSON.parse(text) as { type: string; id?: string }
        if (event.type === 'created') result.id = event.id ?? ''
      }
    }
  }
  return result
}

/** The interfaces that bear the mark of the daemon with this data root. */
export function ownLinks(dataRoot: string): string[] {
  const mark = `kago ${createHash('sha256').update(dataRoot).digest('hex').slice(0, 12)} `
  const { stdout } = spawnSync('ip', ['-j', 'link'], { encoding: 'utf8' })
  const links = JSON.parse(stdout) as { ifname: string; ifalias?: string }[]
  return links.filter(({ ifalias }) => ifalias?.startsWith(mark)).map(({ ifname }) => ifname)
}

/** What a container engine may leave behind, by kind: to be compared before and after. */
export function leftovers(kagod: Kagod): Record<string, string[]> {
  const names = (directory: string) => {
    try {
      return readdirSync(directory).sort()
    } catch {
      return []
    }
  }
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return {
    containers: names(join(kagod.dataRoot, 'containers')),
    bundles: names(join(kagod.runRoot, 'containers')),
    runtime: names(join(kagod.runRoot, 'runtime', 'runc')),
    mounts: mounts.filter((line) => line.includes(kagod.dataRoot) || line.includes(kagod.runRoot)),
    shims: shimsOf(kagod),
    links: ownLinks(kagod.dataRoot).filter((name) => name.startsWith('kv')),
  }
}

/** Pids of the shims whose bundle lies in this daemon's run root. */
export function shimsOf(kagod: Kagod): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return words.includes('kago-shim') && words.includes(kagod.runRoot)
      } catch {
        return false
      }
    })
}

/** Polls until `condition` holds. */
export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (await condition()) return
    await sleep(20)
  }
  throw new Error(`never happened: ${what}`)
}
