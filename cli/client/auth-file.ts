/** The file that keeps registry credentials, in the shape of Docker's: read with suspicion, written whole or not at all. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { KagoError } from '../../shared/errors.ts'
import type { Credentials } from '../../shared/protocol/system.ts'

export interface AuthFile {
  readonly path: string
  /** By Docker's key: a host, or the Hub's old URL. */
  readonly auths: Readonly<Record<string, Credentials>>
  readonly credHelpers: Readonly<Record<string, string>>
  readonly credsStore: string | undefined
}

/** `$KAGO_CONFIG/config.json`, or the one of the user's configuration directory. */
export function ownFile(environment: NodeJS.ProcessEnv = process.env): string {
  const directory = environment['KAGO_CONFIG']
  if (directory !== undefined && directory !== '') return join(directory, 'config.json')
  return join(environment['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'kago', 'config.json')
}

/** Docker's own file: read only. */
export function dockerFile(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json')
}

/**
 * A missing file is an empty one.
 * @throws invalid_argument for one that is not JSON: it is not passed over, nor written over.
 */
export function readAuthFile(path: string): AuthFile {
  const whole = readObject(path)
  const auths: Record<string, Credentials> = {}
  for (const [key, value] of Object.entries(objectOf(whole['auths']))) {
    const credentials = decodeEntry(value)
    if (credentials !== undefined) auths[key] = credentials
  }
  const credHelpers: Record<string, string> = {}
  for (const [key, value] of Object.entries(objectOf(whole['credHelpers']))) {
    if (typeof value === 'string' && value !== '') credHelpers[key] = value
  }
  const store = whole['credsStore']
  return {
    path,
    auths,
    credHelpers,
    credsStore: typeof store === 'string' && store !== '' ? store : undefined,
  }
}

/** Keeps or (with undefined) forgets the credentials of a key. Other contents of the file stay. */
export function writeAuth(path: string, key: string, credentials: Credentials | undefined): void {
  const whole = readObject(path)
  const auths = { ...objectOf(whole['auths']) }
  if (credentials === undefined) delete auths[key]
  else auths[key] = encodeEntry(credentials)
  writeWhole(path, `${JSON.stringify({ ...whole, auths }, null, 2)}\n`)
}

function decodeEntry(value: unknown): Credentials | undefined {
  const { auth, identitytoken, username, password } = objectOf(value)
  if (typeof identitytoken === 'string' && identitytoken !== '') return { identityToken: identitytoken }
  if (typeof username === 'string' && typeof password === 'string' && username !== '')
    return { username, password }
  if (typeof auth !== 'string') return undefined
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon <= 0) return undefined
  // Some programs end the password with NUL bytes.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
}

function encodeEntry(credentials: Credentials): Record<string, string> {
  if ('identityToken' in credentials) return { identitytoken: credentials.identityToken }
  return { auth: Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64') }
}

function readObject(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return {}
    throw new KagoError('permission_denied', `cannot read the credentials in ${path}`, { cause: error })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's message would quote the file, and the file holds passwords.
    throw new KagoError('invalid_argument', `${path} is not JSON`, {
      hint: 'mend it, or move it away and log in again',
    })
  }
  return objectOf(value)
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.new`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' })
    chmodSync(temporary, 0o600)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw new KagoError('permission_denied', `cannot write the credentials to ${path}`, {
      hint: 'another directory for them: KAGO_CONFIG=/path',
      cause: error,
    })
  }
}
