/**
 * Who may pull from this machine: a file of lines `NAME:scrypt:SALT:HASH`, both base64url, as `kagod registry-user NAME`
 * prints them. Empty lines and those that begin with # are skipped. The file is read again when it has changed.
 */
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { KagoError } from '../../../shared/errors.ts'

export interface Users {
  /** Whether an Authorization header names one of them, with the right password. */
  allows(authorization: string | undefined): Promise<boolean>
}

const derive = promisify<string, Buffer, number, Buffer>(scrypt)
const hashBytes = 32
const namePattern = /^[^\s:#][^\s:]{0,127}$/
/** Passwords being checked at once, each of which takes some milliseconds and 16 MiB; more are refused. */
const checksLimit = 8
const rememberedLimit = 1000

/** A line for the file. @throws invalid_argument for a name that cannot be one */
export async function userLine(name: string, password: string): Promise<string> {
  if (!namePattern.test(name))
    throw new KagoError('invalid_argument', `not a name for a user: ${JSON.stringify(name)}`, {
      hint: 'up to 128 characters without colons and white space',
    })
  if (password === '') throw new KagoError('invalid_argument', 'an empty password protects nothing')
  const salt = randomBytes(16)
  const hash = await derive(password, salt, hashBytes)
  return `${name}:scrypt:${salt.toString('base64url')}:${hash.toString('base64url')}`
}

/** @throws invalid_argument when the file cannot be read, is open to others, or has a line that is none */
export function openUsers(file: string): Users {
  let { users, version } = readUsers(file)
  // By a digest of the header, so that no password stays in memory: a pull asks some hundred times.
  const remembered = new Set<string>()
  let checks = 0
  return {
    async allows(authorization) {
      const given = parseBasic(authorization)
      if (given === undefined) return false
      if (versionOf(file) !== version) {
        ;({ users, version } = readUsers(file))
        remembered.clear()
      }
      const key = createHash('sha256').update(`${given.name}:${given.password}`).digest('base64')
      if (remembered.has(key)) return true
      if (checks >= checksLimit)
        throw new KagoError('unavailable', 'too many logins are being checked', { hint: 'try again' })
      checks += 1
      try {
        // A name that is unknown takes as long as one that is known.
        const user = users.get(given.name) ?? { salt: Buffer.alloc(16), hash: Buffer.alloc(hashBytes) }
        const hash = await derive(given.password, user.salt, hashBytes)
        const isRight = timingSafeEqual(hash, user.hash) && users.has(given.name)
        if (isRight && remembered.size < rememberedLimit) remembered.add(key)
        return isRight
      } finally {
        checks -= 1
      }
    },
  }
}

interface User {
  salt: Buffer
  hash: Buffer
}

function readUsers(file: string): { users: Map<string, User>; version: string } {
  const version = versionOf(file)
  const users = new Map<string, User>()
  for (const [index, line] of readText(file).split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [name = '', kind, salt = '', hash = ''] = line.trim().split(':')
    const user = { salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') }
    if (
      !namePattern.test(name) ||
      kind !== 'scrypt' ||
      user.hash.length !== hashBytes ||
      user.salt.length < 8
    )
      throw new KagoError('invalid_argument', `${file}: line ${index + 1} is not NAME:scrypt:SALT:HASH`, {
        hint: `make one with: kagod registry-user NAME >> ${file}`,
      })
    users.set(name, user)
  }
  return { users, version }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new KagoError('invalid_argument', `cannot read the users in ${file}`, { cause: error })
  }
}

function versionOf(file: string): string {
  let found: ReturnType<typeof statSync>
  try {
    found = statSync(file)
  } catch (error) {
    throw new KagoError('invalid_argument', `cannot read the users in ${file}`, { cause: error })
  }
  if (found === undefined || (Number(found.mode) & 0o077) !== 0)
    throw new KagoError('invalid_argument', `${file} is open to others than its owner`, {
      hint: `close it: chmod 600 ${file}`,
    })
  return `${found.ino} ${found.size} ${found.mtimeMs}`
}

function parseBasic(authorization: string | undefined): { name: string; password: string } | undefined {
  const encoded = /^basic ([A-Za-z0-9+/=]{1,4096})$/i.exec(authorization ?? '')?.[1]
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon <= 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
