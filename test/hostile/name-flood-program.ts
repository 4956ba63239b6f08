/**
 * What a container may do to its name server, from within its network namespace: garbage, half messages, names that
 * nobody knows, connections that say nothing. `node name-flood-program.ts SERVER PACKETS`.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { encode } from 'dns-packet'

const [server = '', packets = '0'] = process.argv.slice(2)

function query(name: string): Buffer {
  return encode({ type: 'query', id: randomInt(65536), flags: 256, questions: [{ type: 'A', name }] })
}

function mutated(bytes: Buffer): Buffer {
  for (let changes = randomInt(1, 6); changes > 0; changes--) bytes[randomInt(bytes.length)] = randomInt(256)
  return bytes.subarray(0, randomInt(1, bytes.length + 1))
}

const makers = [
  () => randomBytes(randomInt(1, 600)),
  () => mutated(query('web.example.com')),
  () => query(`${randomBytes(8).toString('hex')}.example`),
  () => query('victim'),
  // A name that points at itself, and a promise of 65535 records.
  () => Buffer.from('000701000001000000000000c00c00010001', 'hex'),
  () => Buffer.from('00070100000100000000ffff0377656200000100010000', 'hex'),
]

const sockets = await Promise.all(
  Array.from({ length: 100 }, async (_, index) => {
    const socket = connect(53, server)
    socket.on('error', () => undefined)
    await Promise.race([once(socket, 'connect'), once(socket, 'close')])
    if (index % 3 === 1) socket.write(Buffer.from([0xff, 0xff, 0]))
    if (index % 3 === 2) socket.write(randomBytes(100))
    return socket
  }),
)
const udp = createSocket('udp4')
udp.connect(53, server)
await once(udp, 'connect')
// What comes back, and that nobody listens any more, is of no interest here.
udp.on('error', () => undefined)
for (let sent = 0; sent < Number(packets); sent += 100) {
  for (let one = 0; one < 100; one++) udp.send(makers[randomInt(makers.length)]?.() ?? '')
  await new Promise(setImmediate)
}
udp.close()
for (const socket of sockets) socket.destroy()
