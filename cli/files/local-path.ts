/** Names of this machine's file system, whatever system it is: bytes on Linux, text elsewhere. Archives have them as latin1. */
import { sep } from 'node:path'
import { KagoError } from '../../shared/errors.ts'

const isLinux = process.platform === 'linux'
const isWindows = process.platform === 'win32'

/** A name of an archive, below a local directory. @throws invalid_argument for what this system would take for another */
export function localPath(directory: string, name: string): string | Buffer {
  if (name === '') return directory
  if (isLinux) {
    return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')])
  }
  const text = Buffer.from(name, 'latin1').toString()
  if (isWindows && text.split('/').some(isOddOnWindows)) {
    throw new KagoError('invalid_argument', `Windows has no file called ${JSON.stringify(text)}`)
  }
  return `${directory}${sep}${text.replaceAll('/', sep)}`
}

/** A local name as an archive has it. */
export function archiveName(name: string | Buffer): string {
  return (typeof name === 'string' ? Buffer.from(name) : name).toString('latin1')
}

/** Devices (`NUL`, `COM1.txt`), drives and streams (`a:b`), and names whose ends Windows drops. */
function isOddOnWindows(part: string): boolean {
  return (
    /[\\:*?"<>|]/.test(part) ||
    Buffer.from(part).some((byte) => byte < 32) ||
    /[. ]$/.test(part) ||
    /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(part)
  )
}
