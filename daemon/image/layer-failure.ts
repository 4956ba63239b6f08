/** Puts what can go wrong with a layer into words: which layer, which entry, which rule. */
import { type ErrorCode, KagoError } from '../../shared/errors.ts'
import { errnoCode, fileError } from '../host/files.ts'
import { EntryRefused, showName } from './layer-entry.ts'
import { TarError } from '../../shared/tar/fields.ts'

/** A limit that the layer passed, or a disk it would have filled. */
export class LimitReached extends Error {
  override readonly name = 'LimitReached'
}

/** Compressed bytes that a program of its own could not inflate. */
export class CompressionDamaged extends Error {
  override readonly name = 'CompressionDamaged'
}

/** `layer sha256:0123456789ab`: how messages name a layer; the whole digest is in `details.layer`. */
export function showLayer(layer: string): string {
  return `layer ${layer.slice(0, 'sha256:'.length + 12)}`
}

/** @param entry the name of the entry at work, latin1, if there was one */
export function layerError(error: unknown, layer: string, entry: string | undefined): KagoError {
  if (error instanceof KagoError) return error
  const name = (error instanceof TarError ? error.entry : undefined) ?? entry
  const at = name === undefined ? showLayer(layer) : `${showLayer(layer)}: entry ${showName(name)}`
  const details = { layer, ...(name !== undefined && { entry: showName(name) }) }
  const make = (code: ErrorCode, says: string, more: Record<string, unknown> = {}, hint?: string) =>
    new KagoError(code, `${at}: ${says}`, { hint, details: { ...details, ...more }, cause: error })
  if (error instanceof EntryRefused) return make('corrupt', error.rule, { rule: error.rule })
  if (error instanceof LimitReached) return make('exhausted', error.message)
  if (error instanceof TarError) {
    const code = error.message.endsWith('not supported') ? 'not_supported' : 'corrupt'
    return make(code, `${error.message}, at byte ${error.offset} of the archive`, { offset: error.offset })
  }
  if (error instanceof CompressionDamaged)
    return make('corrupt', `its compressed bytes are damaged: ${error.message}`)
  const code = errnoCode(error)
  if (code !== undefined && /^(Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(code))
    return make(
      'corrupt',
      `its compressed bytes are damaged: ${error instanceof Error ? error.message : code}`,
    )
  const wrapped = fileError(error, `${at}: cannot be unpacked`)
  return new KagoError(wrapped.code, wrapped.message, {
    hint: wrapped.hint,
    details: { ...details, ...wrapped.details },
    cause: error,
  })
}
