/** `kago inspect`: everything that is known of containers, images, networks and volumes, as JSON or by a format. */
import { isKagoError, KagoError } from '../../shared/errors.ts'
import { call, type Client } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { describeError, exitCodeOf } from '../exit.ts'
import { dockerContainer, dockerImage, dockerNetwork, dockerVolume } from '../format/docker-view.ts'
import { renderJson, renderOne } from '../format/render.ts'
import { text } from '../options/spec.ts'
import { print, printError } from '../terminal/output.ts'

interface Inspected {
  /** As the protocol has it. */
  readonly own: object
  readonly docker: object
}

type Kind = 'container' | 'image' | 'network' | 'volume'

export const command = declare({
  usage: '[OPTIONS] NAME [NAME...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    format: text('FORMAT', "'json', or a template: '{{.task.state}}', '{{.State.Status}}'", { short: 'f' }),
    type: text('TYPE', "Only look among: 'container', 'image', 'network', 'volume'"),
  },
  async run({ client, options, words, name }) {
    const kind = parseType(options.type ?? /^kago (container|image|network|volume) /.exec(name)?.[1])
    const found: Inspected[] = []
    const errors: unknown[] = []
    for (const word of words) {
      try {
        const one = await inspect(client, word, kind)
        found.push(one)
        if (options.format !== undefined) await print(renderOne(options.format, one.own, one.docker))
      } catch (error) {
        errors.push(error)
      }
    }
    if (options.format === undefined) await print(renderJson(found.map(({ own }) => own)))
    for (const error of errors) await printError(describeError(error))
    return errors.length === 0 ? 0 : exitCodeOf(errors[0])
  },
})

function parseType(type: string | undefined): Kind | undefined {
  if (type === undefined || isKind(type)) return type
  throw new KagoError(
    'invalid_argument',
    `--type is container, image, network or volume, not ${JSON.stringify(type)}`,
  )
}

function isKind(type: string): type is Kind {
  return ['container', 'image', 'network', 'volume'].includes(type)
}

async function inspect(client: Client, name: string, kind: Kind | undefined): Promise<Inspected> {
  if (kind === 'image') return await inspectImage(client, name)
  if (kind === 'container') return await inspectContainer(client, name)
  if (kind === 'network') return await inspectNetwork(client, name)
  if (kind === 'volume') return await inspectVolume(client, name)
  try {
    return await inspectContainer(client, name)
  } catch (error) {
    if (!isKagoError(error, 'not_found')) throw error
  }
  try {
    return await inspectImage(client, name)
  } catch (error) {
    if (!isKagoError(error, 'not_found', 'invalid_argument')) throw error
  }
  try {
    return await inspectNetwork(client, name)
  } catch (error) {
    if (!isKagoError(error, 'not_found', 'invalid_argument')) throw error
  }
  try {
    return await inspectVolume(client, name)
  } catch (error) {
    if (!isKagoError(error, 'not_found', 'invalid_argument')) throw error
    throw new KagoError('not_found', `no such container, image, network or volume: ${name}`, {
      hint: 'see: kago ps --all, kago images, kago network ls, kago volume ls',
    })
  }
}

async function inspectContainer(client: Client, id: string): Promise<Inspected> {
  const own = await call(client, 'container.inspect', { params: { id } })
  return { own, docker: dockerContainer(own) }
}

async function inspectImage(client: Client, name: string): Promise<Inspected> {
  const own = await call(client, 'image.inspect', { query: { name } })
  return { own, docker: dockerImage(own) }
}

async function inspectNetwork(client: Client, network: string): Promise<Inspected> {
  const own = await call(client, 'network.inspect', { params: { network } })
  return { own, docker: dockerNetwork(own) }
}

async function inspectVolume(client: Client, volume: string): Promise<Inspected> {
  const own = await call(client, 'volume.inspect', { params: { volume } })
  return { own, docker: dockerVolume(own) }
}
