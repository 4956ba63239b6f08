/** One suite for every runtime: what the contract promises, seen from inside and outside real containers. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cgroupDirectories, controllerDirectory, readCgroupLayout } from '../../../daemon/host/cgroup.ts'
import { readMountTable } from '../../../daemon/host/mount-table.ts'
import { identifyProcess } from '../../../daemon/host/process.ts'
import { isKagoError } from '../../../shared/errors.ts'
import { buildShim, host, openStage, type Stage } from './container.ts'

const layout = readCgroupLayout()
const dockerCapabilities = '00000000a80425fb'
/** CAP_MKNOD dropped, as unshare must where no device rule can be written. */
const capabilitiesWithoutMknod = '00000000a00425fb'

/** crun before 1.9 runs with v1 and v2, not with both; where it cannot run, its refusal is what is tested. */
const canCrun =
  layout.kind !== 'hybrid' || readFileSync(`${layout.unified}/cgroup.controllers`, 'utf8').trim() === ''
const tools = mkdtempSync(join(tmpdir(), 'kago-test-tools-'))
let shim = ''

beforeAll(() => {
  shim = buildShim(tools)
  execFileSync('cc', ['-O1', '-static', '-o', join(tools, 'probe'), resolve('test/contract/runtime/probe.c')])
  execFileSync('make', ['-s', '-C', resolve('daemon/runtime/init'), `OUT=${join(tools, 'kago-init')}`])
})
afterAll(() => rmSync(tools, { recursive: true, force: true }))

function status(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split('\n').map((line) => [line.split(':')[0], line.split(':')[1]?.trim() ?? '']),
  )
}

function controlFile(group: string, controller: string, v1: string, v2: string): string {
  const directory = controllerDirectory(layout, controller, group)
  return readFileSync(join(directory ?? '', layout.version === 2 ? v2 : v1), 'utf8').trim()
}

const ociRuntimes = canCrun ? ['runc', 'crun'] : ['runc']

for (const name of [...ociRuntimes, 'unshare']) {
  describe(`the runtime ${name}`, { timeout: 30_000 }, () => {
    let stage: Stage
    beforeAll(() => {
      stage = openStage(name, shim)
    })
    afterAll(async () => await stage.close())
    const sh = async (
      script: string,
      ...rest: Parameters<Stage['run']> extends [unknown, ...infer R] ? R : never
    ) => await stage.run(['sh', '-c', script], ...rest)

    const ownCapabilities =
      name === 'unshare' && layout.version === 2 ? capabilitiesWithoutMknod : dockerCapabilities

    test('gives the exit status and both streams as they were', async () => {
      const ended = await sh('echo out; echo err >&2; exit 42')
      expect(ended).toEqual({ status: 42, signal: null, stdout: 'out\n', stderr: 'err\n' })
    })

    test('says by which signal a process died', async () => {
      expect(await sh('kill -9 $$ & wait; sleep 60 & exec sleep 0')).toMatchObject({ status: 0 })
      const container = await stage.start(['sleep', '60'])
      await stage.runtime.kill(container.id, 9)
      expect(await container.ended).toMatchObject({ status: 137, signal: 9 })
    })

    test('lets a first process ignore a signal that it does not handle, and handle one that it does', async () => {
      const container = await stage.start(['sh', '-c', 'trap "echo got; exit 7" TERM; sleep 60 & wait'])
      await new Promise((done) => setTimeout(done, 100))
      await stage.runtime.kill(container.id, 15)
      expect(await container.ended).toMatchObject({ status: 7, stdout: 'got\n' })
    })

    test('leaves the process a child of the shim with the pid that it wrote', async () => {
      const container = await stage.start(['sleep', '60'])
      const parent = /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${container.pid}/status`, 'utf8'))?.[1]
      expect(readFileSync(`/proc/${parent}/comm`, 'utf8').trim()).toBe('kago-shim')
      expect(await stage.runtime.state(container.id)).toEqual({ status: 'running', pid: container.pid })
      expect(await stage.runtime.processes(container.id)).toEqual([container.pid])
      await stage.runtime.kill(container.id, 9, { all: true })
      await container.ended
      expect(await stage.runtime.state(container.id)).toBeUndefined()
    })

    test('holds exactly Docker’s capabilities as root, and none is inheritable', async () => {
      const seen = status((await stage.run(['cat', '/proc/self/status'])).stdout)
      expect(seen).toMatchObject({
        CapInh: '0000000000000000',
        CapPrm: ownCapabilities,
        CapEff: ownCapabilities,
        CapBnd: ownCapabilities,
        CapAmb: '0000000000000000',
      })
    })

    test('holds no capability as another user, but keeps the bounding set', async () => {
      const user = { uid: 1234, gid: 567, additionalGids: [89, 90] }
      const seen = status((await stage.run(['cat', '/proc/self/status'], {}, { user })).stdout)
      expect(seen).toMatchObject({
        CapEff: '0000000000000000',
        CapInh: '0000000000000000',
        CapBnd: ownCapabilities,
      })
      expect(seen['Uid']).toBe('1234\t1234\t1234\t1234')
      expect(seen['Gid']).toBe('567\t567\t567\t567')
      expect(seen['Groups']?.split(' ').map(Number)).toEqual(expect.arrayContaining([89, 90]))
    })

    test('adds and drops capabilities, and all of them', async () => {
      const none = status((await stage.run(['cat', '/proc/self/status'], { capDrop: ['ALL'] })).stdout)
      expect(none).toMatchObject({ CapEff: '0000000000000000', CapBnd: '0000000000000000' })
      const one = status(
        (await stage.run(['cat', '/proc/self/status'], { capDrop: ['ALL'], capAdd: ['net_admin'] })).stdout,
      )
      expect(one['CapBnd']).toBe('0000000000001000')
    })

    test('gives all that the daemon has when privileged', async () => {
      const own = status(readFileSync('/proc/self/status', 'utf8'))
      const seen = await sh(
        'cat /proc/self/status; [ -w /proc/sys/kernel ] && mount -t tmpfs none /tmp && echo mounted',
        {
          privileged: true,
        },
      )
      expect(status(seen.stdout)).toMatchObject({ CapEff: own['CapBnd'], Seccomp: '0' })
      expect(seen.stdout).toContain('mounted')
    })

    test('hides the masked paths', async () => {
      const ended = await sh(
        'cat /proc/interrupts /proc/keys /proc/timer_list | wc -c; ls -A /sys/firmware /proc/acpi | grep -v :',
      )
      expect(ended.stdout.trim()).toBe('0')
    })

    test('lets nothing be written to the kernel’s settings', async () => {
      const ended = await sh('echo x >/proc/sys/kernel/hostname; touch /sys/x; cat /proc/mounts')
      expect(ended.stderr.match(/Read-only file system/g)).toHaveLength(2)
      for (const path of ['bus', 'fs', 'irq', 'sys']) {
        expect(ended.stdout).toMatch(new RegExp(`^proc /proc/${path} proc ro,`, 'm'))
      }
    })

    test('has its own hostname, process ids, network and interprocess communication', async () => {
      const ended = await sh(
        'hostname; echo $$; ls /sys/class/net; for n in pid uts net ipc mnt; do readlink /proc/self/ns/$n; done',
      )
      const [hostname, pid, ...rest] = ended.stdout.trim().split('\n')
      expect(hostname).toMatch(/^kago-test/)
      expect(pid).toBe('1')
      expect(rest[0]).toBe('lo')
      const links = ['pid', 'uts', 'net', 'ipc', 'mnt'].map((namespace) =>
        execFileSync('readlink', [`/proc/self/ns/${namespace}`])
          .toString()
          .trim(),
      )
      expect(rest.slice(1).filter((link) => links.includes(link))).toEqual([])
    })

    test('shares the host’s network when asked', async () => {
      const ended = await stage.run(
        ['readlink', '/proc/self/ns/net'],
        { network: 'host' },
        { networkMode: 'host' },
      )
      expect(ended.stdout.trim()).toBe(execFileSync('readlink', ['/proc/self/ns/net']).toString().trim())
    })

    test('passes words and variables unchanged, whatever they hold', async () => {
      const values = ["it's", '$(touch /tmp/x)`id`', 'a\nb\n', ' ', '\\', '"', '*', '\t!', 'é漢字', '-n', '']
      const ended = await stage.run(
        ['sh', '-c', 'for w in "$@" "$V"; do printf "<%s>" "$w"; done; ls /tmp', 'sh', ...values],
        {
          env: [`V=${values.join('|')}`],
        },
      )
      expect(ended.stdout).toBe(`${values.map((value) => `<${value}>`).join('')}<${values.join('|')}>`)
    })

    test('gives exactly the variables of the spec', async () => {
      const ended = await stage.run(['cat', '/proc/self/environ'], {
        env: ['A=1', 'EMPTY=', 'PWD=/elsewhere'],
      })
      const names = ended.stdout.split('\0').filter((entry) => entry !== '')
      expect(names.filter((entry) => !/^(PATH|HOSTNAME)=/.test(entry)).sort()).toEqual([
        'A=1',
        'EMPTY=',
        'HOME=/',
        'PWD=/elsewhere',
      ])
      expect(names).toHaveLength(6)
    })

    test('starts in the working directory, and makes none up', async () => {
      expect((await stage.run(['pwd'], { workingDir: '/work' })).stdout).toBe('/work\n')
    })

    test('sets the limits of the process', async () => {
      const ended = await sh('ulimit -n; ulimit -Hn; ulimit -c', {
        ulimits: [
          { name: 'nofile', soft: 123, hard: 456 },
          { name: 'core', soft: -1, hard: -1 },
        ],
      })
      expect(ended.stdout).toBe('123\n456\nunlimited\n')
    })

    test('mounts tmpfs and shared memory with their sizes', async () => {
      const ended = await sh('grep -E " /(scratch|dev/shm) " /proc/mounts', {
        tmpfs: [{ target: '/scratch', options: 'size=1m,mode=700' }],
        shmSizeBytes: 2 * 1024 * 1024,
      })
      expect(ended.stdout).toMatch(/\/scratch tmpfs rw,nosuid,nodev,noexec.*size=1024k,mode=700/)
      expect(ended.stdout).toMatch(/\/dev\/shm tmpfs .*size=2048k/)
    })

    test('binds a directory and a file, read-only when asked', async () => {
      const source = mkdtempSync(join(tools, 'bind it’s '))
      writeFileSync(join(source, 'file'), 'hello')
      const ended = await sh('cat /b/file /f; touch /b/new || touch /rw/new; ls /rw', {
        mounts: [
          { type: 'bind', source, target: '/b', readOnly: true },
          { type: 'bind', source, target: '/rw' },
          { type: 'bind', source: join(source, 'file'), target: '/deep/er/../../f', readOnly: true },
        ],
      })
      expect(ended.stdout).toBe('hellohellofile\nnew\n')
      expect(ended.stderr).toContain('Read-only file system')
    })

    test('has the usual devices, and nothing of the host’s others', async () => {
      const ended = await sh(
        'ls /dev; echo hi >/dev/null && head -c 4 /dev/zero | wc -c; echo out >/dev/stdout; mknod /tmp/d b 8 0 && dd if=/tmp/d count=1',
      )
      const [list] = ended.stdout.split('4\n')
      expect(
        list
          ?.trim()
          .split('\n')
          .filter((entry) => entry !== 'core' && entry !== 'console'),
      ).toEqual([
        'fd',
        'full',
        'mqueue',
        'null',
        'ptmx',
        'pts',
        'random',
        'shm',
        'stderr',
        'stdin',
        'stdout',
        'tty',
        'urandom',
        'zero',
      ])
      expect(ended.stdout).toContain('out\n')
      expect(ended.stderr).toMatch(/[Pp]ermission|not permitted/)
    })

    test('opens no descriptor but the standard three', async () => {
      // the fourth is that of the directory being listed
      expect((await stage.run(['ls', '/proc/self/fd'])).stdout).toBe('0\n1\n2\n3\n')
      const container = await stage.start(['sleep', '60'])
      // started, it may be the runtime's own program for a moment yet
      await expect.poll(() => readFileSync(`/proc/${container.pid}/cmdline`, 'utf8')).toMatch(/^sleep/)
      expect(readdirSync(`/proc/${container.pid}/fd`)).toEqual(['0', '1', '2'])
      expect((await container.exec(['ls', '/proc/self/fd'])).stdout).toBe('0\n1\n2\n3\n')
      await stage.runtime.kill(container.id, 9)
      await container.ended
    })

    test('makes the root read-only when asked, with its mounts still writable', async () => {
      const ended = await sh('touch /x || touch /scratch/x && echo written', {
        readOnly: true,
        tmpfs: [{ target: '/scratch', options: '' }],
      })
      expect(ended.stdout).toBe('written\n')
      expect(ended.stderr).toContain('Read-only file system')
    })

    test('limits processes, memory, processors and time, and sets kernel parameters of the container’s own', async () => {
      const container = await stage.start(['sleep', '60'], {
        resources: {
          memoryBytes: 33_554_432,
          memorySwapBytes: 33_554_432,
          nanoCpus: 500_000_000,
          pidsLimit: 17,
          cpusetCpus: '0',
        },
        sysctls: { 'kernel.shmmni': '321', 'net.ipv4.ip_forward': '1' },
      })
      const { group } = container
      expect(controlFile(group, 'memory', 'memory.limit_in_bytes', 'memory.max')).toBe('33554432')
      expect(controlFile(group, 'pids', 'pids.max', 'pids.max')).toBe('17')
      expect(controlFile(group, 'cpu', 'cpu.cfs_quota_us', 'cpu.max')).toMatch(/^50000\b/)
      expect(controlFile(group, 'cpuset', 'cpuset.cpus', 'cpuset.cpus')).toBe('0')
      const seen = await container.exec(['cat', '/proc/sys/kernel/shmmni', '/proc/sys/net/ipv4/ip_forward'])
      expect(seen.stdout).toBe('321\n1\n')
      await stage.runtime.update(container.id, {
        pids: { limit: 23 },
        memory: { limit: 67_108_864, swap: 67_108_864 },
      })
      expect(controlFile(group, 'pids', 'pids.max', 'pids.max')).toBe('23')
      expect(controlFile(group, 'memory', 'memory.limit_in_bytes', 'memory.max')).toBe('67108864')
      expect(controlFile(group, 'cpu', 'cpu.cfs_quota_us', 'cpu.max')).toMatch(/^50000\b/)
      await stage.runtime.kill(container.id, 9)
      await container.ended
    })

    test('stops a fork bomb at the limit of processes', async () => {
      const ended = await sh('i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i + 1)); done; echo survived', {
        resources: { pidsLimit: 10 },
      })
      expect(ended.stdout + ended.stderr).toMatch(/can't fork|Resource temporarily unavailable/)
    })

    test('pauses all processes and lets them go on', async () => {
      const container = await stage.start(['sh', '-c', 'while :; do :; done'])
      await stage.runtime.pause(container.id)
      await stage.runtime.pause(container.id)
      expect(await stage.runtime.state(container.id)).toEqual({ status: 'paused', pid: container.pid })
      const ticks = (): string =>
        readFileSync(`/proc/${container.pid}/stat`, 'utf8').split(' ').slice(13, 15).join()
      const before = ticks()
      await new Promise((done) => setTimeout(done, 50))
      expect(ticks()).toBe(before)
      await stage.runtime.resume(container.id)
      expect((await stage.runtime.state(container.id))?.status).toBe('running')
      await stage.runtime.kill(container.id, 9)
      expect((await container.ended).signal).toBe(9)
    })

    test('runs a further process with its own directory, variables and user, and no more power', async () => {
      const container = await stage.start([
        'sh',
        '-c',
        'echo inside >/tmp/f; echo shared >/dev/shm/f; exec sleep 60',
      ])
      const base = container.spec.process
      const root = await container.exec(
        ['sh', '-c', 'pwd; echo $X; cat /tmp/f /dev/shm/f /proc/self/status; exit 9'],
        {
          cwd: '/work',
          env: [...base.env, 'X=y z'],
        },
      )
      expect(root.status).toBe(9)
      expect(root.stdout).toMatch(/^\/work\ny z\ninside\nshared\n/)
      expect(status(root.stdout)).toMatchObject({
        CapInh: '0000000000000000',
        CapEff: ownCapabilities,
        CapBnd: ownCapabilities,
      })
      const user = await container.exec(['cat', '/proc/self/status'], {
        user: { uid: 1000, gid: 1001, additionalGids: [7] },
        capabilities: { bounding: base.capabilities?.bounding ?? [] },
        noNewPrivileges: true,
      })
      expect(status(user.stdout)).toMatchObject({
        Uid: '1000\t1000\t1000\t1000',
        Groups: expect.stringContaining('7'),
        CapEff: '0000000000000000',
        NoNewPrivs: '1',
      })
      const hidden = await container.exec([
        'sh',
        '-c',
        'cat /proc/keys | wc -c; echo 1 >/proc/sys/kernel/shmmni; hostname; readlink /proc/self/ns/net; readlink /proc/1/ns/net',
      ])
      const [bytes, hostname, own, first] = hidden.stdout.trim().split('\n')
      expect([bytes, hostname, own]).toEqual(['0', container.spec.hostname, first])
      expect(hidden.stderr).toContain('Read-only file system')
      expect(await container.exec(['sh', '-c', 'kill -9 $$'])).toMatchObject({ status: 137, signal: 9 })
      await stage.runtime.kill(container.id, 9, { all: true })
      await container.ended
    })

    test('runs several further processes at once, and keeps nothing of them', async () => {
      const container = await stage.start(['sleep', '60'])
      const outputs = await Promise.all(['1', '2', '3', '4'].map((word) => container.exec(['echo', word])))
      expect(outputs.map(({ stdout }) => stdout)).toEqual(['1\n', '2\n', '3\n', '4\n'])
      const left = readdirSync(container.bundle).filter((file) => /^exec-.*(sh|up|down|fstab)$/.test(file))
      expect(left).toEqual([])
      await stage.runtime.kill(container.id, 9)
      await container.ended
    })

    test('says 127 for a command that is not there and 126 for one that cannot be executed', async () => {
      const failure = async (...command: string[]): Promise<unknown> =>
        await stage.run(command).catch((error: unknown) => error)
      for (const command of ['no-such-command', '/no/such/command']) {
        expect(await failure(command)).toMatchObject({
          code: 'not_found',
          details: { exitCode: 127 },
          message: `${command} was not found in the container`,
        })
      }
      expect(await failure('/bin/data')).toMatchObject({
        code: 'permission_denied',
        details: { exitCode: 126 },
      })
      expect(await failure('/etc')).toMatchObject({ code: 'permission_denied', details: { exitCode: 126 } })
      const container = await stage.start(['sleep', '60'])
      expect(await container.exec(['no-such-command']).catch((error: unknown) => error)).toMatchObject({
        details: { exitCode: 127 },
      })
      expect((await stage.runtime.state(container.id))?.status).toBe('running')
      await stage.runtime.kill(container.id, 9)
      await container.ended
    })

    test('sets no_new_privs and the out-of-memory score', async () => {
      const ended = await sh('grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj', {
        securityOpt: { noNewPrivileges: true },
        oomScoreAdj: 321,
      })
      expect(ended.stdout).toBe('NoNewPrivs:\t1\n321\n')
    })

    test('gives a terminal that is the controlling one', async () => {
      const ended = await stage.run(
        ['sh', '-c', 'test -t 0 && test -t 1 && echo yes; echo hi >/dev/tty; echo there >/dev/console'],
        { terminal: true },
      )
      expect(ended.stdout).toBe('yes\r\nhi\r\nthere\r\n')
    })

    test('puts kago-init in front, which collects what others leave behind', async () => {
      const script =
        '(sleep 0.05 &) ; sleep 0.3; grep -l "State:.Z" /proc/[0-9]*/status; cat /proc/1/comm; exit 6'
      const ended = await stage.run(
        ['sh', '-c', script],
        { init: true },
        { initPath: join(tools, 'kago-init') },
      )
      expect(ended).toMatchObject({ status: 6, stdout: 'kago-init\n' })
    })

    test('mounts where a link of the image points or refuses to, but never outside the root', async () => {
      const canary = mkdtempSync(join(tools, 'canary-'))
      const source = mkdtempSync(join(tools, 'source-'))
      writeFileSync(join(source, 'here'), '')
      const image = mkdtempSync(join(tools, 'image-'))
      symlinkSync(canary, join(image, 'link'))
      symlinkSync(`../../../../../..${canary}`, join(image, 'relative'))
      const seen = await stage
        .run(['sh', '-c', `ls /image/link/ 2>/dev/null; ls ${canary}; ls ${canary}-not 2>/dev/null; true`], {
          mounts: [
            { type: 'bind', source: image, target: '/image' },
            { type: 'bind', source, target: '/image/link' },
            { type: 'bind', source, target: '/image/relative/below' },
          ],
        })
        .then(
          ({ stdout }) => stdout,
          (error: unknown) => isKagoError(error) && 'here',
        )
      expect(seen).toContain('here')
      expect(readdirSync(canary)).toEqual([])
    })

    test('leaves no cgroup, no mount and no record behind', async () => {
      const container = await stage.start(['true'])
      await container.ended
      expect(cgroupDirectories(layout, container.group).filter((directory) => existsSync(directory))).toEqual(
        [],
      )
      expect(readMountTable().filter(({ target }) => target.startsWith(stage.directory))).toEqual([])
      const records = join(stage.directory, 'run', name)
      expect(existsSync(join(records, container.id))).toBe(false)
      await stage.runtime.delete(container.id)
    })

    test('kills what still runs when it is deleted by force', async () => {
      const container = await stage.start(['sh', '-c', 'trap "" TERM; sleep 60 & wait'])
      await stage.runtime.pause(container.id)
      await stage.runtime.delete(container.id, { force: true })
      expect(identifyProcess(container.pid)).toBeUndefined()
      expect((await container.ended).signal).toBe(9)
    })

    test('deletes what was killed while it was frozen', async () => {
      const container = await stage.start(['sh', '-c', 'sleep 60 & wait'])
      await stage.runtime.pause(container.id)
      process.kill(container.pid, 'SIGKILL')
      // cgroup v2 lets it end at once, v1 when it thaws
      if (layout.version === 1) await stage.runtime.resume(container.id)
      expect((await container.ended).signal).toBe(9)
      await stage.runtime.delete(container.id)
      expect(await stage.runtime.state(container.id)).toBeUndefined()
    })

    test('names a container that it does not know', async () => {
      await expect(stage.runtime.kill('nobody', 9)).rejects.toSatisfy((error) =>
        isKagoError(error, 'not_found'),
      )
      await expect(stage.runtime.processes('nobody')).rejects.toSatisfy((error) =>
        isKagoError(error, 'not_found'),
      )
      expect(await stage.runtime.state('nobody')).toBeUndefined()
    })

    test('runs an image that holds one static program and nothing else', async () => {
      const container = await stage.start(['/bin/busybox', 'sh', '-c', 'echo alone'], {}, {})
      expect((await container.ended).stdout).toBe('alone\n')
    })
  })
}

for (const name of ociRuntimes) {
  describe(`the filter of ${name}`, { timeout: 30_000 }, () => {
    let stage: Stage
    beforeAll(() => {
      stage = openStage(name, shim)
    })
    afterAll(async () => await stage.close())

    test('filters system calls as Docker does', async () => {
      const ended = await stage.run(['/probe'], {
        mounts: [{ type: 'bind', source: join(tools, 'probe'), target: '/probe' }],
      })
      const seen = new Map(
        ended.stdout
          .trim()
          .split('\n')
          .map((line): [string, number] => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]),
      )
      const allowed = [
        'getpid',
        'socket-inet',
        'socket-unix',
        'clone-plain',
        'personality-query',
        'chroot',
        'ptrace-self',
      ]
      expect(Object.fromEntries(seen)).toEqual(
        Object.fromEntries(
          [...seen.keys()].map((call) => [call, allowed.includes(call) ? 0 : call === 'clone3' ? 38 : 1]),
        ),
      )
      expect(seen.size).toBeGreaterThan(35)
    })
  })
}

for (const name of ['unshare']) {
  describe(`what ${name} has of its own`, { timeout: 30_000 }, () => {
    let stage: Stage
    beforeAll(() => {
      stage = openStage(name, shim)
    })
    afterAll(async () => await stage.close())

    test('announces that it does not filter system calls, and refuses what it lacks by name', () => {
      expect(stage.runtime.notices(stage.spec({ command: ['true'] }))).toContainEqual(
        expect.stringContaining('no system call is filtered'),
      )
      const refuse =
        (...asked: Parameters<Stage['spec']>) =>
        () =>
          stage.runtime.refuse(stage.spec(...asked))
      expect(refuse({ command: ['x'], env: ['a.b=c'] })).toThrow(/environment variable "a.b"/)
      expect(
        refuse({
          command: ['x'],
          mounts: [{ type: 'bind', source: '/', target: '/h', propagation: 'rshared' }],
        }),
      ).toThrow(/propagation/)
      expect(
        refuse(
          { command: ['x'], securityOpt: { apparmor: 'p' } },
          { host: { ...host, apparmorEnabled: true } },
        ),
      ).toThrow(/AppArmor/)
    })

    // CVE-2019-5736: an image whose `sh` is /proc/self/exe runs the program that was there before it, the host's own
    test('runs no program of the host that the container could write to', async () => {
      const ended = await stage.run(['sh', '-c', 'echo broken >/proc/self/exe'], { env: ['PATH=/evil'] })
      expect(ended.stderr).toContain('Read-only file system')
    })
  })
}

for (const name of canCrun ? [] : ['crun']) {
  describe(`${name} on a machine with hybrid cgroups`, () => {
    test('is refused with a sentence and what to do', async () => {
      const stage = openStage(name, shim)
      await expect(stage.run(['true'])).rejects.toMatchObject({
        code: 'not_supported',
        message: expect.stringContaining('hybrid'),
      })
      await stage.close()
    })
  })
}
