/** What is known of how a run ended, or why a start failed: gathered before what tells it is given back. */
import { constants } from 'node:os'
import type { KagoError } from '../../shared/errors.ts'
import type { Evidence } from '../../shared/protocol/containers.ts'
import type { ContainerExit } from '../../shared/protocol/frames.ts'
import { formatBinaryBytes } from '../../shared/units.ts'
import type { MemoryUse } from '../host/cgroup.ts'

const longestLog = 4096

/** Of a run. `exit` is undefined where nobody knows it, `memory` where the cgroup has gone. Pure. */
export function evidenceOfEnd(
  exit: ContainerExit | undefined,
  memory: MemoryUse | undefined,
  isManual: boolean,
): Evidence {
  const measured = memory !== undefined && {
    memory: {
      oomKills: memory.oomKills ?? 0,
      ...(memory.peakBytes !== undefined && { peakBytes: memory.peakBytes }),
      ...(memory.limitBytes !== undefined && { limitBytes: memory.limitBytes }),
    },
  }
  if (exit === undefined) {
    return { kind: 'lost', summary: 'its shim is gone, and with it how it ended', ...measured }
  }
  const signal = exit.signal === null ? undefined : signalName(exit.signal)
  const how = signal === undefined ? `it ended with status ${exit.status}` : `${signal} ended it`
  const facts = { ...(signal !== undefined && { signal }), ...(isManual && { isManual }), ...measured }
  const oomKills = memory?.oomKills ?? 0
  if (oomKills > 0) {
    const processes = oomKills === 1 ? 'one process' : `${oomKills} processes`
    const limit =
      memory?.limitBytes === undefined ? '' : ` (its limit is ${formatBinaryBytes(memory.limitBytes)})`
    return {
      kind: 'oom',
      summary: `${how}; the kernel killed ${processes} of it for memory${limit}`,
      ...facts,
    }
  }
  const why = isManual ? ', as somebody asked for' : ''
  return { kind: signal === undefined ? 'exit' : 'signal', summary: `${how}${why}`, ...facts }
}

/** Of a start: the words of the runtime, as far as it left any. Pure. */
export function evidenceOfFailure(error: KagoError): Evidence {
  const said = error.details?.['runtimeMessage'] ?? error.details?.['runtimeOutput']
  return {
    kind: 'start-failed',
    summary: error.message,
    ...(typeof said === 'string' && said !== '' && { runtimeLog: said.slice(-longestLog) }),
  }
}

function signalName(signal: number): string {
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0]
  return name ?? `signal ${signal}`
}
