/** Other firewalls of the machine that drop what containers send or are sent: named, never changed. */
import { isKagoError, type KagoError } from '../../shared/errors.ts'
import { runTool } from '../host/exec.ts'
import type { Feature } from '../host/features.ts'
import type { NetworkContext, Obstacle } from './context.ts'

/** What `kago info` says of networks. */
export async function networkFeatures({ config, firewall }: NetworkContext): Promise<Feature[]> {
  const problem = firewall.problem()
  const own: Feature =
    problem === undefined
      ? { name: 'firewall', available: true, detail: `nftables, table inet ${config.firewallTable}` }
      : {
          name: 'firewall',
          available: false,
          detail: `${problem}: published ports are passed on by kagod, containers do not reach the world`,
          hint: 'install it with: apt install nftables',
        }
  return [own, await forwardingFeature(config.firewallTable, config.bridge)]
}

async function forwardingFeature(table: string, bridge: string): Promise<Feature> {
  const name = 'forwarding'
  const ruleset = await readRuleset()
  if (isKagoError(ruleset))
    return { name, available: true, detail: `other firewalls are not known: ${ruleset.message}` }
  const obstacle = findObstacle(ruleset, table, bridge)
  if (obstacle === undefined) return { name, available: true, detail: 'no other firewall is in the way' }
  return { name, available: false, ...obstacle }
}

async function readRuleset(): Promise<string | KagoError> {
  try {
    return (await runTool('nft', ['-j', 'list', 'ruleset'])).stdout
  } catch (error) {
    if (isKagoError(error)) return error
    throw error
  }
}

const knownForMs = 60_000

/**
 * The same for those who publish a port, who are not to wait for it: what is known, and asked again in the background when
 * that is a minute old.
 */
export async function knownObstacle({ config, memory, log }: NetworkContext): Promise<Obstacle | undefined> {
  const look = async () => {
    const ruleset = await readRuleset()
    const found = isKagoError(ruleset)
      ? undefined
      : findObstacle(ruleset, config.firewallTable, config.bridge)
    memory.obstacle = { at: Date.now(), found }
    return found
  }
  if (memory.obstacle === undefined) return await look()
  if (Date.now() - memory.obstacle.at > knownForMs) {
    look().catch((error: unknown) => {
      log.warn({ err: error }, 'other firewalls are not known')
    })
  }
  return memory.obstacle.found
}

/**
 * The first chain of another's that drops what is forwarded, and how its owner lets containers through. Rules of it
 * that name the bridge say that somebody has seen to that.
 */
export function findObstacle(rulesetJson: string, ownTable: string, bridge: string): Obstacle | undefined {
  const items = itemsOf(rulesetJson)
  const foreign = items.filter(({ table }) => table !== ownTable && !String(table).startsWith('kago'))
  const names = new Set(foreign.map(({ name }) => String(name)))
  const tables = new Set(foreign.map(({ table }) => String(table)))
  if (JSON.stringify(foreign).includes(JSON.stringify(bridge))) return undefined
  const chain = foreign.find(({ hook, policy }) => hook === 'forward' && policy === 'drop')
  const place =
    chain && `chain ${String(chain['name'])} of table ${String(chain['family'])} ${String(chain['table'])}`
  if (tables.has('firewalld')) {
    return {
      detail: 'firewalld rejects what it has no zone for: containers and their published ports are cut off',
      hint: `firewall-cmd --permanent --zone=trusted --add-interface=${bridge} && firewall-cmd --reload`,
    }
  }
  if (place === undefined) return undefined
  if ([...names].some((name) => name.startsWith('ufw-'))) {
    return {
      detail: `ufw drops what is forwarded (${place}): containers and their published ports are cut off`,
      hint: `ufw route allow in on ${bridge} && ufw route allow out on ${bridge}`,
    }
  }
  if (names.has('DOCKER-USER')) {
    return {
      detail: `Docker drops what is forwarded (${place}): containers and their published ports are cut off`,
      hint: `iptables -I DOCKER-USER -i ${bridge} -j ACCEPT && iptables -I DOCKER-USER -o ${bridge} -j ACCEPT`,
    }
  }
  return {
    detail: `${place} drops what is forwarded: containers and their published ports are cut off`,
    hint: `accept there what comes from ${bridge} and what goes to it`,
  }
}

/** Tables, chains and rules, as flat objects. */
function itemsOf(json: string): Record<string, unknown>[] {
  const document: unknown = JSON.parse(json)
  const list = isObject(document) ? document['nftables'] : undefined
  if (!Array.isArray(list)) return []
  return list.flatMap((entry: unknown) => (isObject(entry) ? Object.values(entry).filter(isObject) : []))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
