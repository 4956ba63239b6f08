/** `kago version`: what the command line is, and the daemon it talks to. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { cliCommit, cliVersion } from '../version.ts'
import { text } from '../options/spec.ts'
import { protocolVersion } from '../../shared/protocol/endpoints.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    format: text('FORMAT', "Print by a template, or 'json'", { short: 'f' }),
  },
  async run({ client, options }) {
    const own = {
      version: cliVersion,
      commit: cliCommit,
      protocol: protocolVersion,
      node: process.versions.node,
      os: process.platform,
      architecture: process.arch,
    }
    const asked = await call(client, 'system.version', {}).then(
      (server) => ({ server }),
      (error: unknown) => ({ error }),
    )
    if (options.format !== undefined) {
      const { renderOne } = await import('../format/render.ts')
      const server = 'server' in asked ? asked.server : null
      const docker = { Client: capitalized(own), Server: server === null ? null : capitalized(server) }
      await print(renderOne(options.format, { client: own, server }, docker))
    } else {
      await print(section('Client', own))
      if ('server' in asked) await print(`\n${section('Server', asked.server)}`)
    }
    if ('error' in asked) throw asked.error
    return undefined
  },
})

function section(title: string, facts: object): string {
  const lines = Object.entries(facts).map(
    ([name, value]) =>
      ` ${`${name[0]?.toUpperCase() ?? ''}${name.slice(1)}:`.padEnd(15)}${escapeLine(String(value))}`,
  )
  return `${title}: kago\n${lines.join('\n')}\n`
}

/** Docker's names of the same facts: `.Server.Version`. */
function capitalized(facts: object): Record<string, unknown> {
  const names: Record<string, string> = { architecture: 'Arch', commit: 'GitCommit', kernel: 'KernelVersion' }
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      names[name] ?? `${name[0]?.toUpperCase() ?? ''}${name.slice(1)}`,
      value,
    ]),
  )
}
