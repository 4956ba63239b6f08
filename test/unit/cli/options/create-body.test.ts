import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Compile } from 'typebox/compile'
import { containerOptions } from '../../../../cli/options/container.ts'
import { createBodyFrom } from '../../../../cli/options/create-body.ts'
import { parseOptions } from '../../../../cli/options/parse.ts'
import { CreateBody } from '../../../../shared/protocol/containers.ts'

const directory = mkdtempSync(join(tmpdir(), 'kago-options-'))
afterAll(() => {
  rmSync(directory, { recursive: true })
})

const schema = Compile(CreateBody)

function body(...argv: string[]) {
  const grammar = { name: 'kago run', options: containerOptions, stopsEarly: true }
  const { values, words } = parseOptions(grammar, argv)
  const made = createBodyFrom(values, words, { HOME: '/home/me', EMPTY: '' })
  expect(schema.Check(made)).toBe(true)
  return made
}

function file(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

test('only what was asked for is sent', () => {
  expect(body('alpine')).toEqual({ image: 'alpine' })
  expect(body('-it', '--rm', 'alpine', 'sh', '-c', 'x')).toEqual({
    image: 'alpine',
    command: ['sh', '-c', 'x'],
    terminal: true,
    stdin: true,
    autoRemove: true,
  })
})

test('limits are numbers of bytes and of billionths of processors', () => {
  expect(body('-m', '512m', '--memory-swap=-1', '--cpus', '1.5', '-c', '512', 'x').resources).toEqual({
    memoryBytes: 512 * 1024 * 1024,
    memorySwapBytes: -1,
    nanoCpus: 1_500_000_000,
    cpuShares: 512,
  })
  expect(body('--pids-limit', '-1', '--cpuset-cpus', '0-3', '--blkio-weight', '300', 'x').resources).toEqual({
    pidsLimit: -1,
    cpusetCpus: '0-3',
    blkioWeight: 300,
  })
  expect(body('--shm-size', '64m', 'x').shmSizeBytes).toBe(64 * 1024 * 1024)
})

test('a limit that is none names its option', () => {
  expect(() => body('-m', 'lots', 'x')).toThrow('--memory: not a size: "lots"')
  expect(() => body('--cpus', '-1', 'x')).toThrow('--cpus: not a number of processors')
  expect(() => body('--ulimit', 'nofile', 'x')).toThrow('--ulimit: not a limit')
  expect(() => body('--ulimit', 'nofile=10:5', 'x')).toThrow('above the hard one')
})

test('ulimits have a soft and a hard side', () => {
  expect(body('--ulimit', 'nofile=1024:2048', '--ulimit', 'core=-1', 'x').ulimits).toEqual([
    { name: 'nofile', soft: 1024, hard: 2048 },
    { name: 'core', soft: -1, hard: -1 },
  ])
})

test('a variable without a value has the one it has here, and is left out where it has none', () => {
  expect(body('-e', 'HOME', '-e', 'EMPTY', '-e', 'NONE', '-e', 'A=', 'x').env).toEqual([
    'HOME=/home/me',
    'EMPTY=',
    'A=',
  ])
})

test('a file of variables comes before those on the command line', () => {
  const path = file('env', '\uFEFF# comment\n\n  A=1 # kept\nHOME\nB= spaced value\r\n')
  expect(body('-e', 'A=2', '--env-file', path, 'x').env).toEqual([
    'A=1 # kept',
    'HOME=/home/me',
    'B= spaced value',
    'A=2',
  ])
  expect(() => body('--env-file', file('bad', 'no name=1\n'), 'x')).toThrow('not a variable')
  expect(() => body('--env-file', '/nonexistent/env', 'x')).toThrow(
    '--env-file: there is no file /nonexistent/env',
  )
})

test('labels come from files and from the command line, the later ones count', () => {
  const path = file('labels', '#c\na=1\nb\n')
  expect(body('-l', 'a=2', '--label-file', path, '-l', 'c=x=y', 'x').labels).toEqual({
    a: '2',
    b: '',
    c: 'x=y',
  })
  expect(() => body('-l', '=x', 'x')).toThrow('has no key')
  expect(Object.keys(body('-l', '__proto__=x', 'x').labels ?? {})).toEqual(['__proto__'])
})

test('a seccomp profile is read here and sent', () => {
  const path = file('profile.json', '{"defaultAction":"SCMP_ACT_ALLOW"}')
  expect(
    body('--security-opt', `seccomp=${path}`, '--security-opt', 'no-new-privileges', 'x').securityOpt,
  ).toEqual({
    seccomp: { defaultAction: 'SCMP_ACT_ALLOW' },
    noNewPrivileges: true,
  })
  expect(body('--security-opt=seccomp=unconfined', '--security-opt', 'apparmor=p', 'x').securityOpt).toEqual({
    seccomp: 'unconfined',
    apparmor: 'p',
  })
  expect(() => body('--security-opt', `seccomp=${file('no.json', '[1]')}`, 'x')).toThrow('holds no profile')
  expect(() => body('--security-opt', `seccomp=${file('bad.json', '{')}`, 'x')).toThrow('is not JSON')
  expect(() => body('--security-opt', 'selinux=x', 'x')).toThrow('unknown option "selinux=x"')
})

test('an empty entrypoint takes the image’s away', () => {
  expect(body('--entrypoint', '', 'x', 'ls')).toMatchObject({ entrypoint: [], command: ['ls'] })
  expect(body('--entrypoint', '/bin/x', 'y').entrypoint).toEqual(['/bin/x'])
})

test('a network, and what the container has there', () => {
  expect(body('--net', 'host', 'x').network).toBe('host')
  expect(body('x').network).toBeUndefined()
  const words = [
    '--network',
    'web',
    '--ip',
    '10.5.0.9',
    '--ip6',
    'fd00::9',
    '--mac-address',
    '02:00:00:00:00:01',
  ]
  expect(body(...words, '--network-alias', 'db', '--net-alias', 'cache', 'x')).toMatchObject({
    network: 'web',
    ipv4Address: '10.5.0.9',
    ipv6Address: 'fd00::9',
    macAddress: '02:00:00:00:00:01',
    networkAliases: ['db', 'cache'],
  })
})

test('a pull policy that is none names the nearest', () => {
  expect(body('--pull', 'always', 'x').pull).toBe('always')
  expect(() => body('--pull', 'alway', 'x')).toThrow(
    expect.objectContaining({ hint: 'did you mean always?' }),
  )
})

test('hosts are name and address, also of IPv6', () => {
  expect(
    body('--add-host', 'a:1.2.3.4', '--add-host', 'b=::1', '--add-host', 'c:[fe80::1]', 'x').extraHosts,
  ).toEqual(['a:1.2.3.4', 'b:::1', 'c:fe80::1'])
  expect(() => body('--add-host', 'a', 'x')).toThrow('--add-host: not a host')
})
