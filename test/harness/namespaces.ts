/** Hosts of a network test: network namespaces with an agent in each, joined by links. Nothing outside is touched. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const agentProgram = join(import.meta.dirname, 'network-agent-program.ts')

/** `again`: by one TCP connection, which stays open; the second question is `again`. */
export type AskedProtocol = 'tcp' | 'udp' | 'again'

export interface Host {
  readonly name: string
  readonly pid: number
  /** Runs a program in the namespace; what it printed. */
  run(file: string, args: readonly string[], input?: string): string
  /** Lines for `ip -batch`. */
  ip(lines: readonly string[]): void
  /** What answers there: `NAME ADDRESS` of the host that did and of the asker as it was seen, or how it failed. */
  ask(protocol: AskedProtocol, address: string, port: number): Promise<string>
  end(): Promise<void>
}

/** A new host, its loopback up, listening on `ports` of all addresses. */
export async function makeHost(name: string, ports: readonly number[]): Promise<Host> {
  const script = 'ip link set lo up && exec "$@"'
  const words = ['sh', '-c', script, 'sh', process.execPath, agentProgram, name, ...ports.map(String)]
  const child: ChildProcess = spawn('unshare', ['--net', '--', ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null || child.pid === undefined) throw new Error(`${name} did not start`)
  const { pid } = child
  const waiting = new Map<string, (answer: string) => void>()
  const ready = Promise.withResolvers<void>()
  const reading = createInterface(stdout).on('line', (line) => {
    if (line === 'ready') return ready.resolve()
    const { id, answer } = JSON.parse(line) as { id: string; answer: string }
    waiting.get(id)?.(answer)
    waiting.delete(id)
  })
  child.once('exit', (status) => {
    ready.reject(new Error(`${name} ended with ${status}`))
    for (const answer of waiting.values()) answer('the agent is gone')
  })
  await ready.promise
  let count = 0
  const run = (file: string, args: readonly string[], input = '') =>
    execFileSync('nsenter', [`--net=/proc/${pid}/ns/net`, '--', file, ...args], { input, encoding: 'utf8' })
  return {
    name,
    pid,
    run,
    ip: (lines) => void run('ip', ['-batch', '-'], `${lines.join('\n')}\n`),
    ask(protocol, address, port) {
      const id = String(++count)
      const { promise, resolve } = Promise.withResolvers<string>()
      waiting.set(id, resolve)
      stdin.write(`${JSON.stringify({ id, protocol, address, port })}\n`)
      return promise
    },
    async end() {
      reading.close()
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

/** A link between a host and another, each end with its name and addresses; the end of the first may go to a bridge. */
export function link(
  first: Host,
  firstEnd: { name: string; bridge?: string; addresses?: readonly string[] },
  second: Host,
  secondEnd: { name: string; addresses: readonly string[]; gateways?: readonly string[] },
): void {
  first.ip([
    `link add ${firstEnd.name} type veth peer name ${secondEnd.name} netns ${second.pid}`,
    ...(firstEnd.bridge === undefined
      ? []
      : [
          `link set ${firstEnd.name} master ${firstEnd.bridge}`,
          `link set ${firstEnd.name} type bridge_slave hairpin on`,
        ]),
    ...(firstEnd.addresses ?? []).map((address) => addressLine(firstEnd.name, address)),
    `link set ${firstEnd.name} up`,
  ])
  second.ip([
    ...secondEnd.addresses.map((address) => addressLine(secondEnd.name, address)),
    `link set ${secondEnd.name} up`,
    ...(secondEnd.gateways ?? []).map((gateway) => `route add default via ${gateway}`),
  ])
}

export function makeBridge(host: Host, name: string, addresses: readonly string[]): void {
  host.ip([
    `link add ${name} type bridge`,
    ...addresses.map((address) => addressLine(name, address)),
    `link set ${name} up`,
  ])
}

function addressLine(link: string, address: string): string {
  return `address add ${address} dev ${link}${address.includes(':') ? ' nodad' : ''}`
}
