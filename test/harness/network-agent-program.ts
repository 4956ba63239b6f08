/**
 * A host of a network test, from within its network namespace: listens on every port it is told to, for TCP and UDP,
 * answers with its own name and the asker's address, and asks others when it is told to. Lines of JSON on stdin, and
 * one line of answer to each on stdout.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

const [name = '', ...ports] = process.argv.slice(2)
const patienceMs = 1500
const connections = new Map<string, Socket>()

for (const port of ports.map(Number)) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write(`${name} ${plain(socket.remoteAddress ?? '')}\n`)
    // What is sent afterwards comes back, for connections that are to last.
    socket.pipe(socket)
  }).listen({ port, host: '::' })
  await once(server, 'listening')
  for (const type of ['udp4', 'udp6'] as const) {
    const socket = createSocket({ type, ipv6Only: type === 'udp6' })
    socket.on('message', (_message, from) => {
      socket.send(`${name} ${from.address}\n`, from.port, from.address, () => undefined)
    })
    socket.bind(port)
    await once(socket, 'listening')
  }
}
process.stdout.write('ready\n')

for await (const line of createInterface(process.stdin)) {
  const { id, protocol, address = '', port } = JSON.parse(line) as Record<string, string>
  const asking = ask(protocol, address, Number(port))
  void asking.then((answer) => process.stdout.write(`${JSON.stringify({ id, answer })}\n`))
}

function ask(protocol: string | undefined, address: string, port: number): Promise<string> {
  if (protocol === 'udp') return askUdp(address, port)
  if (protocol === 'again') return askAgain(address, port)
  return askTcp(address, port)
}

/** By one connection, which stays open. */
function askAgain(host: string, port: number): Promise<string> {
  const key = `${host} ${port}`
  const isNew = !connections.has(key)
  const socket = connections.get(key) ?? connect({ host, port })
  connections.set(key, socket)
  return new Promise((resolve) => {
    const timer = setTimeout(() => end('silence'), patienceMs)
    const end = (answer: string) => {
      clearTimeout(timer)
      socket.removeAllListeners()
      socket.on('error', () => undefined)
      if (answer !== 'web' && answer !== 'again') connections.delete(key)
      resolve(answer)
    }
    socket.once('data', (bytes) => end(bytes.toString().trim()))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    socket.once('close', () => end('closed'))
    if (!isNew) socket.write('again\n')
  })
}

function askTcp(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host, port, timeout: patienceMs })
    const end = (answer: string) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('data', (bytes) => end(bytes.toString().trim()))
    socket.once('timeout', () => end('silence'))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    socket.once('end', () => end('closed'))
  })
}

function askUdp(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const end = (answer: string) => {
      clearTimeout(timer)
      socket.close()
      resolve(answer)
    }
    const timer = setTimeout(end, patienceMs, 'silence')
    socket.once('message', (bytes) => end(bytes.toString().trim()))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    socket.connect(port, host, () => socket.send('?'))
  })
}

function plain(address: string): string {
  return address.replace(/^::ffff:/, '')
}
