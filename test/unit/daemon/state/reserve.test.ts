import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepReserve, reserveBytes } from '../../../../daemon/state/reserve.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kago-reserve-'))
  path = join(directory, 'reserve')
})
afterEach(() => rmSync(directory, { recursive: true }))

test('the room is really taken, and given away once', () => {
  const reserve = keepReserve(path)
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(reserveBytes)
  expect(reserve.release()).toBe(true)
  expect(readdirSync(directory)).toEqual([])
  expect(reserve.release()).toBe(false)
})

test('it is taken again once asked, and whole after a start that was cut short', () => {
  writeFileSync(path, 'short')
  const reserve = keepReserve(path)
  expect(statSync(path).size).toBe(reserveBytes)
  reserve.release()
  reserve.restore()
  expect(statSync(path).size).toBe(reserveBytes)
  expect(reserve.release()).toBe(true)
})

test('a directory that cannot hold it gives none', () => {
  const reserve = keepReserve(join(directory, 'missing', 'reserve'))
  expect(reserve.release()).toBe(false)
})
