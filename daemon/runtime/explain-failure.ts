/** What a runtime's log means: the one sentence a person needs, and the exit code that Docker's users expect. */
import { KagoError } from '../../shared/errors.ts'

interface Rule {
  pattern: RegExp
  explain: (match: RegExpExecArray) => KagoError
}

const notFound = (command: string): KagoError =>
  new KagoError('not_found', `${command} was not found in the container`, {
    hint: 'check the spelling, and whether the image has it',
    details: { exitCode: 127 },
  })

const notExecutable = (command: string, why: string): KagoError =>
  new KagoError('permission_denied', `${command} cannot be executed: ${why}`, { details: { exitCode: 126 } })

/** In order; the first that matches is taken. The patterns are runc's, then crun's wording. */
const rules: readonly Rule[] = [
  {
    pattern:
      /chdir to cwd \("?(.*?)"?\) set in config\.json failed: (.*)|chdir(?: to)? [`"'](.*?)[`"']:? (.*)/,
    explain: ([, runcPath, runcWhy, crunPath, crunWhy]) =>
      new KagoError(
        'invalid_argument',
        `the working directory ${runcPath ?? crunPath} cannot be entered: ${runcWhy ?? crunWhy}`,
        { hint: 'give another with --workdir', details: { exitCode: 126 } },
      ),
  },
  {
    pattern: /exec: "(.*?)": executable file not found in \$PATH/,
    explain: ([, command]) => notFound(command ?? 'the command'),
  },
  {
    pattern: /executable file [`'](.*?)[`'] not found/,
    explain: ([, command]) => notFound(command ?? 'the command'),
  },
  {
    pattern: /exec: "(.*?)": (?:stat .*?: )?no such file or directory/,
    explain: ([, command]) => notFound(command ?? 'the command'),
  },
  {
    pattern:
      /exec: "(.*?)": (?:stat .*?: )?(permission denied|is a directory|not a directory|exec format error)/,
    explain: ([, command, why]) => notExecutable(command ?? 'the command', why ?? 'refused'),
  },
  {
    pattern: /open executable: (Permission denied|Operation not permitted|Is a directory)/,
    explain: ([, why]) => notExecutable('the command', (why ?? '').toLowerCase()),
  },
  {
    pattern:
      /(?:exec container process|exec)[: ]+[`'"]?(.*?)[`'"]?: (Permission denied|Is a directory|Exec format error|exec format error)/,
    explain: ([, command, why]) => notExecutable(command || 'the command', (why ?? '').toLowerCase()),
  },
  {
    pattern: /cgroups in hybrid mode not supported/,
    explain: () =>
      new KagoError('not_supported', 'this runtime does not run on a machine with hybrid cgroups', {
        hint: 'use --runtime runc, or boot with systemd.unified_cgroup_hierarchy=1',
      }),
  },
  {
    pattern: /cannot exec in a (paused|stopped) container/,
    explain: ([, state]) => new KagoError('wrong_state', `the container is ${state}`),
  },
  {
    pattern: /container with (?:given )?ID already exists|container `(.*?)` already exists/i,
    explain: () => new KagoError('already_exists', 'the runtime already has a container with this id'),
  },
  {
    pattern: /mounting "(.*?)" to rootfs at "(.*?)".*: (no such file or directory|not a directory)/,
    explain: ([, source, target, why]) =>
      new KagoError('invalid_argument', `${source} cannot be mounted at ${target}: ${why}`, {
        hint: 'the source must exist, and both must be files or both directories',
      }),
  },
  {
    pattern: /no space left on device|cannot allocate memory|resource temporarily unavailable/i,
    explain: ([text]) =>
      new KagoError('exhausted', `the container could not be started: ${text.toLowerCase()}`),
  },
]

/** `log` is the runtime's JSON log; when it says nothing, `shimMessage` is looked at instead. */
export function explainLog(runtime: string, log: string, shimMessage: string): KagoError {
  const said = lastError(log) ?? shimMessage.trim()
  for (const { pattern, explain } of rules) {
    const match = pattern.exec(said)
    if (match) return withLog(explain(match), said)
  }
  return withLog(new KagoError('internal', `${runtime} could not start the process: ${shorten(said)}`), said)
}

function withLog(error: KagoError, said: string): KagoError {
  return new KagoError(error.code, error.message, {
    hint: error.hint,
    details: { ...error.details, runtimeMessage: said },
  })
}

/** The last line of level error or fatal; a line that is not JSON is taken as it is. */
function lastError(log: string): string | undefined {
  let last: string | undefined
  for (const line of log.split('\n')) {
    if (line.trim() !== '') last = messageOf(line) ?? last
  }
  return last
}

function messageOf(line: string): string | undefined {
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry !== 'object' || entry === null || !('msg' in entry)) return undefined
    const isError = !('level' in entry) || entry.level === 'error' || entry.level === 'fatal'
    return isError ? String(entry.msg) : undefined
  } catch {
    return line.trim()
  }
}

/** runc stacks its prefixes: `runc run failed: unable to start container process: …`; the tail is what matters. */
function shorten(said: string): string {
  const short = said
    .replace(
      /^(runc (run|exec|create) failed: |unable to start container process: |error during container init: )+/,
      '',
    )
    .trim()
  return short === '' ? 'it left no message' : short
}
