/** The words between the container's process and its command: what it does when no program of the host is left. */
import type { Process } from '../../../shared/oci/runtime-spec.ts'
import { quote } from './quote.ts'

/**
 * The last script, read from descriptor 9 by the container's process itself: only words of the shell are used, since
 * after `go` no program of the host is there any more.
 */
export function enterScript(process: Process): string {
  return [
    '# The container’s process, with its user and capabilities, before it becomes the command.',
    'echo ready >&7',
    'read -r word <&8 || exit 125',
    'no() { echo "$*" >&7; exit "$1"; }',
    'umask 0022',
    `cd ${quote(process.cwd)} 2>/dev/null || no 126 'chdir to cwd ("'${quote(oneLine(process.cwd))}'") set in config.json failed: it is not a directory that the user may enter'`,
    'unset PATH LC_ALL PWD OLDPWD SHLVL IFS',
    ...process.env.map((entry) => {
      const equals = entry.indexOf('=')
      return `export ${entry.slice(0, equals)}=${quote(entry.slice(equals + 1))}`
    }),
    `set -- ${process.args.map(quote).join(' ')}`,
    lookUp(oneLine(process.args[0] ?? '')),
    '# the parent must have ended, and the shim taken its place, before this one can end: so wait for its end of “down”',
    'echo 0 >&7',
    'read -r word <&8 || :',
    'unset word',
    'name=$1; shift',
    'exec -a "$name" "$found" "$@" 2>&6 6>&- 7>&- 8<&- 9<&-',
    '',
  ].join('\n')
}

/** Says before the exec what the exec would fail with, in runc's words. */
function lookUp(shown: string): string {
  const say = (code: number, why: string): string => `no ${code} ${quote(`exec: "${shown}": ${why}`)}`
  return [
    'case $1 in',
    '*/*)',
    '  found=$1',
    `  [ -e "$found" ] || ${say(127, 'no such file or directory')}`,
    `  [ ! -d "$found" ] || ${say(126, 'is a directory')}`,
    `  [ -x "$found" ] || ${say(126, 'permission denied')}`,
    '  ;;',
    '*)',
    '  found= rest=${PATH-}:',
    '  while [ -z "$found" ] && [ -n "$rest" ]; do',
    '    place=${rest%%:*} rest=${rest#*:}',
    '    place=${place:-.}/$1',
    '    if [ -f "$place" ] && [ -x "$place" ]; then found=$place; fi',
    '  done',
    `  [ -n "$found" ] || ${say(127, 'executable file not found in $PATH')}`,
    '  ;;',
    'esac',
  ].join('\n')
}

function oneLine(text: string): string {
  return text.replace(/[\0-\x1f\x7f]+/g, '?')
}
