/**
 * The firewall as it is in the kernel: the document, applied whole by one call of nft, and published ports, put into its
 * maps one by one. Somebody who flushes the ruleset takes it away for a second at most.
 */
import { isKagoError, toKagoError } from '../../shared/errors.ts'
import { runQuickTool } from '../host/exec.ts'
import type { Log } from '../telemetry/log.ts'
import {
  elementOf,
  type FirewallNetwork,
  type FirewallPort,
  keyOf,
  mapOf,
  renderFirewall,
} from './firewall.ts'
import { addElements, countRules, removeElements, rulesetGeneration } from './firewall-elements.ts'

export interface Firewall {
  /** Why there is none, or undefined. */
  problem(): string | undefined
  /** Applies the whole document, as networks and ports are now. Where it cannot be, the log and `problem` say so. */
  refresh(): Promise<void>
  /** Leads ports to their containers. */
  add(ports: readonly FirewallPort[]): Promise<void>
  /** Leads them nowhere any more. */
  remove(ports: readonly FirewallPort[]): Promise<void>
  /** Looks once whether the document is still in place, and puts it back if not. */
  check(): Promise<void>
  close(): void
}

export interface FirewallOptions {
  table: string
  networks: () => readonly FirewallNetwork[]
  log: Log
}

const checkEveryMs = 1000

export function createFirewall({ table, networks, log }: FirewallOptions): Firewall {
  const ports = new Map<string, FirewallPort>()
  let problem: string | undefined = 'it was not set up yet'
  let rules: number | undefined
  let generation: number | undefined
  let isWanted = false
  let applying: Promise<void> | undefined
  const timer = setInterval(() => void check(), checkEveryMs).unref()

  async function apply(): Promise<void> {
    // What changes while nft reads is in the next document.
    while (isWanted) {
      isWanted = false
      const input = renderFirewall({ table, networks: networks(), ports: [...ports.values()] })
      try {
        await runQuickTool('nft', ['-f', '-'], { input })
        rules = countRules(table)
        problem = undefined
      } catch (error) {
        problem = toKagoError(error).message
        log.error({ err: error, hint: hintFor(error) }, 'the firewall could not be written')
      }
    }
  }

  async function refresh(): Promise<void> {
    isWanted = true
    applying ??= apply().finally(() => {
      applying = undefined
    })
    await applying
  }

  async function check(): Promise<void> {
    if (problem !== undefined || applying !== undefined) return
    const now = rulesetGeneration()
    if (now === generation) return
    generation = now
    if (countRules(table) === rules) return
    log.warn({ table }, 'somebody flushed the firewall; it is put back')
    await refresh()
  }

  /** Elements by the short way; where that is not open, the whole document says the same. */
  async function change(
    changed: readonly FirewallPort[],
    send: (table: string, ports: readonly FirewallPort[]) => string | undefined,
  ): Promise<void> {
    if (changed.length === 0 || problem !== undefined) return
    // A document that is being written may have been rendered before the change.
    if (applying !== undefined || send(table, changed) !== undefined) await refresh()
  }

  return {
    problem: () => problem,
    refresh,
    async add(added) {
      for (const port of added) ports.set(`${mapOf(port)} ${keyOf(port)}`, port)
      await change(added, addElements)
    },
    async remove(removed) {
      // Its number may lead elsewhere by now.
      const gone = removed.filter((port) => {
        const key = `${mapOf(port)} ${keyOf(port)}`
        const now = ports.get(key)
        return now !== undefined && elementOf(now) === elementOf(port) && ports.delete(key)
      })
      await change(gone, removeElements)
    },
    check,
    close() {
      clearInterval(timer)
    },
  }
}

function hintFor(error: unknown): string {
  const hint = isKagoError(error) ? error.hint : undefined
  return (
    hint ?? 'published ports are passed on by kagod itself until it can; containers do not reach the world'
  )
}
