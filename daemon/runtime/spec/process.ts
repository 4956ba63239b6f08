/** What runs: the words of the command, its environment and its working directory. */
import { posix } from 'node:path'
import { KagoError } from '../../../shared/errors.ts'
import type { SpecInput } from './input.ts'

/** Where kago-init appears in the container: /dev is kago's own tmpfs, so the image is not touched. */
export const initDestination = '/dev/kago-init'

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Entrypoint and command as Docker joins them: an entrypoint that was asked for makes the image's Cmd void. */
export function processArguments(input: SpecInput): string[] {
  const { options, imageConfig } = input
  const isReset = options.entrypoint?.length === 1 && options.entrypoint[0] === ''
  const entrypoint = isReset ? [] : (options.entrypoint ?? imageConfig.Entrypoint ?? [])
  const asked = options.command ?? []
  const usesImageCommand = asked.length === 0 && (options.entrypoint ?? []).length === 0
  const words = [...entrypoint, ...(usesImageCommand ? (imageConfig.Cmd ?? []) : asked)]
  if (words.length === 0) {
    throw new KagoError('invalid_argument', 'there is no command to run: the image names none', {
      hint: 'give one after the image name, as: kago run IMAGE COMMAND',
    })
  }
  if (words[0] === '') throw new KagoError('invalid_argument', 'the command to run is an empty word')
  words.forEach((word) => refuseNul(word, 'a word of the command'))
  return options.init ? [initDestination, '--', ...words] : words
}

/** PATH, HOSTNAME, TERM for a terminal, then the image's and the asked for variables, and HOME if nobody set it. */
export function processEnvironment(input: SpecInput): string[] {
  const variables = new Map<string, string>()
  const hostname =
    input.options.hostname ?? (input.networkMode === 'host' ? input.host.hostname : input.id.slice(0, 12))
  set(variables, defaultPath)
  set(variables, `HOSTNAME=${hostname}`)
  if (input.options.terminal) set(variables, 'TERM=xterm')
  for (const entry of [...(input.imageConfig.Env ?? []), ...input.options.env]) set(variables, entry)
  if (!variables.has('HOME')) set(variables, `HOME=${input.user.home ?? '/'}`)
  return [...variables.values()]
}

/** A later value takes the earlier one's place in the order; a bare name removes the variable. */
function set(variables: Map<string, string>, entry: string): void {
  refuseNul(entry, 'an environment variable')
  const equals = entry.indexOf('=')
  if (equals === 0 || entry === '') {
    throw new KagoError('invalid_argument', 'an environment variable has no name', {
      hint: 'write it as NAME=value',
    })
  }
  if (equals === -1) variables.delete(entry)
  else variables.set(entry.slice(0, equals), entry)
}

/**
 * Absolute and cleaned. Not under /proc: a path as /proc/self/fd/7 would lead through a file the runtime left open,
 * out of the container (CVE-2024-21626).
 */
export function workingDirectory(input: SpecInput): string {
  return checkWorkingDirectory(input.options.workingDir || input.imageConfig.WorkingDir || '/')
}

/** The same rule for `exec --workdir`. */
export function checkWorkingDirectory(path: string): string {
  refuseNul(path, 'the working directory')
  if (!path.startsWith('/')) {
    throw new KagoError('invalid_argument', `working directory ${path} is not absolute`, {
      hint: `begin it with a slash: /${path}`,
    })
  }
  const clean = posix.normalize(path).replace(/(.)\/+$/, '$1')
  if (/^\/(proc|dev)(\/.*)?\/fd(\/|$)/.test(clean) || /^\/proc\/([^/]+\/)*(root|cwd|exe)(\/|$)/.test(clean)) {
    throw new KagoError(
      'invalid_argument',
      `working directory ${path} leads through an open file of a process`,
    )
  }
  return clean
}

function refuseNul(text: string, what: string): void {
  if (text.includes('\0')) throw new KagoError('invalid_argument', `${what} contains a NUL byte`)
}
