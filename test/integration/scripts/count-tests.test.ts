/** The last line of a test run must never call a broken run a good one. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const script = join(import.meta.dirname, '../../../scripts/count-tests.ts')
const folder = mkdtempSync(join(tmpdir(), 'kago-count-'))

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function count(report: object | undefined, status: number): string {
  const path = join(folder, 'report.json')
  rmSync(path, { force: true })
  if (report !== undefined) writeFileSync(path, JSON.stringify(report))
  return execFileSync(process.execPath, [script, path, String(status)], { encoding: 'utf8' }).trim()
}

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((one) => ({ status: one })),
})

describe('the count of tests', () => {
  it('is what vitest says when all is well', () => {
    const report = { numPassedTests: 2, numFailedTests: 0, testResults: [file('passed', 'passed', 'passed')] }
    expect(count(report, 0)).toBe('2 0')
  })

  it('counts a file that could not run as a failure', () => {
    const report = {
      numPassedTests: 1,
      numFailedTests: 0,
      testResults: [file('passed', 'passed'), file('failed')],
    }
    expect(count(report, 1)).toBe('1 1')
  })

  it('counts each failed test once', () => {
    const report = { numPassedTests: 1, numFailedTests: 1, testResults: [file('failed', 'passed', 'failed')] }
    expect(count(report, 1)).toBe('1 1')
  })

  it('counts an error that belongs to no test', () => {
    const report = { numPassedTests: 1, numFailedTests: 0, testResults: [file('passed', 'passed')] }
    expect(count(report, 1)).toBe('1 1')
  })

  it('counts a missing report as a failure', () => {
    expect(count(undefined, 0)).toBe('0 1')
  })
})
