/** `kago explain`: what an operation did, step by step, how long each took, and what a person could have typed. */
import type { OperationDetails, OperationStep } from '../../shared/protocol/operations.ts'
import { formatDuration } from '../../shared/units.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { alignColumns } from '../format/table.ts'
import { renderJson, renderOne } from '../format/render.ts'
import { text } from '../options/spec.ts'
import { escapeControl, escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS] OPERATION|CONTAINER',
  words: { min: 1, max: 1 },
  options: { format: text('FORMAT', "'json', or a template: '{{.kind}} {{.durationMs}}'", { short: 'f' }) },
  async run({ client, options: { format }, words: [id = ''] }) {
    const operation = await call(client, 'operation.inspect', { params: { id } })
    if (format === 'json') await print(renderJson(operation))
    else await print(format === undefined ? describe(operation) : renderOne(format, operation))
    return undefined
  },
})

function describe(operation: OperationDetails): string {
  const { kind, target, status, startedAt, durationMs, error, steps } = operation
  const head = [
    `operation ${operation.id}: ${kind} ${target}`,
    `  ${status} after ${durationMs === null ? 'an unknown time' : formatDuration(durationMs)}, begun ${startedAt}`,
    ...(error === null ? [] : [`  ${error}`]),
  ]
  const total = durationMs ?? steps.reduce((sum, step) => sum + (step.durationMs ?? 0), 0)
  const rows = steps.map((step, index) => [`${index + 1}`, ...describeStep(step, total)])
  const table = alignColumns(
    [['', 'TOOK', 'SHARE', 'STATUS', 'STEP', 'BY'], ...rows].map((row) => row.map(escapeLine).join('\t')),
  )
  const shells = steps.flatMap(({ shell }, index) =>
    shell === null ? [] : [`# ${index + 1}\n${escapeControl(shell)}`],
  )
  const typed = shells.length === 0 ? '' : `\nWhat a person could have typed:\n${shells.join('\n')}\n`
  const failed = steps
    .filter((step) => step.error !== null)
    .map((step) => `  ${step.name}: ${step.error ?? ''}`)
  return `${[...head, ...failed].map(escapeLine).join('\n')}\n\n${table}${typed}`
}

function describeStep({ name, by, status, durationMs }: OperationStep, total: number): string[] {
  const took = durationMs === null ? '' : formatDuration(durationMs)
  const share = durationMs === null || total <= 0 ? '' : `${Math.round((100 * durationMs) / total)}%`
  return [took, share, status, name, by]
}
