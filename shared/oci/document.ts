/** Documents that come from registries and archives: JSON that nobody vouched for. */
import { KagoError } from '../errors.ts'

/** What an index, manifest or config may weigh: as much as registries take. */
export const documentLimit = 4 * 1024 * 1024

/** @throws corrupt if the bytes are too many or no JSON; `what` names the document. */
export function parseDocument(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > documentLimit)
    throw new KagoError('corrupt', `${what} is larger than ${documentLimit / 1024 / 1024} MiB`)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new KagoError('corrupt', `${what} is not JSON`, { cause: error })
  }
}

interface Problem {
  instancePath: string
  message: string
}

/** The first thing that does not fit a schema, by its path: `rootfs.diff_ids: must be array`. */
export function firstProblem(schema: { Errors(value: unknown): Problem[] }, value: unknown): string {
  const [problem] = schema.Errors(value)
  const path = problem?.instancePath.split('/').slice(1).join('.')
  return `${path || 'the document'}: ${problem?.message ?? 'does not fit'}`
}
