/** A container's life through the protocol: states, streams, signals, several at once. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { OperationDetails } from '../../../shared/protocol/operations.ts'
import { encodeFrame, encodeSignal, frameTypes } from '../../../shared/protocol/frames.ts'
import { eventually, type Kagod, leftovers, readRun, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterEach(async () => {
  for (const { id } of await kagod.list()) await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
  await eventually(
    () => Object.values(leftovers(kagod)).every((list) => list.length === 0),
    `nothing is left: ${JSON.stringify(leftovers(kagod))}`,
  )
})
afterAll(async () => {
  await kagod.dispose()
})

const image = 'localhost/busybox'
const state = async (id: string) => (await kagod.inspect(id)).task.state

test('stdout and stderr come apart, whole, and the exit status is the process’s', async () => {
  const result = await kagod.run({ image, command: ['sh', '-c', 'echo out; echo err >&2; exit 7'] })
  expect(result).toMatchObject({ stdout: 'out\n', stderr: 'err\n', exit: 7 })
  expect((await kagod.inspect(result.id)).task).toMatchObject({ state: 'exited', exitStatus: 7, pid: null })
})

test('stdin reaches the process and its end does too', async () => {
  expect(await kagod.run({ image, command: ['cat'], autoRemove: true }, 'hi\n')).toMatchObject({
    stdout: 'hi\n',
    exit: 0,
  })
  const large = 'x'.repeat(3_000_000)
  expect((await kagod.run({ image, command: ['wc', '-c'], autoRemove: true }, large)).stdout).toBe(
    '3000000\n',
  )
})

test('whoever has read the exit finds the name free', async () => {
  for (let round = 0; round < 5; round++) {
    expect((await kagod.run({ image, name: 'same', command: ['true'], autoRemove: true })).exit).toBe(0)
  }
})

test('signals through the stream end the process with 128 + signal', async () => {
  const stream = await kagod.upgrade('/v1/containers/run', {
    create: { image, command: ['sh', '-c', 'echo up; exec sleep 1000'], init: true },
    attach: { stdin: false, output: true },
  })
  // Its output says that the first process is there and listens: before, the kernel throws a signal to it away.
  stream.on('data', (bytes: Buffer) => {
    if (bytes.includes('up\n')) stream.write(encodeSignal('TERM'))
  })
  expect((await readRun(stream)).exit).toBe(143)
})

test('pause freezes, kill works on the frozen, unpause thaws', async () => {
  const id = await kagod.runDetached({
    image,
    command: ['sh', '-c', 'while :; do echo tick; sleep 0.02; done'],
  })
  await kagod.ok('POST', `/v1/containers/${id}/pause`)
  expect(await state(id)).toBe('paused')
  const before = (await kagod.logs(id)).stdout.length
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect((await kagod.logs(id)).stdout.length).toBe(before)
  await kagod.ok('POST', `/v1/containers/${id}/unpause`)
  await eventually(async () => (await kagod.logs(id)).stdout.length > before, 'it ticks again')
  await kagod.ok('POST', `/v1/containers/${id}/pause`)
  await kagod.ok('POST', `/v1/containers/${id}/kill`)
  expect((await kagod.inspect(id)).task).toMatchObject({ state: 'exited', exitStatus: 137 })
})

test('stop sends the stop signal, then kills; a stopped container is stopped already', async () => {
  const polite = await kagod.runDetached({
    image,
    stopSignal: 'USR1',
    command: ['sh', '-c', 'trap "echo bye; exit 3" USR1; echo ready; while :; do sleep 0.05; done'],
  })
  await eventually(async () => (await kagod.logs(polite)).stdout === 'ready\n', 'its trap is set')
  await kagod.ok('POST', `/v1/containers/${polite}/stop`, {})
  expect((await kagod.inspect(polite)).task).toMatchObject({ state: 'exited', exitStatus: 3 })
  expect((await kagod.logs(polite)).stdout).toBe('ready\nbye\n')
  await kagod.ok('POST', `/v1/containers/${polite}/stop`, {})

  const deaf = await kagod.runDetached({
    image,
    command: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.05; done'],
  })
  await kagod.ok('POST', `/v1/containers/${deaf}/stop`, { timeoutSeconds: 1 })
  expect((await kagod.inspect(deaf)).task).toMatchObject({ state: 'exited', exitStatus: 137 })
  const { steps } = await kagod.ok<OperationDetails>('GET', `/v1/operations/${deaf}`)
  expect(steps.map((step) => step.name)).toEqual([
    'record that it is to stop',
    'send SIGTERM',
    'wait for its end',
    'send SIGKILL',
  ])
})

test('a container keeps its files and its log over a restart', async () => {
  const id = await kagod.runDetached({
    image,
    command: ['sh', '-c', 'cat /seen; date >>/seen; echo run; sleep 1000'],
  })
  await eventually(async () => (await kagod.logs(id)).stdout.includes('run\n'), 'it runs')
  await kagod.ok('POST', `/v1/containers/${id}/restart`, { timeoutSeconds: 0 })
  await eventually(async () => (await kagod.logs(id)).stdout.match(/run\n/g)?.length === 2, 'it runs again')
  expect((await kagod.logs(id)).stdout.length).toBeGreaterThan('run\nrun\n'.length)
})

test('exec runs beside it: its streams, its environment, its user, its exit status', async () => {
  const id = await kagod.runDetached({ image, env: ['A=1'], command: ['sleep', '1000'] })
  const exec = async (body: object) => await readRun(await kagod.upgrade(`/v1/containers/${id}/exec`, body))
  expect(
    await exec({
      command: ['sh', '-c', 'echo $A $B; pwd; id -u; echo e >&2; exit 5'],
      env: ['B=2'],
      user: '33',
      workingDir: '/tmp',
    }),
  ).toMatchObject({
    stdout: '1 2\n/tmp\n33\n',
    stderr: 'e\n',
    exit: 5,
  })
  expect((await exec({ command: ['cat', '/proc/1/cmdline'] })).stdout).toContain('sleep')
  await expect(exec({ command: ['no-such-program'] })).rejects.toThrow(/"exitCode":127/)
  await expect(exec({ command: ['/etc/passwd'] })).rejects.toThrow(/"exitCode":126/)

  const stream = await kagod.upgrade(`/v1/containers/${id}/exec`, { command: ['cat'], stdin: true })
  stream.write(encodeFrame(frameTypes.stdin, Buffer.from('through')))
  stream.write(encodeFrame(frameTypes.close))
  expect(await readRun(stream)).toMatchObject({ stdout: 'through', exit: 0 })
})

test('an exec that is still there when the container ends ends with it', async () => {
  const id = await kagod.runDetached({ image, command: ['sleep', '1000'] })
  const stream = await kagod.upgrade(`/v1/containers/${id}/exec`, { command: ['sleep', '1000'] })
  const ended = readRun(stream)
  await kagod.ok('POST', `/v1/containers/${id}/kill`)
  expect((await ended).exit).toBe(137)
})

test('several clients attached at once see the same, and one that leaves disturbs nobody', async () => {
  const id = await kagod.runDetached({ image, stdin: true, command: ['cat'] })
  const streams = await Promise.all(
    Array.from({ length: 4 }, () => kagod.upgrade(`/v1/containers/${id}/attach`, { stdin: true })),
  )
  const [gone, ...others] = streams
  const [first] = others
  gone?.destroy()
  const results = others.map((stream) => readRun(stream))
  await new Promise((resolve) => setTimeout(resolve, 100))
  first?.write(encodeFrame(frameTypes.stdin, Buffer.from('for all\n')))
  await eventually(async () => (await kagod.logs(id)).stdout === 'for all\n', 'it was echoed')
  first?.write(encodeFrame(frameTypes.close))
  for (const result of await Promise.all(results))
    expect(result).toMatchObject({ stdout: 'for all\n', exit: 0 })
})

test('top shows its processes', async () => {
  const id = await kagod.runDetached({
    image,
    user: '7',
    command: ['sh', '-c', 'sleep 1000 & sleep 2000; true'],
  })
  await eventually(async () => {
    const { processes } = await kagod.ok<{ processes: { command: string; uid: number }[] }>(
      'GET',
      `/v1/containers/${id}/top`,
    )
    return (
      processes.length === 3 &&
      processes.every(({ uid }) => uid === 7) &&
      processes.some(({ command }) => command === 'sleep 2000')
    )
  }, 'three processes of uid 7')
})

test('fifty containers made at once all run; one of a hundred with the same name does', async () => {
  const ids = await Promise.all(
    Array.from({ length: 50 }, () => kagod.runDetached({ image, command: ['sleep', '1000'] })),
  )
  expect(new Set(ids).size).toBe(50)
  expect((await kagod.list()).every(({ task }) => task.state === 'running')).toBe(true)
  const attempts = await Promise.allSettled(
    Array.from({ length: 100 }, () =>
      kagod.ok('POST', '/v1/containers', { image, name: 'one', command: ['true'] }),
    ),
  )
  const winners = (await kagod.list()).filter(({ name }) => name === 'one')
  expect(winners.length).toBe(1)
  expect(attempts.length).toBe(100)
})

test('names, ids and beginnings of ids find it; a taken name names its holder', async () => {
  const id = await kagod.runDetached({ image, name: 'web', command: ['sleep', '1000'] })
  for (const text of ['web', id, id.slice(0, 12)]) expect((await kagod.inspect(text)).id).toBe(id)
  const lines = await kagod.request('POST', '/v1/containers', { image, name: 'web', command: ['true'] })
  expect(lines).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringContaining(id.slice(0, 12)) as string } },
  })
  await kagod.ok('POST', '/v1/containers/web/rename', { name: 'www' })
  expect((await kagod.inspect('www')).id).toBe(id)
  expect((await kagod.request('DELETE', '/v1/containers/www')).status).toBe(409)
})

test('a terminal has its size, and what is typed is echoed', async () => {
  const stream = await kagod.upgrade('/v1/containers/run', {
    create: {
      image,
      terminal: true,
      stdin: true,
      autoRemove: true,
      command: ['sh', '-c', 'stty size; read x; echo got $x; tty'],
    },
    size: { columns: 91, rows: 33 },
  })
  stream.write(encodeFrame(frameTypes.stdin, Buffer.from('word\n')))
  const { stdout, exit } = await readRun(stream)
  expect(exit).toBe(0)
  expect(stdout).toContain('33 91')
  expect(stdout).toContain('got word')
  expect(stdout).toContain('/dev/pts/0')
})

test('fifty megabytes of output arrive whole, by the stream and by the log', async () => {
  const command = [
    'sh',
    '-c',
    'yes 0123456789012345678901234567890 | head -c 9000000; yes abcdefghi | head -c 41000000',
  ]
  const stream = await kagod.upgrade('/v1/containers/run', { create: { image, command } })
  const result = await readRun(stream)
  expect(result.stdout.length).toBe(50_000_000)
  const kept = (await kagod.logs(result.id)).stdout
  expect(result.stdout.endsWith(kept.slice(-1_000_000))).toBe(true)
  expect(kept.length).toBeGreaterThan(19_000_000)
})
