/** The operation routes: the journal, read. */
import { KagoError } from '../../../shared/errors.ts'
import type { OperationTable } from '../../state/operations.ts'
import type { Handlers } from '../route-table.ts'

type OperationHandlers = Pick<Handlers, Extract<keyof Handlers, `operation.${string}`>>

/** `resolveTarget` turns what a person types into what the journal has as a target: a container's name into its id. */
export function operationHandlers(
  journal: OperationTable,
  resolveTarget: (text: string) => string | undefined,
): OperationHandlers {
  return {
    'operation.list': ({ query }) => {
      const target = query.target === undefined ? undefined : (resolveTarget(query.target) ?? query.target)
      return journal.list(query.limit ?? 50, target)
    },
    'operation.inspect': ({ params: { id } }) => {
      const [byPrefix, second] = /^[0-9a-f]{4,16}$/.test(id) ? journal.findByIdPrefix(id) : []
      const operationId = second === undefined ? byPrefix : undefined
      const target = operationId === undefined ? (resolveTarget(id) ?? id) : undefined
      const found = journal.find(operationId ?? journal.list(1, target)[0]?.id ?? '')
      if (found !== undefined) return found
      throw new KagoError('not_found', `no operation and no container is called ${id}`, {
        hint: 'see the last ones with: kago operations',
      })
    },
  }
}
