/** `kago update`: changes containers, running or not: limits, restart policy, labels, environment, published ports. */
import { KagoError } from '../../shared/errors.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { resolveEnv, toMap } from '../options/files.ts'
import { defined, limitOptions, resourcesFrom } from '../options/limits.ts'
import { seeHelp } from '../options/parse.ts'
import { parsePublish, parseUnpublish } from '../options/ports.ts'
import { parseRestart } from '../options/restart.ts'
import { list, text } from '../options/spec.ts'
import { each } from './each.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  words: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    ...limitOptions,
    'env-add': list('KEY[=VALUE]', 'Set an environment variable, from the next start on'),
    'env-rm': list('KEY', 'Remove an environment variable, from the next start on'),
    'label-add': list('KEY[=VALUE]', 'Put a label on the container, or change it'),
    'label-rm': list('KEY', 'Take a label off the container'),
    'publish-add': list('[[ADDRESS:]HOST:]PORT[/PROTOCOL]', 'Publish another port, at once if it runs'),
    'publish-rm': list('[ADDRESS:]HOST[/PROTOCOL]', 'Publish a port no more, at once if it runs'),
    restart: text('POLICY', "When it has ended: 'no', 'on-failure[:N]', 'always' or 'unless-stopped'"),
  },
  async run({ client, options, words, name }) {
    const resources = resourcesFrom(options)
    const orNothing = <T extends object>(value: T) => (Object.keys(value).length === 0 ? undefined : value)
    const body = defined({
      resources: orNothing(resources),
      restart: options.restart === undefined ? undefined : parseRestart(options.restart),
      labelAdd: orNothing(toMap('--label-add', options['label-add'])),
      labelRemove: orNothing(options['label-rm']),
      envAdd: orNothing(resolveEnv(options['env-add'], process.env)),
      envRemove: orNothing(options['env-rm']),
      publishAdd: orNothing(options['publish-add'].flatMap((port) => parsePublish(port, '--publish-add'))),
      publishRemove: orNothing(options['publish-rm'].map(parseUnpublish)),
    })
    if (Object.keys(body).length === 0) {
      throw new KagoError('invalid_argument', 'nothing to change was named', { hint: seeHelp(name) })
    }
    return await each(words, async (id) => {
      await call(client, 'container.update', { params: { id }, body })
      return id
    })
  },
})
