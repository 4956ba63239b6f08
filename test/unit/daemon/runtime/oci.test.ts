/** What kago makes of a runtime's answers where cgroup v1 and v2 differ, with a program that gives those of runc. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Runtime } from '../../../../daemon/runtime/contract.ts'
import { createOciRuntime } from '../../../../daemon/runtime/oci.ts'
import { isKagoError } from '../../../../shared/errors.ts'

/**
 * runc 1.1 with cgroup v2: a container is paused as long as its cgroup is frozen, whether or not a process is in it.
 * `frozen` and `pids` are files beside it; `calls` gets each subcommand.
 */
const program = String.raw`#!/bin/sh
cd "${'$'}{0%/*}"
shift 2
echo "$1" >>calls
say() { echo "time=\"now\" level=error msg=\"$1\"" >&2; exit 1; }
[ -e known ] || say "$(cat unknown)"
status=stopped
[ ! -s pids ] || status=running
[ ! -e frozen ] || status=paused
case $1 in
state) echo "{\"status\":\"$status\",\"pid\":$(cat first)}" ;;
ps) echo "[$(cat pids)]" ;;
resume)
  if [ -e somebody-is-quicker ]; then rm -f frozen; say 'container not paused'; fi
  [ -e frozen ] || say 'container not paused'
  rm frozen
  ;;
delete)
  [ $status = stopped ] || say "cannot delete container c that is not stopped: $status"
  rm known
  ;;
esac
`

let directory: string
let runtime: Runtime
const put = (name: string, text = ''): void => writeFileSync(join(directory, name), text)
const calls = (): string[] => readFileSync(join(directory, 'calls'), 'utf8').trim().split('\n')

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kago-test-oci-'))
  writeFileSync(join(directory, 'runc'), program, { mode: 0o755 })
  put('known')
  put('pids')
  // larger than any pid of Linux: nobody has it
  put('first', '4194305')
  runtime = createOciRuntime({ name: 'runc', path: join(directory, 'runc'), root: join(directory, 'root') })
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('what has ended is deleted by one call', async () => {
  await runtime.delete('c')
  expect(calls()).toEqual(['delete'])
})

test('what was killed while it was frozen is thawed, then deleted', async () => {
  put('frozen')
  await runtime.delete('c')
  expect(calls().filter((call) => call !== 'state')).toEqual(['delete', 'ps', 'resume', 'delete'])
})

test('what is frozen and lives is not deleted', async () => {
  put('frozen')
  put('pids', '4194305')
  await expect(runtime.delete('c')).rejects.toSatisfy((error) => isKagoError(error, 'wrong_state'))
  expect(calls()).not.toContain('resume')
})

test('a deletion does not mind that somebody else has thawed it', async () => {
  put('frozen')
  put('somebody-is-quicker')
  await runtime.delete('c', { force: true })
  expect(calls().filter((call) => call !== 'state')).toEqual(['resume', 'delete'])
})

test.each([
  ['container does not exist'],
  // crun 1.8
  ['cannot open directory `/run/kago/runtime/crun/c`: No such file or directory'],
])('what is not known is deleted already: %s', async (words) => {
  rmSync(join(directory, 'known'))
  put('unknown', words)
  await runtime.delete('c')
  await runtime.delete('c', { force: true })
})
