/** Options that stand before the command. */
import { flag, text } from './spec.ts'

export const globalOptions = {
  host: text('ADDRESS', "The daemon's socket, unix:///path (also by KAGO_HOST)", { short: 'H' }),
  version: flag('Show the versions and end', { short: 'v' }),
}
