import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { chooseSnapshotter } from '../../../../daemon/snapshot/choose.ts'

let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kago-choose-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true, force: true })
})

it('chooses overlay where it mounts, and leaves no trace of the trial', async () => {
  const { snapshotter, reason } = await chooseSnapshotter(join(home, 'layers'))
  expect(reason).toBeUndefined()
  expect(snapshotter.name).toBe('overlay')
  expect(readdirSync(join(home, 'layers'))).toEqual([])
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(home)
})

it('chooses copies where overlay cannot be tried, and says why', async () => {
  const programs = join(home, 'bin')
  mkdirSync(programs)
  symlinkSync('/bin/rm', join(programs, 'rm'))
  vi.stubEnv('PATH', programs)
  const { snapshotter, reason } = await chooseSnapshotter(join(home, 'layers'))
  expect(snapshotter.name).toBe('copy')
  expect(reason).toContain('cannot run unshare')
  expect(readdirSync(join(home, 'layers'))).toEqual([])
})
