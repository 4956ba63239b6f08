import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readConfig } from '../../../daemon/config.ts'

const directory = mkdtempSync(join(tmpdir(), 'kago-config-'))
afterAll(() => {
  rmSync(directory, { recursive: true })
})

function write(text: string): string {
  const path = join(directory, 'kagod.json')
  writeFileSync(path, text)
  return path
}

test('an empty file gives the defaults, and the socket lies in the run root', () => {
  expect(readConfig(write('{}'))).toMatchObject({
    dataRoot: '/var/lib/kago/v1',
    socket: '/run/kago/kagod.sock',
    defaultRuntime: 'runc',
    logMaxBytes: 10 * 1024 * 1024,
    logMaxFiles: 3,
  })
  expect(readConfig(write('{"runRoot":"/run/other"}')).socket).toBe('/run/other/kagod.sock')
})

test('what the command line says wins', () => {
  expect(readConfig(write('{"dataRoot":"/a"}'), { dataRoot: '/b' }).dataRoot).toBe('/b')
})

test.for([
  ['{"dataRot":"/x"}', 'unknown key dataRot (did you mean dataRoot?)'],
  ['{"logMaxFiles":0}', 'logMaxFiles: '],
  ['{"dataRoot":"relative"}', 'dataRoot: '],
  ['{"runtimes":{"crun":{"pth":"x"}}}', 'runtimes.crun'],
  ['[1]', 'the file: '],
  ['{', 'is not JSON'],
  ['{"defaultRuntime":"nope"}', 'no runtime is called nope'],
])('%s is refused, naming the file and the key', ([text, message]) => {
  const path = write(text ?? '')
  expect(() => readConfig(path)).toThrow(message)
  expect(() => readConfig(path)).toThrow(path)
})

test('a file that was asked for by name must be there', () => {
  expect(() => readConfig(join(directory, 'missing.json'))).toThrow('cannot read the configuration')
})
