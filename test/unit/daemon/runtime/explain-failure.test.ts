/** What runtimes say, and what a person is told. */
import { expect, test } from 'vitest'
import { explainLog } from '../../../../daemon/runtime/explain-failure.ts'

const log = (msg: string): string =>
  `${JSON.stringify({ level: 'warning', msg: 'x' })}\n${JSON.stringify({ level: 'error', msg })}\n`

test.each([
  [
    'runc run failed: unable to start container process: exec: "nope": executable file not found in $PATH',
    'not_found',
    127,
    'nope was not found in the container',
  ],
  [
    'unable to start container process: exec: "/x/y": stat /x/y: no such file or directory',
    'not_found',
    127,
    '/x/y was not found in the container',
  ],
  [
    'executable file `foo` not found in $PATH: No such file or directory',
    'not_found',
    127,
    'foo was not found in the container',
  ],
  [
    'unable to start container process: exec: "/etc": is a directory',
    'permission_denied',
    126,
    '/etc cannot be executed: is a directory',
  ],
  [
    'exec: "/etc/passwd": permission denied',
    'permission_denied',
    126,
    '/etc/passwd cannot be executed: permission denied',
  ],
  [
    'exec container process `/x`: Exec format error',
    'permission_denied',
    126,
    '/x cannot be executed: exec format error',
  ],
  [
    'unable to start container process: chdir to cwd ("/nope") set in config.json failed: no such file or directory',
    'invalid_argument',
    126,
    'the working directory /nope cannot be entered: no such file or directory',
  ],
  [
    'open executable: Permission denied',
    'permission_denied',
    126,
    'the command cannot be executed: permission denied',
  ],
])('%s', (said, code, exitCode, message) => {
  expect(explainLog('runc', log(said), 'the shim said')).toMatchObject({
    code,
    message,
    details: { exitCode, runtimeMessage: said },
  })
})

test('a machine that the runtime refuses is not supported', () => {
  expect(
    explainLog('crun', log('cgroups in hybrid mode not supported, drop all controllers from cgroupv2'), ''),
  ).toMatchObject({ code: 'not_supported' })
})

test('what no rule knows is said as it is, without the prefixes', () => {
  expect(
    explainLog('runc', log('runc run failed: unable to start container process: odd'), ''),
  ).toMatchObject({
    code: 'internal',
    message: 'runc could not start the process: odd',
  })
})

test('without a log the shim’s message counts, and lines that are not JSON do too', () => {
  expect(explainLog('runc', '', 'runc failed with status 1').message).toBe(
    'runc could not start the process: runc failed with status 1',
  )
  expect(explainLog('unshare', 'mount: it failed\n', '').message).toBe(
    'unshare could not start the process: mount: it failed',
  )
  expect(explainLog('unshare', '', '').message).toBe(
    'unshare could not start the process: it left no message',
  )
})
