import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { buildCli, cliEnvironment, runCli } from '../harness/cli.ts'
import { type Kagod, startKagod } from '../harness/kagod.ts'
import { openTerminal, type Terminal } from '../harness/terminal.ts'

let kagod: Kagod
let bundle: string
beforeAll(async () => {
  kagod = await startKagod()
  bundle = await buildCli()
})
afterAll(() => kagod.dispose())
afterEach(async () => {
  for (const { id } of await kagod.list()) await kagod.request('DELETE', `/v1/containers/${id}?force=true`)
})

// busybox asks the terminal where its cursor is.
const prompt = /# (?:\u001b\[6n)?$/
const image = 'localhost/busybox'

function kago(args: readonly string[], size: { columns?: number; rows?: number } = {}): Terminal {
  const env = cliEnvironment({ host: kagod.socket })
  return openTerminal(process.execPath, [bundle, ...args], { env, ...size })
}

/** A shell of the host in a terminal, in which kago is typed: it shows whether the terminal is as it was. */
function shell(): Terminal {
  const env = {
    ...cliEnvironment({ host: kagod.socket }),
    PS1: 'host> ',
    KAGO: `${process.execPath} ${bundle}`,
  }
  return openTerminal('/bin/sh', ['-i'], { env })
}

const quietly = async (...args: string[]) => await runCli(args, { host: kagod.socket })

test('-it is a shell with a terminal of its own, and exits with its code', async () => {
  const terminal = kago(['run', '-it', '--rm', image, 'sh'], { columns: 101, rows: 33 })
  await terminal.until(prompt)
  terminal.type('test -t 0 && test -t 1 && stty size\r')
  await terminal.until(/33 101\r\n/)
  terminal.type('exit 42\r')
  expect(await terminal.exited).toMatchObject({ exitCode: 42 })
  expect(await kagod.list()).toEqual([])
})

test('a change of size reaches the container', async () => {
  const terminal = kago(['run', '-it', '--rm', image, 'sh'])
  await terminal.until(prompt)
  terminal.resize(133, 44)
  terminal.type('sleep 0.3; stty size\r')
  expect(await terminal.until(/\d+ \d+\r\n/)).toContain('44 133\r\n')
  terminal.type('exit\r')
  await terminal.exited
})

test('ctrl-c goes to the container’s foreground process and nowhere else', async () => {
  const terminal = kago(['run', '-it', '--rm', image, 'sh'])
  await terminal.until(prompt)
  // Its own words are told apart from the echo of what was typed.
  terminal.type('sh -c "echo sleep\'ing\'; exec sleep 1000"\r')
  await terminal.until(/sleeping\r\n/)
  terminal.type('\x03')
  await terminal.until(prompt)
  terminal.type('echo code $?\r')
  await terminal.until(/code 130[^]*# (?:\u001b\[6n)?$/)
  terminal.type('exit 3\r')
  expect(await terminal.exited).toMatchObject({ exitCode: 3 })
})

test('the detach keys leave it running, and attach comes back to it', async () => {
  const terminal = kago(['run', '-it', '--name', 'kept', image, 'sh'])
  await terminal.until(prompt)
  terminal.type('marker=still-here\r')
  await terminal.until(prompt)
  terminal.type('\x10\x11')
  expect(await terminal.exited).toMatchObject({ exitCode: 0 })
  expect((await kagod.list())[0]).toMatchObject({ name: 'kept', task: { state: 'running' } })

  const again = kago(['attach', 'kept'])
  again.type('echo $marker\r')
  await again.until(/still-here\r\n/)
  again.type('exit 5\r')
  expect(await again.exited).toMatchObject({ exitCode: 5 })
})

test('other detach keys may be chosen, and what only began like them is typed', async () => {
  const script = 'stty raw -echo; echo ready; dd bs=1 count=5 2>/dev/null | od -An -tx1; exec sleep 1000'
  const terminal = kago([
    'run',
    '-it',
    '--detach-keys',
    'ctrl-a,x',
    '--name',
    'keys',
    image,
    'sh',
    '-c',
    script,
  ])
  await terminal.until(/ready/)
  terminal.type('a\x10\x11\x01b')
  await terminal.until(/61 10 11 01 62/)
  terminal.type('\x01x')
  expect(await terminal.exited).toMatchObject({ exitCode: 0 })
  expect((await kagod.list())[0]?.task.state).toBe('running')
})

test('several may be attached at once and see the same', async () => {
  const first = kago(['run', '-it', '--name', 'shared', image, 'sh'])
  await first.until(prompt)
  const second = kago(['attach', 'shared'])
  second.type('echo to-both-$((1+1))\r')
  await Promise.all([first.until(/to-both-2\r\n/), second.until(/to-both-2\r\n/)])
  second.type('\x10\x11')
  await second.exited
  first.type('exit 3\r')
  expect(await first.exited).toMatchObject({ exitCode: 3 })
})

test('exec -it is another terminal in the same container', async () => {
  await quietly('run', '-d', '--name', 'host', image, 'sleep', '1000')
  const terminal = kago(['exec', '-it', '-e', 'X=y', '-w', '/tmp', 'host', 'sh'], { columns: 90, rows: 20 })
  await terminal.until(prompt)
  terminal.type('echo $X $PWD; stty size\r')
  await terminal.until(/y \/tmp\r\n20 90\r\n/)
  terminal.resize(91, 21)
  terminal.type('sleep 0.3; stty size\r')
  await terminal.until(/21 91\r\n/)
  terminal.type('exit 9\r')
  expect(await terminal.exited).toMatchObject({ exitCode: 9 })
})

test.each([
  ['the exit', 'exit 0\r'],
  ['detaching', '\x10\x11'],
])('the host’s terminal is as it was after %s', async (_how, keys) => {
  const host = shell()
  await host.until(/host> $/)
  host.type('stty -g >/tmp/kago-e2e-before-$$; $KAGO run -it localhost/busybox sh\r')
  await host.until(prompt)
  host.type(keys)
  await host.until(/host> $/)
  host.type(
    'stty -g | cmp - /tmp/kago-e2e-before-$$ && echo sa""me || echo oth""er; rm /tmp/kago-e2e-before-$$\r',
  )
  expect(await host.until(/(same|other)\r\n/)).toContain('same')
  host.type('exit\r')
  await host.exited
})

test('the host’s terminal is as it was after a signal to kago and after the daemon’s death', async () => {
  const host = shell()
  await host.until(/host> $/)
  host.type('before=$(stty -g); $KAGO run -it --name killed localhost/busybox sh\r')
  await host.until(prompt)
  const own = await quietly('ps', '-q')
  expect(own.stdout).not.toBe('')
  host.clear()
  await kagod.crash()
  await host.until(/connection[^]*host> $/)
  host.type('test "$before" = "$(stty -g)" && echo sa""me\r')
  await host.until(/same\r\n/)
  host.type('exit\r')
  await host.exited
  await kagod.start()
  expect((await kagod.list())[0]).toMatchObject({ name: 'killed', task: { state: 'running' } })
})

test('what the container draws arrives as it was drawn', async () => {
  const terminal = kago(['run', '-it', '--rm', image, 'sh', '-c', "stty -opost; printf 'a\\nb\\r\\nc'"])
  await terminal.exited
  expect(terminal.shown).toBe('a\nb\r\nc')
})

test('a password is asked for without being shown', async () => {
  const terminal = kago(['login', '-u', 'me', 'localhost:1'])
  await terminal.until(/Password: $/)
  terminal.type('sec\x7fcret\r')
  const { exitCode } = await terminal.exited
  expect(exitCode).not.toBe(0)
  expect(terminal.shown).not.toContain('cret')
})

test('the logs of several containers have names in colour, unless NO_COLOR asks for none', async () => {
  for (const name of ['web', 'db']) await quietly('run', '--name', name, image, 'echo', `from ${name}`)
  const coloured = kago(['logs', 'web', 'db'])
  await coloured.exited
  expect(coloured.shown).toBe('\u001b[36mweb | \u001b[0mfrom web\r\n\u001b[33mdb  | \u001b[0mfrom db\r\n')
  const env = { ...cliEnvironment({ host: kagod.socket }), NO_COLOR: '1' }
  const plain = openTerminal(process.execPath, [bundle, 'logs', 'web', 'db'], { env })
  await plain.exited
  expect(plain.shown).toBe('web | from web\r\ndb  | from db\r\n')
})
