/** Signals to kago itself: passed on to a container, or the end of kago with the terminal as it was. */
import { constants } from 'node:os'

/** All that a user sends on purpose. Those that a process cannot catch, or that mean something to Node itself, are not. */
const proxied = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
] as const

type SignalName = (typeof proxied)[number]

export function exitCodeOfSignal(name: NodeJS.Signals): number {
  return 128 + (constants.signals[name] ?? 0)
}

/** Calls back for each; answers with what stops that. Signals that a system does not know are passed over. */
export function onSignals(
  names: readonly NodeJS.Signals[],
  callback: (name: NodeJS.Signals) => void,
): () => void {
  const known = names.filter((name) => name in constants.signals)
  for (const name of known) process.on(name, callback)
  return () => {
    for (const name of known) process.off(name, callback)
  }
}

export const proxiedSignals: readonly SignalName[] = proxied

/** Those that end a program that does nothing about them. */
export const endingSignals: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM']
