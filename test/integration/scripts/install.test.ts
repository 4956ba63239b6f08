/** The installer puts a whole kago under DESTDIR, one that needs nothing of the repository, and takes it away again. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const repository = join(import.meta.dirname, '../../..')
const dest = mkdtempSync(join(tmpdir(), 'kago-install-'))

function install(words: string[] = []) {
  const env = { ...process.env, DESTDIR: dest, PREFIX: '/opt/it' }
  return spawnSync(join(repository, 'scripts/install.sh'), words, { encoding: 'utf8', env })
}

function start(program: string, words: string[]) {
  const env = { PATH: '/usr/bin:/bin', HOME: dest }
  return spawnSync(join(dest, 'opt/it/bin', program), words, { encoding: 'utf8', env, cwd: '/' })
}

beforeAll(() => {
  const { status, stderr } = install()
  if (status !== 0) throw new Error(stderr)
})

afterAll(() => {
  rmSync(dest, { recursive: true, force: true })
})

describe('the installer', () => {
  it('installs programs that start, with their own Node and native modules', () => {
    expect(start('kago', ['run', '--help'])).toMatchObject({ status: 0, stderr: '' })
    expect(start('kagod', ['--version']).stdout).toMatch(/^kagod \d+\.\d+\.\d+ /)
    const library = join(dest, 'opt/it/lib/kago')
    const load = `for (const name of ['koffi', 'node-pty']) require(name)`
    const options = { encoding: 'utf8', cwd: library } as const
    expect(spawnSync(join(library, 'node'), ['-e', load], options)).toMatchObject({ status: 0, stderr: '' })
  })

  it('makes links that survive a move of the whole', () => {
    expect(readlinkSync(join(dest, 'opt/it/bin/kagod'))).toBe('../lib/kago/bin/kagod')
  })

  it('writes a unit that stops the daemon alone, from the prefix', () => {
    const unit = readFileSync(join(dest, 'etc/systemd/system/kagod.service'), 'utf8')
    expect(unit).toContain('\nExecStart=/opt/it/bin/kagod\n')
    expect(unit).toContain('\nKillMode=process\n')
    expect(unit).toContain('\nDelegate=yes\n')
    expect(unit).toContain('\nType=notify\nNotifyAccess=all\n')
  })

  it('installs completion for three shells', () => {
    for (const path of [
      'bash-completion/completions/kago',
      'zsh/site-functions/_kago',
      'fish/vendor_completions.d/kago.fish',
    ]) {
      expect(readFileSync(join(dest, 'opt/it/share', path), 'utf8')).toContain('kago')
    }
  })

  it('may be run again', () => {
    expect(install()).toMatchObject({ status: 0, stderr: '' })
    expect(readdirSync(join(dest, 'opt/it/lib'))).toEqual(['kago'])
  })

  it('refuses an option it does not know, and --purge alone', () => {
    expect(install(['--uninstal'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--uninstal'),
    })
    expect(install(['--purge'])).toMatchObject({ status: 1, stderr: expect.stringContaining('--uninstall') })
  })

  it('takes everything away again', () => {
    expect(install(['--uninstall'])).toMatchObject({ status: 0, stderr: '' })
    expect(existsSync(join(dest, 'opt/it/lib/kago'))).toBe(false)
    expect(readdirSync(join(dest, 'opt/it/bin'))).toEqual([])
    expect(existsSync(join(dest, 'etc/systemd/system/kagod.service'))).toBe(false)
  })
})
