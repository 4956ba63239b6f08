/** What `run` promises about the process inside, option by option, on the real kernel. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CreateBody } from '../../../shared/protocol/containers.ts'
import { type Kagod, startKagod } from '../../harness/kagod.ts'

let kagod: Kagod
const directory = mkdtempSync(join(tmpdir(), 'kago-options-'))
beforeAll(async () => {
  kagod = await startKagod()
  writeFileSync(join(directory, 'file'), 'from the host\n')
})
afterAll(async () => {
  await kagod.dispose()
  rmSync(directory, { recursive: true })
})

const image = 'localhost/busybox'
const run = (options: Partial<CreateBody>, ...command: string[]) =>
  kagod.run({ image, autoRemove: true, ...options, command })
const sh = (options: Partial<CreateBody>, script: string) => run(options, 'sh', '-c', script)

describe('the process', () => {
  test.for<[string, Partial<CreateBody>, string, string]>([
    ['has the environment it was given', { env: ['A=1', 'B=x y', 'A=2'] }, 'echo "$A $B"', '2 x y\n'],
    [
      'has a PATH, a HOSTNAME and a HOME',
      { hostname: 'box' },
      'echo "$HOSTNAME $HOME ${PATH%%:*}"',
      'box /root /usr/local/sbin\n',
    ],
    ['begins in its working directory, which is made', { workingDir: '/some/where' }, 'pwd', '/some/where\n'],
    [
      'is who it should be, with its groups',
      { user: '1234:55', groupAdd: ['77'] },
      'id -u; id -g; id -G',
      '1234\n55\n55 77\n',
    ],
    ['has its hostname', { hostname: 'box' }, 'hostname; cat /etc/hostname', 'box\nbox\n'],
    ['has its host entries', { extraHosts: ['db:10.1.2.3'] }, 'grep db /etc/hosts', '10.1.2.3\tdb\n'],
    ['has its name servers', { dns: ['10.9.9.9'] }, 'cat /etc/resolv.conf', 'nameserver 10.9.9.9\n'],
    [
      'cannot write a read-only root, but to tmpfs',
      { readOnly: true, tmpfs: [{ target: '/t', options: 'size=1m' }] },
      'touch /x 2>/dev/null && echo bad; touch /t/x && echo ok',
      'ok\n',
    ],
    [
      'has the limits of open files',
      { ulimits: [{ name: 'nofile', soft: 100, hard: 200 }] },
      'ulimit -Sn; ulimit -Hn',
      '100\n200\n',
    ],
    [
      'has its /dev/shm',
      { shmSizeBytes: 2 * 1024 * 1024 },
      "df -k /dev/shm | awk 'NR==2{print $2}'",
      '2048\n',
    ],
    ['has its sysctls', { sysctls: { 'kernel.msgmax': '12345' } }, 'cat /proc/sys/kernel/msgmax', '12345\n'],
    ['sees no network but its own loopback', { network: 'none' }, 'ls /sys/class/net', 'lo\n'],
    ['has Docker’s capabilities', {}, 'grep CapEff /proc/self/status', 'CapEff:\t00000000a80425fb\n'],
    [
      'loses capabilities that are dropped',
      { capDrop: ['ALL'], capAdd: ['CHOWN'] },
      'grep CapEff /proc/self/status',
      'CapEff:\t0000000000000001\n',
    ],
    [
      'has no capabilities as another user',
      { user: '1000' },
      'grep -E "CapEff|CapInh" /proc/self/status',
      'CapInh:\t0000000000000000\nCapEff:\t0000000000000000\n',
    ],
    [
      'gains no privileges if told so',
      { securityOpt: { noNewPrivileges: true } },
      'grep NoNewPrivs /proc/self/status',
      'NoNewPrivs:\t1\n',
    ],
    ['is filtered', {}, 'grep Seccomp: /proc/self/status', 'Seccomp:\t2\n'],
    [
      'is not filtered if told so',
      { securityOpt: { seccomp: 'unconfined' } },
      'grep Seccomp: /proc/self/status',
      'Seccomp:\t0\n',
    ],
    ['has the score it was given', { oomScoreAdj: 500 }, 'cat /proc/self/oom_score_adj', '500\n'],
    ['is process 1', {}, 'echo $$', '1\n'],
    [
      'is not process 1 with an init',
      { init: true },
      '[ $$ != 1 ] && tr "\\0" " " </proc/1/cmdline | cut -d" " -f1',
      '/dev/kago-init\n',
    ],
  ])('%s', async ([, options, script, expected]) => {
    expect(await sh(options, script)).toMatchObject({ stdout: expected, stderr: '', exit: 0 })
  })

  test('sees a bind, read-only if it is', async () => {
    const bind = { type: 'bind', source: directory, target: '/host' } as const
    expect(
      (await sh({ mounts: [bind] }, 'cat /host/file; echo more >/host/new && echo written')).stdout,
    ).toBe('from the host\nwritten\n')
    const result = await sh({ mounts: [{ ...bind, readOnly: true }] }, 'cat /host/file; echo no >/host/file')
    expect(result).toMatchObject({ stdout: 'from the host\n', exit: 1 })
  })

  test('has a device it was given', async () => {
    const devices = [{ hostPath: '/dev/kmsg', containerPath: '/dev/given', permissions: 'r' }]
    expect((await sh({ devices }, '[ -c /dev/given ] && echo yes')).stdout).toBe('yes\n')
  })

  test('with --privileged has what the daemon has', async () => {
    const { stdout } = await sh(
      { privileged: true },
      'grep -E "Seccomp:|CapEff" /proc/self/status; mount -t tmpfs x /tmp && echo mounted',
    )
    expect(stdout).toContain('Seccomp:\t0')
    expect(stdout).toContain('mounted')
  })
})

describe('limits are the kernel’s', () => {
  test('memory: what takes more is killed, and inspect says why', async () => {
    const id = await kagod.runDetached({
      image,
      command: ['sh', '-c', 'dd if=/dev/zero of=/dev/shm/x bs=1M count=60; sleep 1; tail /dev/zero'],
      resources: { memoryBytes: 32 * 1024 * 1024, memorySwapBytes: 32 * 1024 * 1024 },
      shmSizeBytes: 128 * 1024 * 1024,
    })
    await kagod.ok('GET', `/v1/containers/${id}/wait`)
    const { task } = await kagod.inspect(id)
    expect(task).toMatchObject({ state: 'exited', oomKilled: true })
    await kagod.ok('DELETE', `/v1/containers/${id}`)
  })

  test('pids: a fork bomb stays small', async () => {
    const result = await sh(
      { resources: { pidsLimit: 20 } },
      'for i in $(seq 100); do sleep 2 & done; echo reached',
    )
    expect(result.stdout + result.stderr).toMatch(/can't fork|Resource temporarily unavailable/)
  })

  test('update changes them while it runs', async () => {
    const id = await kagod.runDetached({ image, command: ['sleep', '1000'], resources: { pidsLimit: 20 } })
    await kagod.ok('POST', `/v1/containers/${id}/update`, { resources: { pidsLimit: 33 } })
    expect((await kagod.inspect(id)).options.resources.pidsLimit).toBe(33)
    await kagod.ok('DELETE', `/v1/containers/${id}?force=true`)
  })
})

describe('what cannot be is refused before anything is made', () => {
  test.for<[string, Partial<CreateBody>, RegExp]>([
    ['an unknown capability', { capAdd: ['NET_ADMN'] }, /NET_ADMN/],
    ['a mount on /proc', { mounts: [{ type: 'bind', source: '/tmp', target: '/proc' }] }, /\/proc/],
    ['a mount on the root', { mounts: [{ type: 'bind', source: '/tmp', target: '/' }] }, /root/],
    ['a working directory through an open file', { workingDir: '/proc/self/fd/7' }, /working directory/],
    ['a user beyond the kernel’s numbers', { user: '4294967296' }, /4294967296/],
    ['a user that is not in the image', { user: 'nobody-here' }, /nobody-here/],
    [
      'a bind source that is not there',
      { mounts: [{ type: 'bind', source: '/no/such', target: '/x' }] },
      /\/no\/such/,
    ],
    ['a runtime that is not configured', { runtime: 'nope' }, /nope/],
    ['a sysctl of the host', { sysctls: { 'kernel.panic': '1' } }, /kernel\.panic/],
  ])('%s', async ([, options, message]) => {
    const result = await sh(options, 'true')
    expect(result.error?.message ?? '').toMatch(message)
    expect(result.error?.code).not.toBe('internal')
    expect(await kagod.list()).toEqual([])
  })

  test.for<[string[], number]>([
    [['no-such-program'], 127],
    [['/etc/passwd'], 126],
    [['/etc'], 126],
  ])('%j ends with %i', async ([command, status]) => {
    const result = await kagod.run({ image, command, autoRemove: true })
    expect(result.error).toMatchObject({ details: { exitCode: status } })
    expect(await kagod.list()).toEqual([])
  })
})
