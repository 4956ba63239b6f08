/**
 * Prints how many tests passed and failed, from vitest's JSON report and exit status:
 * `node scripts/count-tests.ts REPORT STATUS`. A file that could not run, a missing report and an unhandled
 * error (which no test owns) each count as a failure.
 */
import { existsSync, readFileSync } from 'node:fs'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

const Report = Type.Object({
  numPassedTests: Type.Integer(),
  numFailedTests: Type.Integer(),
  testResults: Type.Array(
    Type.Object({
      status: Type.String(),
      assertionResults: Type.Array(Type.Object({ status: Type.String() })),
    }),
  ),
})

const [path = '', status = '0'] = process.argv.slice(2)
const { passed, failed } = count(path)
process.stdout.write(`${passed} ${failed === 0 && status !== '0' ? 1 : failed}\n`)

function count(file: string): { passed: number; failed: number } {
  if (!existsSync(file)) return { passed: 0, failed: 1 }
  const report = Value.Parse(Report, JSON.parse(readFileSync(file, 'utf8')))
  const broken = report.testResults.filter(
    (result) =>
      result.status === 'failed' && result.assertionResults.every(({ status }) => status !== 'failed'),
  )
  return { passed: report.numPassedTests, failed: report.numFailedTests + broken.length }
}
