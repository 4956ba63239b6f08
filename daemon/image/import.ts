/** Makes an image of one layer from an archive of a file system: the reverse of export. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import { shortId } from '../../shared/id.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import { type Platform, parsePlatform } from '../../shared/oci/platform.ts'
import { diskSpace, fileError } from '../host/files.ts'
import { operate } from '../operation/operation.ts'
import { KagoError } from '../../shared/errors.ts'
import { applyChanges } from './change.ts'
import type { ImageContext } from './context.ts'
import { decompress, detectCompression } from './decompress.ts'
import type { JoinOptions } from './layer-work.ts'
import { makeImage, type NewLayer, parseNewName, withScratch } from './make-image.ts'
import { familiarName } from './names.ts'

export interface ImportQuery {
  name?: string | undefined
  change?: readonly string[] | undefined
  message?: string | undefined
  platform?: string | undefined
}

const reserveBytes = 64 << 20

/** The archive is plain or compressed by gzip or zstd. @throws invalid_argument, corrupt for what is no archive */
export async function importImage(
  context: ImageContext,
  stream: Readable,
  { name, change = [], message, platform: asked }: ImportQuery,
  options: JoinOptions,
): Promise<{ id: string; name?: string }> {
  const canonical = name === undefined ? undefined : parseNewName(name)
  const platform: Platform = asked === undefined ? context.platform : parsePlatform(asked)
  const execution = applyChanges({}, change)
  addAbortSignal(options.signal, stream)
  const target = canonical === undefined ? 'archive' : familiarName(canonical)
  return await operate(context, { kind: 'image.import', target, signal: options.signal }, (operation) =>
    withScratch(context, async (scratch) => {
      const layer = await operation.step(
        'take in the archive',
        { by: 'sha256', shell: 'cat >layer.tar' },
        () =>
          // A request that is destroyed could not be answered any more.
          takeIn(stream.iterator({ destroyOnReturn: false }), join(scratch, 'layer')),
      )
      const created = new Date().toISOString()
      const config: ImageConfig = {
        ...platform,
        created,
        config: execution,
        rootfs: { diff_ids: [] },
        history: [{ created, comment: message ?? 'Imported from -' }],
      }
      const id = await makeImage(context, operation, { base: [], layer, config, name: canonical }, options)
      if (canonical === undefined) operation.setTarget(shortId(id))
      context.events.publish({ type: 'image', action: 'import', name: canonical === undefined ? id : target })
      return { id, ...(canonical !== undefined && { name: target }) }
    }),
  )
}

/** Stored as it comes, and hashed twice on the way: as it is, and as the archive in it. */
async function takeIn(source: AsyncIterable<Buffer>, path: string): Promise<NewLayer> {
  const hash = createHash('sha256')
  const diffHash = createHash('sha256')
  let size = 0
  let start = Buffer.alloc(0)
  const file = await open(path, 'w', 0o600)
  try {
    const stored = (async function* () {
      for await (const chunk of source) {
        if (start.length < 4) start = Buffer.concat([start, chunk.subarray(0, 4)])
        if (size >> 26 !== (size + chunk.length) >> 26) await checkSpace(path)
        hash.update(chunk)
        await file.write(chunk)
        size += chunk.length
        yield chunk
      }
    })()
    for await (const chunk of decompress(stored)) diffHash.update(chunk)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (/^(Z_|ZSTD_|ERR_ZSTD)/.test(code)) {
      throw new KagoError('corrupt', 'the compressed bytes of the archive are damaged', { cause: error })
    }
    throw fileError(error, 'cannot take in the archive')
  } finally {
    await file.close()
  }
  const digest: Digest = `sha256:${hash.digest('hex')}`
  const diffId: Digest = `sha256:${diffHash.digest('hex')}`
  return { path, digest, diffId, size, compression: detectCompression(start) }
}

async function checkSpace(path: string): Promise<void> {
  const { freeBytes } = await diskSpace(join(path, '..'))
  if (freeBytes < reserveBytes) throw new KagoError('exhausted', 'no space left on the disk for the archive')
}
