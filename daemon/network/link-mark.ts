/** What links of this daemon bear as their alias, before what they are for: another daemon's are left alone. */
import { createHash } from 'node:crypto'
import type { NetworkContext } from './context.ts'

export function linkMark({ config }: Pick<NetworkContext, 'config'>): string {
  return `kago ${createHash('sha256').update(config.dataRoot).digest('hex').slice(0, 12)} `
}
