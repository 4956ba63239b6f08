/** Programs that keep credentials for others: `docker-credential-NAME`, asked by words on stdin. */
import { spawn } from 'node:child_process'
import { KagoError } from '../../shared/errors.ts'
import type { Credentials } from '../../shared/protocol/system.ts'

const maxAnswerBytes = 1024 * 1024
/** The username that says: the secret is an identity token. */
const tokenUser = '<token>'

/** What a helper knows for a key, or undefined. @throws unavailable, without quoting what it said on stdout. */
export async function askHelper(helper: string, key: string): Promise<Credentials | undefined> {
  const { status, stdout } = await runHelper(helper, 'get', key)
  if (status !== 0) {
    if (/credentials not found/i.test(stdout)) return undefined
    throw new KagoError('unavailable', `docker-credential-${helper} failed for ${key}`, {
      hint: 'try it yourself: it is the helper that the configuration names',
    })
  }
  let answer: unknown
  try {
    answer = JSON.parse(stdout)
  } catch {
    throw new KagoError('unavailable', `docker-credential-${helper} answered something that is not JSON`)
  }
  const { Username: username, Secret: secret } = Object(answer) as Record<string, unknown>
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') return undefined
  return username === tokenUser ? { identityToken: secret } : { username, password: secret }
}

export async function storeWithHelper(helper: string, key: string, credentials: Credentials): Promise<void> {
  const entry =
    'identityToken' in credentials
      ? { Username: tokenUser, Secret: credentials.identityToken }
      : { Username: credentials.username, Secret: credentials.password }
  const { status } = await runHelper(helper, 'store', JSON.stringify({ ServerURL: key, ...entry }))
  if (status !== 0)
    throw new KagoError('unavailable', `docker-credential-${helper} did not keep the credentials`)
}

export async function eraseWithHelper(helper: string, key: string): Promise<void> {
  const { status, stdout } = await runHelper(helper, 'erase', key)
  if (status === 0 || /credentials not found/i.test(stdout)) return
  throw new KagoError('unavailable', `docker-credential-${helper} did not forget the credentials`)
}

async function runHelper(
  helper: string,
  verb: 'get' | 'store' | 'erase',
  input: string,
): Promise<{ status: number | null; stdout: string }> {
  if (!/^[\w.-]+$/.test(helper)) {
    throw new KagoError('invalid_argument', `not the name of a credential helper: ${JSON.stringify(helper)}`)
  }
  const program = `docker-credential-${helper}`
  return await new Promise((resolve, reject) => {
    const child = spawn(program, [verb], { stdio: ['pipe', 'pipe', 'inherit'] })
    const chunks: Buffer[] = []
    let size = 0
    child.once('error', (cause) => {
      reject(
        new KagoError('unavailable', `cannot run ${program}, which the configuration names`, {
          hint: 'install it, or take its name out of credsStore and credHelpers',
          cause,
        }),
      )
    })
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxAnswerBytes) chunks.push(chunk)
      else child.kill()
    })
    child.once('close', (status) => {
      resolve({ status, stdout: Buffer.concat(chunks).toString('utf8') })
    })
    // A helper that ends without reading its input is judged by its status.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
