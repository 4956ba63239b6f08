/** Who pulls: given with each call, never stored by the daemon. */
import { createHash } from 'node:crypto'

export type Credentials =
  | { username: string; password: string }
  /** An OAuth2 refresh token that a registry gave at login. */
  | { identityToken: string }

/** The value of an Authorization header. */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Tells one person's tokens from another's without holding a password in a map's keys. */
export function credentialsKey(credentials: Credentials | undefined): string {
  if (credentials === undefined) return 'anonymous'
  const parts =
    'identityToken' in credentials
      ? ['token', credentials.identityToken]
      : ['password', credentials.username, credentials.password]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
