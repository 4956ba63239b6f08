/** `kago diff`: what a container added (A), changed (C) and deleted (D) in its image's files. */
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { flag } from '../options/spec.ts'
import { escapeJson, escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS] CONTAINER',
  words: { min: 1, max: 1 },
  options: { json: flag('Print JSON, one object a line') },
  async run({ client, options: { json }, words: [id = ''] }) {
    const changes = await call(client, 'container.changes', { params: { id } })
    const lines = changes.map((change) =>
      json ? escapeJson(JSON.stringify(change)) : `${change.kind} ${escapeLine(change.path)}`,
    )
    await print(lines.map((line) => `${line}\n`).join(''))
    return undefined
  },
})
