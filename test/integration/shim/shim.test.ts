import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readLog } from '../../../daemon/logs/read.ts'
import { attachShim, connectShim, readExitFile } from '../../../daemon/shim/client.ts'
import {
  encodeAttach,
  encodeClose,
  encodeFrame,
  encodeResize,
  encodeSignal,
  frameTypes,
} from '../../../shared/protocol/frames.ts'
import {
  type Bundle,
  buildShim,
  builds,
  eventually,
  launchShim,
  makeBundle,
  processEnd,
  receive,
  removeBundle,
  run,
} from './harness.ts'

const sh = (script: string) => ['sh', '-c', script]
const stdin = (text: string | Uint8Array) => encodeFrame(frameTypes.stdin, Buffer.from(text))
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function residentKilobytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1])
}

async function logOf(bundle: Bundle) {
  const parts = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] }
  for await (const { stream, data } of readLog(bundle.file('log'))) parts[stream].push(data)
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr) }
}

describe.each(builds)('the shim %s', (_, program, target) => {
  const isSanitized = target === 'sanitize'
  let path: string
  let bundle: Bundle

  beforeAll(() => {
    path = buildShim(program, target)
  })
  beforeEach(() => {
    bundle = makeBundle(path)
  })
  afterEach(() => removeBundle(bundle))

  describe('output', () => {
    it('comes on its own stream, to the client and to the log', async () => {
      const log = { directory: bundle.file('log') }
      const got = await run(bundle.options(sh('echo out; echo err >&2'), { log }))
      expect([got.stdout.toString(), got.stderr.toString()]).toEqual(['out\n', 'err\n'])
      expect(await logOf(bundle)).toEqual({ stdout: got.stdout, stderr: got.stderr })
    })

    it('is exact to the byte', async () => {
      const bytes = Buffer.from(Array.from({ length: 100_000 }, (__, i) => (i * 7919) % 256))
      writeFileSync(bundle.file('bytes'), bytes)
      const { stdout } = await run(bundle.options(['cat', 'bytes']))
      expect(sha256(stdout)).toBe(sha256(bytes))
    })

    it('can be opened by name, as images do', async () => {
      const { stdout, stderr } = await run(bundle.options(sh('echo a > /dev/stdout; echo b > /dev/stderr')))
      expect([stdout.toString(), stderr.toString()]).toEqual(['a\n', 'b\n'])
    })

    it('of 50 MB is whole at the client and in the log', async () => {
      const log = { directory: bundle.file('log'), maxBytes: 1 << 30 }
      const script = 'head -c 50000000 /dev/urandom | tee copy'
      const { stdout } = await run(bundle.options(sh(script), { log }))
      const sum = sha256(readFileSync(bundle.file('copy')))
      expect(sha256(stdout)).toBe(sum)
      expect(sha256((await logOf(bundle)).stdout)).toBe(sum)
    })

    it('goes to ten clients alike', async () => {
      const shim = await launchShim(
        bundle.options(sh('read go; head -c 3000000 /dev/zero; echo end'), { stdin: true }),
      )
      await shim.events.started
      const clients = await Promise.all(
        Array.from({ length: 10 }, () =>
          attachShim(bundle.file('shim.sock'), { output: true, stdin: false }),
        ),
      )
      const all = clients.map((client) => receive(client))
      const starter = await attachShim(bundle.file('shim.sock'), { output: true, stdin: true })
      // the shim answers in order, so an answer here means that the others are attached
      starter.write(encodeFrame(frameTypes.signal, Buffer.from('NONE')))
      await once(starter, 'readable')
      starter.write(stdin('go\n'))
      starter.resume()
      for (const { stdout, exit } of await Promise.all(all)) {
        expect(stdout.length).toBe(3_000_004)
        expect(exit?.status).toBe(0)
      }
    })

    it('waits for a client that does not read, and the shim stays small', async () => {
      const script = 'read go; head -c 30000000 /dev/zero; echo done >&2'
      const shim = await launchShim(
        bundle.options(sh(script), { stdin: true, attach: { output: true, stdin: true } }),
      )
      const { pid } = await shim.events.started
      shim.attach?.write(stdin('\n'))
      const written = () =>
        Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${shim.shimPid}/io`, 'latin1'))?.[1])
      let before = -1
      await eventually(async () => {
        const same = before === written() && before > 0
        before = written()
        await new Promise((wake) => setTimeout(wake, 100))
        return same
      })
      expect(before).toBeLessThan(3_000_000)
      expect(existsSync(`/proc/${pid}`)).toBe(true)
      expect(residentKilobytes(shim.shimPid)).toBeLessThan(isSanitized ? 200_000 : 3000)
      if (!shim.attach) throw new Error('not attached')
      const got = await receive(shim.attach)
      expect([got.stdout.length, got.stderr.toString(), got.exit?.status]).toEqual([30_000_000, 'done\n', 0])
    })

    it('goes on when a client vanishes in the middle', async () => {
      const log = { directory: bundle.file('log'), maxBytes: 1 << 30 }
      const script = 'head -c 20000000 /dev/zero; echo end'
      const shim = await launchShim(
        bundle.options(sh(script), { log, attach: { output: true, stdin: false } }),
      )
      if (!shim.attach) throw new Error('not attached')
      await once(shim.attach, 'readable')
      shim.attach.destroy()
      expect((await shim.events.exited).status).toBe(0)
      expect((await logOf(bundle)).stdout.length).toBe(20_000_004)
    })

    it('of a process that was left behind holds nobody up', async () => {
      const got = await run(bundle.options(sh('echo first; sleep 300 & echo $! > left; exit 4')))
      process.kill(Number(bundle.read('left')), 'SIGKILL')
      expect([got.stdout.toString(), got.exit?.status]).toEqual(['first\n', 4])
    })
  })

  describe('the exit', () => {
    it.each([
      ['exit 0', 0, null],
      ['exit 3', 3, null],
      ['exit 255', 255, null],
      ['kill -9 $$', 137, 9],
      ['kill -TERM $$', 143, 15],
      ['kill -SEGV $$', 139, 11],
    ])('of `%s` is %i, signal %s, in the frame and in the file', async (script, status, signal) => {
      const { exit, shim } = await run(bundle.options(sh(script)))
      expect(exit).toMatchObject({ status, signal })
      expect(await shim.events.exited).toEqual(exit)
      const { pid } = await shim.events.started
      expect(await readExitFile(bundle.file('exit'))).toEqual({ ...exit, pid })
      expect(Math.abs(Date.parse(exit?.exitedAt ?? '') - Date.now())).toBeLessThan(60_000)
    })

    it('is in the file before anybody is told', async () => {
      const shim = await launchShim(bundle.options(sh('exit 5')))
      await shim.events.exited
      expect((await readExitFile(bundle.file('exit')))?.status).toBe(5)
    })

    it('is not waited for by those who left: the shim ends and takes its socket along', async () => {
      const shim = await launchShim(bundle.options(sh('exit 0')))
      await shim.events.exited
      await processEnd(shim.shimPid)
      expect(existsSync(bundle.file('shim.sock'))).toBe(false)
      expect(readdirSync(bundle.path).sort()).toEqual(['exit', 'log', 'pid', 'runtime.pl'])
    })

    it('is told to a connection that came later, which also hears who is running', async () => {
      const shim = await launchShim(bundle.options(['sleep', '300']))
      const start = await shim.events.started
      const again = await connectShim(bundle.file('shim.sock'))
      expect(await again.started).toEqual(start)
      await again.signal('TERM')
      expect(await again.exited).toMatchObject({ status: 143, signal: 15 })
    })

    it('has an absent file while the container runs', async () => {
      const shim = await launchShim(bundle.options(['sleep', '300']))
      await shim.events.started
      expect(await readExitFile(bundle.file('exit'))).toBeUndefined()
      await shim.events.signal('KILL')
      await shim.events.exited
    })
  })

  describe('stdin', () => {
    it('is nothing unless asked for', async () => {
      const { stdout, exit } = await run(bundle.options(sh('cat; echo eof')))
      expect([stdout.toString(), exit?.status]).toEqual(['eof\n', 0])
    })

    it('ends with the close frame, and output goes on', async () => {
      const got = await run(bundle.options(sh('cat; echo after'), { stdin: true }), (attach) => {
        attach.write(Buffer.concat([stdin('one '), stdin('two\n'), encodeClose()]))
      })
      expect(got.stdout.toString()).toBe('one two\nafter\n')
    })

    it('arrives though each frame is cut at every byte', async () => {
      const bytes = Buffer.concat([
        stdin('abc'),
        encodeResize({ columns: 9, rows: 9 }),
        stdin('def'),
        encodeClose(),
      ])
      const got = await run(bundle.options(['cat'], { stdin: true }), (attach) => {
        for (const byte of bytes) attach.write(Uint8Array.of(byte))
      })
      expect(got.stdout.toString()).toBe('abcdef')
    })

    it('of 20 MB passes in order while the container reads slowly', async () => {
      const bytes = Buffer.alloc(20_000_000, 'kago is read slowly ')
      const got = await run(bundle.options(sh('sleep 0.2; sha256sum'), { stdin: true }), (attach) => {
        for (let at = 0; at < bytes.length; at += 1_000_000)
          attach.write(encodeFrame(frameTypes.stdin, bytes.subarray(at, at + 1_000_000)))
        attach.write(encodeClose())
      })
      expect(got.stdout.toString()).toContain(sha256(bytes))
    })

    it('nobody reads does not grow the shim', async () => {
      const shim = await launchShim(
        bundle.options(['sleep', '300'], { stdin: true, attach: { output: false, stdin: true } }),
      )
      await shim.events.started
      for (let i = 0; i < 30; i++) shim.attach?.write(stdin(Buffer.alloc(1_000_000)))
      await new Promise((wake) => setTimeout(wake, 200))
      expect(residentKilobytes(shim.shimPid)).toBeLessThan(isSanitized ? 200_000 : 2500)
      expect(shim.attach?.writableLength).toBeGreaterThan(0)
      await shim.events.signal('KILL')
      expect((await shim.events.exited).status).toBe(137)
      shim.attach?.destroy()
    })

    it('that the container closed is thrown away', async () => {
      const got = await run(
        bundle.options(sh('exec <&-; sleep 0.1; echo fine'), { stdin: true }),
        (attach) => {
          for (let i = 0; i < 5; i++) attach.write(stdin(Buffer.alloc(500_000)))
        },
      )
      expect([got.stdout.toString(), got.exit?.status]).toEqual(['fine\n', 0])
    })

    it('that was sent arrives though the sender has gone', async () => {
      const shim = await launchShim(
        bundle.options(sh('sleep 0.2; head -c 300000 | wc -c > count'), { stdin: true }),
      )
      await shim.events.started
      const sender = await attachShim(bundle.file('shim.sock'), { output: false, stdin: true })
      sender.write(stdin(Buffer.alloc(300_000)), () => sender.destroy())
      await shim.events.exited
      expect(bundle.read('count').trim()).toBe('300000')
    })

    it('once ends when its client goes', async () => {
      const options = bundle.options(sh('cat; echo over > end'), { stdinOnce: true })
      const shim = await launchShim({ ...options, attach: { output: true, stdin: true } })
      await shim.events.started
      shim.attach?.destroy()
      expect((await shim.events.exited).status).toBe(0)
      expect(bundle.read('end')).toBe('over\n')
    })

    it('stays open for the next client otherwise', async () => {
      const shim = await launchShim(
        bundle.options(['cat'], { stdin: true, attach: { output: true, stdin: true } }),
      )
      await shim.events.started
      shim.attach?.destroy()
      const next = await attachShim(bundle.file('shim.sock'), { output: true, stdin: true })
      next.write(Buffer.concat([stdin('still here'), encodeClose()]))
      expect((await receive(next)).stdout.toString()).toBe('still here')
    })

    it('from a client that attached for output alone is thrown away', async () => {
      const shim = await launchShim(bundle.options(sh('read x; echo "got $x"'), { stdin: true }))
      await shim.events.started
      const watcher = await attachShim(bundle.file('shim.sock'), { output: true, stdin: false })
      watcher.write(Buffer.concat([stdin('wrong\n'), encodeClose()]))
      const teller = await attachShim(bundle.file('shim.sock'), { output: false, stdin: true })
      teller.write(stdin('right\n'))
      teller.resume()
      expect((await receive(watcher)).stdout.toString()).toBe('got right\n')
    })
  })

  describe('signals', () => {
    it.each([
      ['HUP', 1],
      ['SIGUSR1', 10],
      ['15', 15],
      ['RTMIN', 34],
      ['RTMIN+3', 37],
      ['RTMAX', 64],
      ['RTMAX-2', 62],
      ['STKFLT', 16],
      ['POLL', 29],
      ['SYS', 31],
    ])('%s reaches the container as %i', async (name, signal) => {
      const shim = await launchShim(bundle.options(['sleep', '300']))
      await shim.events.started
      await shim.events.signal(name)
      expect(await shim.events.exited).toMatchObject({ status: 128 + signal, signal })
    })

    it('nobody knows are refused before they are sent', async () => {
      const shim = await launchShim(bundle.options(['sleep', '300']))
      await shim.events.started
      for (const name of ['FOO', '0', '65', 'RTMIN+31', 'RTMAX-31', ''])
        await expect(shim.events.signal(name)).rejects.toMatchObject({ code: 'invalid_argument' })
      await shim.events.signal('KILL')
      await shim.events.exited
    })

    it('reach the container unblocked and with their default meaning', async () => {
      const { stdout } = await run(bundle.options(['grep', '-E', '^Sig(Blk|Ign):', '/proc/self/status']))
      expect(stdout.toString()).toMatch(/^SigBlk:\t0{16}\nSigIgn:\t0{16}\n$/)
    })

    it('for the shim itself do not end it', async () => {
      const shim = await launchShim(bundle.options(sh('read go; exit 6'), { stdin: true }))
      await shim.events.started
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGPIPE'] as const)
        process.kill(shim.shimPid, signal)
      const client = await attachShim(bundle.file('shim.sock'), { output: true, stdin: true })
      client.write(stdin('go\n'))
      expect((await receive(client)).exit?.status).toBe(6)
    })
  })

  describe('hostile connections', () => {
    it.each([
      ['an unknown type', [77, 0, 0, 0, 0, 0, 0, 0]],
      ['a type only the shim sends', [1, 0, 0, 0, 0, 0, 0, 1, 65]],
      ['a frame too large', [0, 0, 0, 0, 0, 0x10, 0, 1]],
      ['a length of four gigabytes', [4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]],
      ['a resize of five bytes', [3, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0]],
      ['a close with a payload', [5, 0, 0, 0, 0, 0, 0, 1, 0]],
      ['a signal without a name', [4, 0, 0, 0, 0, 0, 0, 0]],
      ['a signal name too long', [4, 0, 0, 0, 0, 0, 0, 32, ...Buffer.alloc(32, 65)]],
      ['bytes set that must be zero', [5, 0, 0, 1, 0, 0, 0, 0]],
      ['attaching twice', [9, 0, 0, 0, 0, 0, 0, 1, 1]],
      ['flags that do not exist', [9, 0, 0, 0, 0, 0, 0, 1, 4]],
    ])('with %s are dropped, and only they', async (what, bytes) => {
      const shim = await launchShim(bundle.options(sh('read x; echo "got $x"'), { stdin: true }))
      await shim.events.started
      const good = await attachShim(bundle.file('shim.sock'), { output: true, stdin: true })
      const bad = connect(bundle.file('shim.sock'))
      if (!what.startsWith('flags')) bad.write(encodeAttach({ output: true, stdin: true }))
      bad.write(Uint8Array.from(bytes))
      bad.resume()
      await once(bad, 'close')
      good.write(stdin('fine\n'))
      const { stdout, exit } = await receive(good)
      expect([stdout.toString(), exit?.status]).toEqual(['got fine\n', 0])
    })

    it('that send noise do no harm', async () => {
      const shim = await launchShim(bundle.options(sh('read x; exit 9'), { stdin: true }))
      await shim.events.started
      let seed = 12345
      const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648
      for (let i = 0; i < 300; i++) {
        const noise = connect(bundle.file('shim.sock'))
        noise.on('error', () => undefined)
        noise.resume()
        const header = [Math.floor(random() * 12), 0, 0, 0, 0, 0, 0, Math.floor(random() * 40)]
        const bytes = Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256))
        // no newline to stdin: the container shall wait; no signal that ends it
        const clean = bytes.map((byte) => (byte === 10 || (byte > 47 && byte < 91) ? 0 : byte))
        if (header[0] === frameTypes.close) header[0] = frameTypes.resize
        if (i % 2) noise.write(encodeAttach({ output: true, stdin: false }))
        noise.end(Uint8Array.from([...header, ...clean]), () => noise.destroy())
        await once(noise, 'close')
      }
      const good = await attachShim(bundle.file('shim.sock'), { output: true, stdin: true })
      good.write(stdin('x\n'))
      expect((await receive(good)).exit?.status).toBe(9)
    })

    it('by the hundred are turned away while the others go on', async () => {
      const shim = await launchShim(bundle.options(sh('read x; exit 8'), { stdin: true }))
      await shim.events.started
      const good = await attachShim(bundle.file('shim.sock'), { output: true, stdin: true })
      good.write(encodeFrame(frameTypes.signal, Buffer.from('NONE')))
      await once(good, 'readable')
      const many = Array.from({ length: 120 }, () => connect(bundle.file('shim.sock')))
      let closed = 0
      for (const one of many)
        one
          .on('close', () => closed++)
          .on('error', () => undefined)
          .resume()
      await eventually(() => closed >= 50)
      good.write(stdin('x\n'))
      expect((await receive(good)).exit?.status).toBe(8)
      for (const one of many) one.destroy()
    })

    it('with a signal nobody knows are answered and kept', async () => {
      const shim = await launchShim(bundle.options(['sleep', '300']))
      await shim.events.started
      const client = await attachShim(bundle.file('shim.sock'), { output: true, stdin: false })
      client.write(Buffer.concat([encodeSignal('FOO'), encodeSignal('KILL')]))
      const { frames, exit } = await receive(client)
      expect(frames.map((frame) => frame.type)).toEqual([frameTypes.error, frameTypes.exit])
      expect(exit?.status).toBe(137)
    })

    it('cannot reach the socket unless they are its owner', async () => {
      const shim = await launchShim(bundle.options(['sleep', '300']))
      await shim.events.started
      expect((statSync(bundle.file('shim.sock')).mode & 0o777).toString(8)).toBe('600')
      await shim.events.signal('KILL')
      await shim.events.exited
    })
  })

  describe('the log', () => {
    it('keeps the newest bytes in as many files as it may', async () => {
      const log = { directory: bundle.file('log'), maxBytes: 100_000, maxFiles: 3 }
      await run(bundle.options(sh('seq 1 200000'), { log }))
      expect(readdirSync(log.directory).sort()).toEqual(['1', '2', 'current'])
      for (const name of readdirSync(log.directory))
        expect(statSync(join(log.directory, name)).size).toBeLessThanOrEqual(100_000)
      const all = Array.from({ length: 200_000 }, (__, i) => `${i + 1}\n`).join('')
      const kept = (await logOf(bundle)).stdout.toString()
      expect(all.endsWith(kept)).toBe(true)
      expect(kept.length).toBeGreaterThan(100_000)
    })

    it('of one file begins anew when it is full', async () => {
      const log = { directory: bundle.file('log'), maxBytes: 100_000, maxFiles: 1 }
      await run(bundle.options(sh('seq 1 100000'), { log }))
      expect(readdirSync(log.directory)).toEqual(['current'])
      expect((await logOf(bundle)).stdout.toString().endsWith('\n99999\n100000\n')).toBe(true)
    })

    it('is followed through rotation without a gap', async () => {
      const log = { directory: bundle.file('log'), maxBytes: 30_000, maxFiles: 5 }
      const script =
        'i=0; while [ $i -lt 300 ]; do seq $((i * 100)) $((i * 100 + 99)); i=$((i + 1)); sleep 0.003; done'
      const shim = await launchShim(bundle.options(sh(script), { log }))
      const end = new AbortController()
      void shim.events.exited.then(() => end.abort())
      const parts: Uint8Array[] = []
      for await (const { data } of readLog(log.directory, { follow: end.signal })) parts.push(data)
      expect(Buffer.concat(parts).toString()).toBe(
        Array.from({ length: 30_000 }, (__, i) => `${i}\n`).join(''),
      )
      expect(existsSync(bundle.file('log/1'))).toBe(true)
    })

    it('goes on after half a chunk that a crash has left', async () => {
      const log = { directory: bundle.file('log') }
      await run(bundle.options(['echo', 'first'], { log }))
      writeFileSync(bundle.file('log/current'), Buffer.alloc(11, 1), { flag: 'a' })
      await run(bundle.options(['echo', 'second'], { log }))
      expect((await logOf(bundle)).stdout.toString()).toBe('first\nsecond\n')
    })

    it('drops files that are more than it may keep', async () => {
      for (const name of ['1', '2', '3']) writeFileSync(bundle.file(`log/${name}`), '')
      await run(bundle.options(['echo', 'x'], { log: { directory: bundle.file('log'), maxFiles: 2 } }))
      expect(readdirSync(bundle.file('log')).sort()).toEqual(['1', 'current'])
    })

    it('on a full disk loses bytes and says how many, and the container does not notice', async () => {
      mkdirSync(bundle.file('disk'))
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', bundle.file('disk')])
      try {
        const log = { directory: bundle.file('disk'), maxBytes: 1 << 30 }
        const script = 'head -c 3000000 /dev/zero; echo full >&2; read go; echo again'
        const shim = await launchShim(
          bundle.options(sh(script), { log, stdin: true, attach: { output: true, stdin: true } }),
        )
        if (!shim.attach) throw new Error('not attached')
        writeFileSync(bundle.file('disk/ballast'), Buffer.alloc(200_000))
        const got = await receive(shim.attach, (frame) => {
          if (frame.type !== frameTypes.stderr) return
          writeFileSync(bundle.file('disk/ballast'), '')
          shim.attach?.write(stdin('go\n'))
        })
        expect([got.stdout.length, got.exit?.status]).toEqual([3_000_006, 0])
        let kept = 0
        let lost = 0
        for await (const { data, stream } of readLog(log.directory)) {
          const notice =
            stream === 'stderr' &&
            /^\[kago: (\d+) bytes of output are missing/.exec(Buffer.from(data).toString())
          if (notice) lost += Number(notice[1])
          else kept += data.length
        }
        expect(lost).toBeGreaterThan(0)
        expect(kept + lost).toBe(3_000_006 + 'full\n'.length)
      } finally {
        execFileSync('umount', ['-l', bundle.file('disk')])
      }
    })
  })

  describe('a terminal of its own', () => {
    const pty = { terminal: 'pty', stdin: true, size: { columns: 101, rows: 33 } } as const

    it('has the size it is started with, and the next one', async () => {
      const shim = await launchShim(
        bundle.options(sh('stty size; read go; stty size'), {
          ...pty,
          attach: { output: true, stdin: true },
        }),
      )
      if (!shim.attach) throw new Error('not attached')
      let resized = false
      const got = await receive(shim.attach, () => {
        if (resized) return
        resized = true
        shim.attach?.write(Buffer.concat([encodeResize({ columns: 55, rows: 11 }), stdin('go\n')]))
      })
      expect(got.stdout.toString()).toBe('33 101\r\ngo\r\n11 55\r\n')
    })

    it('loses no last line', async () => {
      for (let i = 0; i < 20; i++) {
        const { stdout } = await run(bundle.options(sh('seq 1 3000; printf last'), pty))
        expect(stdout.toString().endsWith('2999\r\n3000\r\nlast')).toBe(true)
      }
    })

    it('may be closed and opened again by the container', async () => {
      const script = 't=$(tty); echo one; exec <&- >&- 2>&-; sleep 0.1; exec <$t >$t 2>$t; echo two'
      const { stdout, exit } = await run(bundle.options(sh(script), pty))
      expect([stdout.toString(), exit?.status]).toEqual(['one\r\ntwo\r\n', 0])
    })

    it('takes the close frame as the end-of-file character', async () => {
      const got = await run(bundle.options(sh('stty -echo; cat; echo end'), pty), (attach) => {
        attach.write(Buffer.concat([stdin('half a line'), encodeClose()]))
      })
      expect(got.stdout.toString()).toContain('half a line')
      expect(got.stdout.toString().endsWith('end\r\n')).toBe(true)
    })
  })

  describe('the container', () => {
    it('inherits three descriptors and no more', async () => {
      const holder = spawn('sleep', ['1'], { stdio: 'ignore' })
      const { stdout } = await run(bundle.options(sh('ls /proc/$$/fd; cat'), { stdin: true }), (attach) =>
        attach.write(encodeClose()),
      )
      holder.kill()
      expect(stdout.toString()).toBe('0\n1\n2\n')
    })

    it('is started by a runtime that inherits three descriptors and no more', async () => {
      const script = 'ls /proc/$$/fd > fds; sleep 0 & echo $! > pid'
      await run({ ...bundle.options([]), runtime: ['bash', '-c', script] })
      expect(
        bundle
          .read('fds')
          .trim()
          .split('\n')
          .filter((fd) => fd !== '255'),
      ).toEqual(['0', '1', '2'])
    })

    it('outlives a daemon that is killed, and its exit and log are known', async () => {
      const options = bundle.options(sh('read go < fifo; echo still here; exit 7'), {
        log: { directory: bundle.file('log') },
        attach: { output: true, stdin: false },
      })
      execFileSync('mkfifo', [bundle.file('fifo')])
      const launch = join(import.meta.dirname, 'harness.ts')
      const script = `
        const { launchShim } = await import(${JSON.stringify(launch)})
        const shim = await launchShim(${JSON.stringify(options)})
        await shim.events.started
        console.log(shim.shimPid)`
      const daemon = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [line] = await once(daemon.stdout, 'data')
      daemon.kill('SIGKILL')
      await once(daemon, 'exit')
      writeFileSync(bundle.file('fifo'), 'go\n')
      await processEnd(Number(line))
      expect(await readExitFile(bundle.file('exit'))).toMatchObject({ status: 7, signal: null })
      expect((await logOf(bundle)).stdout.toString()).toBe('still here\n')
    })

    it('gets what was mounted for it, and the host does not see it', async () => {
      for (const name of ['rootfs', 'source', 'lower', 'upper', 'work']) mkdirSync(bundle.file(name))
      writeFileSync(bundle.file('lower/hello'), 'from below')
      const mounts = [
        {
          type: 'overlay',
          source: 'overlay',
          target: 'rootfs',
          from: bundle.path,
          options: ['nosuid', 'lowerdir=lower', 'upperdir=upper', 'workdir=work'],
        },
        { type: 'tmpfs', source: 'tmpfs', target: 'source', options: ['size=64k', 'mode=0700'] },
        { type: 'bind', source: bundle.file('lower'), target: 'lower', options: ['rbind', 'ro', 'rprivate'] },
      ]
      const script =
        'cat rootfs/hello; echo new > rootfs/new; touch lower/x 2>&1; grep -c " $PWD/source " /proc/self/mounts'
      const { stdout } = await run(bundle.options(sh(script), { mounts }))
      expect(stdout.toString()).toMatch(/^from below.*Read-only file system\n1\n$/s)
      expect(bundle.read('upper/new')).toBe('new\n')
      expect(readFileSync('/proc/self/mountinfo', 'latin1')).not.toContain(bundle.path)
    })

    it('keeps the oom score of the daemon, whatever the shim has', async () => {
      // Its parent is the shim once the runtime, whose child it was, has ended.
      const script =
        'until p=$(cut -d" " -f4 /proc/$$/stat); grep -q kago-shim /proc/$p/comm; do sleep 0.01; done; ' +
        'cat /proc/self/oom_score_adj /proc/$p/oom_score_adj'
      const { stdout } = await run(bundle.options(sh(script), { oomScoreAdj: -777 }))
      const [own, shims] = stdout.toString().trim().split('\n')
      expect(own).toBe(readFileSync('/proc/self/oom_score_adj', 'latin1').trim())
      expect(shims).toMatch(/^-?\d+$/)
    })

    it.each([300, -300])('hands on an oom score of %i unless it guards the daemon', async (score) => {
      const words = [
        '#!/bin/sh',
        // Lowering it may be forbidden to us.
        `echo ${score} 2>&- >/proc/self/oom_score_adj`,
        `cat /proc/self/oom_score_adj >${bundle.file('score')}`,
        `exec ${bundle.options([]).program} "$@"`,
      ]
      writeFileSync(bundle.file('guarded'), words.join('\n'), { mode: 0o755 })
      const options = bundle.options(sh('cat /proc/self/oom_score_adj'), { program: bundle.file('guarded') })
      const { stdout } = await run(options)
      expect(Number(stdout.toString())).toBe(Math.max(0, Number(bundle.read('score'))))
    })

    it('is found on a path longer than a socket address', async () => {
      const long = join(bundle.path, 'd'.repeat(120))
      mkdirSync(long)
      const shim = await launchShim(
        bundle.options(['sleep', '300'], {
          bundle: long,
          pidFile: join(long, 'pid'),
          exitFile: join(long, 'exit'),
          socket: join(long, 'shim.sock'),
          runtime: [bundle.file('runtime.pl'), 'pid', 'sleep', '300'],
        }),
      )
      await shim.events.started
      const again = await connectShim(join(long, 'shim.sock'))
      await again.signal('KILL')
      expect((await again.exited).status).toBe(137)
    })
  })

  describe('a start that fails', () => {
    const failure = async (options: Parameters<typeof launchShim>[0]) => {
      const shim = await launchShim(options)
      const error: unknown = await shim.events.started.then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      await processEnd(shim.shimPid)
      return error
    }

    it('of the runtime says its status and its last words, and leaves no exit file', async () => {
      const options = bundle.options([])
      const error = await failure({
        ...options,
        runtime: ['sh', '-c', 'echo "no such é \\377 thing" >&2; exit 42'],
      })
      expect(error).toMatchObject({
        code: 'internal',
        message: 'sh failed with status 42: no such é \ufffd thing',
        details: { stage: 'runtime', runtimeStatus: 42, runtimeOutput: 'no such é \ufffd thing' },
      })
      expect(readdirSync(bundle.path).sort()).toEqual(['log', 'runtime.pl'])
    })

    it('for a runtime that is not there names it', async () => {
      const error = await failure({ ...bundle.options([]), runtime: ['kago-no-such-runtime'] })
      expect(error).toMatchObject({
        message: expect.stringContaining('cannot run kago-no-such-runtime: No such file'),
        details: { stage: 'runtime', runtimeStatus: 127 },
      })
    })

    it('for want of a pid file says so', async () => {
      const error = await failure({ ...bundle.options([]), runtime: ['true'] })
      expect(error).toMatchObject({
        message: expect.stringContaining('wrote no pid file'),
        details: { stage: 'pid-file' },
      })
    })

    it.each(['', 'abc', '-5', '0', '99999999999999999999', '12 13'])(
      'for a pid file of "%s" says so',
      async (text) => {
        const error = await failure({
          ...bundle.options([]),
          runtime: ['sh', '-c', `printf '%s' '${text}' > pid`],
        })
        expect(error).toMatchObject({
          message: 'pid does not hold a process id',
          details: { stage: 'pid-file' },
        })
      },
    )

    it('for a pid that is not its own touches no stranger', async () => {
      const stranger = spawn('sleep', ['300'], { stdio: 'ignore' })
      const error = await failure({
        ...bundle.options([]),
        runtime: ['sh', '-c', `echo ${stranger.pid} > pid`],
      })
      expect(error).toMatchObject({ message: expect.stringContaining("not the shim's to watch") })
      expect(stranger.exitCode).toBeNull()
      expect(stranger.signalCode).toBeNull()
      stranger.kill()
    })

    it('for a runtime that has waited for the process itself says that the status is lost', async () => {
      const error = await failure({
        ...bundle.options([]),
        runtime: ['sh', '-c', 'true & echo $! > pid; wait'],
      })
      expect(error).toMatchObject({ message: expect.stringContaining('its exit status is lost') })
    })

    it('of a mount names type, source, target and why', async () => {
      const mounts = [{ type: 'ext4', source: '/dev/null', target: 'nowhere', options: ['ro'] }]
      const error = await failure(bundle.options(['true'], { mounts }))
      expect(error).toMatchObject({
        message: `cannot mount ext4 /dev/null on nowhere: No such file or directory`,
        details: { stage: 'mount' },
      })
    })

    it('for mount options over a page is told rather than cut', async () => {
      mkdirSync(bundle.file('rootfs'))
      const mounts = [
        { type: 'overlay', source: 'overlay', target: 'rootfs', options: [`lowerdir=${'x:'.repeat(2100)}x`] },
      ]
      const error = await failure(bundle.options(['true'], { mounts }))
      expect(error).toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining('4095 bytes'),
      })
    })

    it('can be cancelled', async () => {
      const options = { ...bundle.options([]), runtime: ['sh', '-c', 'touch begun; sleep 300'] }
      const shim = await launchShim(options)
      await eventually(() => existsSync(bundle.file('begun')))
      process.kill(shim.shimPid, 'SIGTERM')
      await expect(shim.events.started).rejects.toMatchObject({ code: 'cancelled' })
    })

    it('for a shim that is not there says how to get it', async () => {
      await expect(launchShim(bundle.options([], { program: '/nowhere/kago-shim' }))).rejects.toMatchObject({
        code: 'internal',
        hint: 'build it with: npm run build',
      })
    })

    it('for options that make no sense names them', () => {
      for (const words of [
        ['--size', '1x'],
        ['--bogus', '1'],
        ['--log-max-files', '0'],
        ['--mount', 'a', 'b'],
      ]) {
        const { stderr, status } = spawnSync(path, words)
        expect([stderr.toString().includes(words[0] ?? ''), status]).toEqual([true, 1])
      }
    })
  })

  it('that is killed tells its listeners so', async () => {
    const shim = await launchShim(bundle.options(['sleep', '300']))
    const { pid } = await shim.events.started
    process.kill(shim.shimPid, 'SIGKILL')
    await expect(shim.events.exited).rejects.toMatchObject({ code: 'unavailable' })
    process.kill(pid, 'SIGKILL')
    await expect(connectShim(bundle.file('shim.sock'))).rejects.toMatchObject({ code: 'unavailable' })
  })
})
