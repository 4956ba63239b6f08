/** `npm ci` refuses a lock file that leaves out a platform's optional package: none may be left out. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const repository = join(import.meta.dirname, '../../..')
let folder = ''
let copy = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kago-lock-'))
  copy = join(folder, 'package-lock.json')
  copyFileSync(join(repository, 'package-lock.json'), copy)
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function complete(): string {
  return execFileSync(process.execPath, [join(repository, 'scripts/complete-lock.ts'), copy], {
    encoding: 'utf8',
  })
}

describe('the lock file', () => {
  it('names every optional platform package', () => {
    expect(complete()).toBe('nothing is missing\n')
  })

  it('is repaired when one is left out', () => {
    const whole = readFileSync(copy, 'utf8')
    const lock = JSON.parse(whole)
    delete lock.packages['node_modules/@biomejs/cli-darwin-arm64']
    writeFileSync(copy, JSON.stringify(lock))
    expect(complete()).toBe('added @biomejs/cli-darwin-arm64\n')
    expect(JSON.parse(readFileSync(copy, 'utf8'))).toEqual(JSON.parse(whole))
  })

  it('names no registry', () => {
    expect(readFileSync(copy, 'utf8')).not.toMatch(/"resolved"/)
  })
})
