/** Readiness, as a service manager hears it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { notifyReady } from '../../../../daemon/host/notify.ts'

/** Prints the first datagram that holds READY; answers the barrier by closing its descriptor, as systemd does. */
const manager = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    data, files, _, _ = socket.recv_fds(s, 4096, 4)
    for file in files: os.close(file)
    print(data.decode().strip(), flush=True)
    if b'BARRIER' in data: break
`
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kago-test-notify-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('a service manager is told once that the daemon is ready', async () => {
  const socket = join(directory, 'notify')
  const child = spawn('python3', ['-c', manager, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    await once(child.stdout, 'data')
    const closed = once(child, 'close')
    await notifyReady({ NOTIFY_SOCKET: socket })
    await closed
    expect(said.split('\n').filter((line) => line === 'READY=1')).toEqual(['READY=1'])
  } finally {
    child.kill()
  }
})

test('nothing is said where no service manager asks for it', async () => {
  await notifyReady({})
  await notifyReady({ NOTIFY_SOCKET: '' })
})

test('a socket behind which nobody listens is an error that names the tool', async () => {
  await expect(notifyReady({ NOTIFY_SOCKET: join(directory, 'nobody') })).rejects.toThrow(/systemd-notify/)
})
