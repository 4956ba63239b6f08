import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openUsers, userLine } from '../../../../../daemon/api/registry/users.ts'

function fileOf(text: string, mode = 0o600): string {
  const directory = mkdtempSync(join(tmpdir(), 'kago-users-'))
  onTestFinished(() => {
    rmSync(directory, { recursive: true })
  })
  const file = join(directory, 'users')
  writeFileSync(file, text, { mode })
  return file
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('a line of a user', () => {
  it('holds no password, and is another each time', async () => {
    const lines = [await userLine('ann', 'canary'), await userLine('ann', 'canary')]
    expect(new Set(lines).size).toBe(2)
    for (const line of lines) expect(line).toMatch(/^ann:scrypt:[\w-]{22}:[\w-]{43}$/)
  })

  it.each(['', 'a:b', 'a b', '#a', 'x'.repeat(200)])('is not made for %j', async (name) => {
    await expect(userLine(name, 'canary')).rejects.toMatchObject({ code: 'invalid_argument' })
    await expect(userLine('ann', '')).rejects.toMatchObject({ code: 'invalid_argument' })
  })
})

describe('a file of users', () => {
  it('allows whom it names with the right password, and nobody else', async () => {
    const users = openUsers(
      fileOf(`# all\n\n${await userLine('ann', 'p:ü ')}\n${await userLine('bob', 'b')}\n`),
    )
    expect(await users.allows(basic('ann:p:ü '))).toBe(true)
    expect(await users.allows(basic('bob:b').replace('Basic', 'bASIC'))).toBe(true)
    const others = ['ann:b', 'bob:p:ü ', 'ann:p:ü', ':b', 'bob', 'eve:', '__proto__:b'].map(basic)
    for (const authorization of [...others, undefined, '', 'Basic', 'Basic !!!', 'Bearer x'])
      expect(await users.allows(authorization)).toBe(false)
  })

  it.each(['ann', 'ann:plain', 'ann:scrypt::', 'ann:md5:AAAAAAAAAAAAAAAA:AAAA', ':scrypt:a:b'])(
    'with the line %j is refused',
    (line) => {
      expect(() => openUsers(fileOf(`${line}\n`))).toThrow(
        expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining('line 1') }),
      )
    },
  )

  it('that others can read, or that is not there, is refused', () => {
    expect(() => openUsers(fileOf('', 0o640))).toThrow(/open to others/)
    expect(() => openUsers('/no/such/file')).toThrow(/cannot read the users/)
  })

  it('does not check more passwords at once than it has room for', async () => {
    const users = openUsers(fileOf(`${await userLine('ann', 'right')}\n`))
    const tries = Array.from({ length: 50 }, (_, index) => users.allows(basic(`ann:wrong ${index}`)))
    const ends = await Promise.allSettled(tries)
    expect(ends.filter(({ status }) => status === 'rejected').length).toBe(42)
    expect(await users.allows(basic('ann:right'))).toBe(true)
  })
})
