/** Values in a script: whatever they hold, they stay one word and mean themselves. */
import { KagoError } from '../../../shared/errors.ts'

/** One word of a POSIX shell. In single quotes nothing is special, and a quote itself is put between two strings. */
export function quote(text: string): string {
  if (text.includes('\0'))
    throw new KagoError('invalid_argument', 'a value with a NUL byte cannot be given to a program')
  return /^[A-Za-z0-9_/.:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** Paths of kago's own that go into an fstab as they are. */
export function plainPath(path: string): string {
  if (/^\/[A-Za-z0-9_/.:=@%+-]*$/.test(path)) return path
  throw new KagoError(
    'not_supported',
    `the unshare runtime cannot work in ${path}: the name has unusual characters`,
    {
      hint: 'choose run and data directories of letters, digits and ._-',
    },
  )
}

/** Whether a shell can hold and export a variable of this name. */
export function isShellName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
}
