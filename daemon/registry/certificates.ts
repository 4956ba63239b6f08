/** Whom TLS trusts: Node's own authorities, the system's, and those that certsDir has for one registry. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getCACertificates } from 'node:tls'
import { KagoError } from '../../shared/errors.ts'

/** Where Debian, Fedora, openSUSE and Alpine keep them all in one file. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

let shared: Promise<string[]> | undefined

/**
 * The PEM certificates to trust for a host: `HOST[:PORT]/*.crt` in certsDir beside the usual ones, as Docker has it.
 * @throws invalid_argument when certsDir has files for the host that cannot be read.
 */
export async function trustedCertificates(certsDir: string | undefined, host: string): Promise<string[]> {
  shared ??= usualCertificates()
  const own = certsDir === undefined ? [] : await certificatesOf(join(certsDir, directoryOf(host)))
  return [...(await shared), ...own]
}

/** Whether certsDir says anything about a host. */
export async function hasOwnCertificates(certsDir: string | undefined, host: string): Promise<boolean> {
  return certsDir !== undefined && (await crtFiles(join(certsDir, directoryOf(host)))).length > 0
}

async function usualCertificates(): Promise<string[]> {
  const bundled = getCACertificates('default')
  for (const path of systemBundles) {
    try {
      return [...bundled, await readFile(path, 'utf8')]
    } catch (error) {
      if (!isMissing(error)) throw unreadable(path, error)
    }
  }
  return bundled
}

async function certificatesOf(directory: string): Promise<string[]> {
  const files = await crtFiles(directory)
  return await Promise.all(
    files.map(async (file) => {
      try {
        return await readFile(join(directory, file), 'utf8')
      } catch (error) {
        throw unreadable(join(directory, file), error)
      }
    }),
  )
}

async function crtFiles(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((file) => file.endsWith('.crt')).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw unreadable(directory, error)
  }
}

function unreadable(path: string, cause: unknown): KagoError {
  return new KagoError('invalid_argument', `cannot read the certificates in ${path}`, { cause })
}

/** A host comes from a checked reference or a parsed URL: it has no slash, and is never only dots. */
function directoryOf(host: string): string {
  return /^\.*$/.test(host) ? '-' : host.replaceAll('/', '-')
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
