/** `kago port`: the published ports of a container; with `--who`, who reaches them. */
import { KagoError } from '../../shared/errors.ts'
import type { ContainerSummary, Port } from '../../shared/protocol/containers.ts'
import { call, type Client } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { describeAddress } from '../format/container.ts'
import { alignColumns } from '../format/table.ts'
import { flag } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[--who] [CONTAINER [PORT[/PROTOCOL]]]',
  words: { min: 0, max: 2 },
  options: { who: flag('Say which addresses reach each port; without a container, for all that run') },
  async run({ client, options, words: [id, wanted] }) {
    if (options.who) return await printReach(client, id)
    if (id === undefined) {
      throw new KagoError('invalid_argument', 'which container?', {
        hint: 'kago port CONTAINER, or kago port --who',
      })
    }
    const ports = await call(client, 'container.ports', { params: { id }, query: {} })
    const published = ports.filter(({ hostPort }) => hostPort !== undefined)
    const name = wanted === undefined || wanted.includes('/') ? wanted : `${wanted}/tcp`
    for (const port of published) {
      const inside = insideOf(port)
      if (name === undefined) await print(`${escapeLine(`${inside} -> ${outsideOf(port)}`)}\n`)
      else if (name === inside) await print(`${escapeLine(outsideOf(port))}\n`)
    }
    if (name === undefined || published.some((port) => name === insideOf(port))) return undefined
    throw new KagoError('not_found', `container ${id} publishes no port ${name}`, {
      hint: `see all: kago port ${id}`,
    })
  },
})

async function printReach(client: Client, id: string | undefined): Promise<undefined> {
  const names = id === undefined ? await runningNames(client) : [id]
  const rows: string[][] = []
  for (const name of names) {
    const ports = await call(client, 'container.ports', { params: { id: name }, query: { who: true } })
    for (const port of ports.filter(({ hostPort }) => hostPort !== undefined)) {
      rows.push([name, insideOf(port), outsideOf(port), describeReach(port)].map(escapeLine))
    }
  }
  await print(
    alignColumns([['CONTAINER', 'PORT', 'PUBLISHED AT', 'REACHED BY'], ...rows].map((row) => row.join('\t'))),
  )
  return undefined
}

async function runningNames(client: Client): Promise<string[]> {
  const containers: ContainerSummary[] = await call(client, 'container.list', { query: {} })
  return containers.map(({ name }) => name)
}

function describeReach({ reachable = [] }: Port): string {
  if (reachable.length === 0) return 'nobody: this machine does not have the address'
  const of = (by: string) =>
    reachable
      .filter((one) => one.by === by)
      .map(({ address, interface: name }) => (by === 'network' ? `${address} (${name})` : address))
  const [outside, machine, containers] = [of('network'), of('machine'), of('containers')]
  return [
    ...(outside.length > 0 ? [`whoever reaches ${outside.join(', ')}`] : []),
    ...(containers.length > 0 ? [`containers at ${containers.join(', ')}`] : []),
    ...(machine.length > 0 ? [`this machine at ${machine.join(', ')}`] : []),
  ].join('; ')
}

function insideOf({ containerPort, protocol }: Port): string {
  return `${containerPort}/${protocol}`
}

function outsideOf({ hostAddress, hostPort = 0 }: Port): string {
  return `${describeAddress(hostAddress)}:${hostPort}`
}
