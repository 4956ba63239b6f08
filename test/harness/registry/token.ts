/** Tokens as distribution checks them: RS256, with the certificate of the signer in the header. */
import { execFileSync } from 'node:child_process'
import { createPrivateKey, createSign, randomUUID, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Signer {
  certificatePem: string
  keyPem: string
}

export interface Grant {
  type: string
  name: string
  actions: string[]
}

export const issuer = 'kago-test-issuer'
export const service = 'kago-test-registry'

let signer: Signer | undefined

/** A key and its certificate for 127.0.0.1, made once for a process. */
export function testSigner(): Signer {
  signer ??= makeCertificate()
  return signer
}

/** A self-signed certificate; its names are 127.0.0.1, localhost and what is given. */
export function makeCertificate(names: string[] = []): Signer {
  const directory = mkdtempSync(join(tmpdir(), 'kago-certificate-'))
  try {
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
    const alternatives = ['IP:127.0.0.1', 'DNS:localhost', ...names].join(',')
    execFileSync(
      'openssl',
      // biome-ignore format: one option and its value a line
      [
        'req', '-x509', '-nodes',
        '-newkey', 'rsa:2048',
        '-days', '3',
        '-subj', '/CN=kago test',
        '-addext', `subjectAltName=${alternatives}`,
        '-keyout', key,
        '-out', certificate,
      ],
      { stdio: 'ignore' },
    )
    return { keyPem: readFileSync(key, 'utf8'), certificatePem: readFileSync(certificate, 'utf8') }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

export function signToken(
  { keyPem, certificatePem }: Signer,
  access: Grant[],
  lifetimeSeconds: number,
): string {
  const now = Math.floor(Date.now() / 1000)
  const x5c = [new X509Certificate(certificatePem).raw.toString('base64')]
  const header = encode({ typ: 'JWT', alg: 'RS256', x5c })
  const claims = {
    iss: issuer,
    sub: '',
    aud: service,
    exp: now + lifetimeSeconds,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
  }
  const payload = encode({ ...claims, access })
  const signature = createSign('RSA-SHA256')
    .update(`${header}.${payload}`)
    .sign(createPrivateKey(keyPem))
    .toString('base64url')
  return `${header}.${payload}.${signature}`
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
