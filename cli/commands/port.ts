/** `kago port`: the published ports of a container. */
import { KagoError } from '../../shared/errors.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: 'CONTAINER [PORT[/PROTOCOL]]',
  words: { min: 1, max: 2 },
  options: {},
  async run({ client, words: [id = '', wanted] }) {
    const ports = await call(client, 'container.ports', { params: { id } })
    const published = ports.filter(({ hostPort }) => hostPort !== undefined)
    const name = wanted === undefined || wanted.includes('/') ? wanted : `${wanted}/tcp`
    for (const { containerPort, protocol, hostAddress, hostPort } of published) {
      const inside = `${containerPort}/${protocol}`
      const outside = `${hostAddress ?? '0.0.0.0'}:${hostPort ?? ''}`
      if (name === undefined) await print(`${escapeLine(`${inside} -> ${outside}`)}\n`)
      else if (name === inside) await print(`${escapeLine(outside)}\n`)
    }
    const isThere = published.some(({ containerPort, protocol }) => name === `${containerPort}/${protocol}`)
    if (name === undefined || isThere) return undefined
    throw new KagoError('not_found', `container ${id} publishes no port ${name}`, {
      hint: `see all: kago port ${id}`,
    })
  },
})
