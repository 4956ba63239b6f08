import { type Duplex, duplexPair } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { spliceFrames } from '../../../../daemon/container/splice.ts'
import { encodeExit, encodeFrame, FrameParser, frameTypes } from '../../../../shared/protocol/frames.ts'

/** Two ends of a connection in memory. */
function pair(): { left: Duplex; right: Duplex } {
  const [left, right] = duplexPair()
  return { left, right }
}

const exit = { status: 3, signal: null, exitedAt: '2026-01-01T00:00:00.000Z' }

test('however the bytes are cut, the client gets them all, and the exit only after the end was recorded', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
      async (payloads, cuts) => {
        const sent = Buffer.concat([
          ...payloads.map((payload) => encodeFrame(frameTypes.stdout, payload)),
          encodeExit(exit),
        ])
        const shim = pair()
        const client = pair()
        const received: Buffer[] = []
        let isRecorded = false
        let sawExitEarly = false
        const parser = new FrameParser()
        client.right.on('data', (chunk: Buffer) => {
          received.push(chunk)
          for (const frame of parser.push(chunk)) {
            if (frame.type === frameTypes.exit && !isRecorded) sawExitEarly = true
          }
        })
        const served = spliceFrames(shim.left, client.left, async () => {
          await new Promise((resolve) => setImmediate(resolve))
          isRecorded = true
        })
        for (let at = 0, turn = 0; at < sent.length; turn++) {
          const length = cuts[turn % cuts.length] ?? 1
          shim.right.write(sent.subarray(at, at + length))
          at += length
          await new Promise((resolve) => setImmediate(resolve))
        }
        shim.right.end()
        await served
        await new Promise((resolve) => setImmediate(resolve))
        expect(Buffer.concat(received).equals(sent)).toBe(true)
        expect(isRecorded).toBe(true)
        expect(sawExitEarly).toBe(false)
      },
    ),
    { numRuns: 40 },
  )
})

test('a client that goes away ends the splice and lets go of the shim', async () => {
  const shim = pair()
  const client = pair()
  const served = spliceFrames(shim.left, client.left, async () => {})
  client.left.destroy()
  await served
  expect(shim.left.destroyed).toBe(true)
})

test.for(['closed its end', 'gone altogether'])(
  'a client that has %s before it could be served is not waited for',
  async (how) => {
    const shim = pair()
    const client = pair()
    client.left.resume()
    if (how === 'closed its end') client.right.end()
    else client.left.destroy()
    await new Promise((resolve) => setImmediate(resolve))
    await spliceFrames(shim.left, client.left, async () => {})
    expect(shim.left.destroyed).toBe(true)
  },
)

test('a client that closes its end has gone, though the task is silent', async () => {
  const shim = pair()
  const client = pair()
  const served = spliceFrames(shim.left, client.left, async () => {})
  client.right.end()
  await served
  expect(shim.left.destroyed).toBe(true)
})
