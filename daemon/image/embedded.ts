/** Loads the image that comes with kago, once: who has removed it is not given it again. */
import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { toKagoError } from '../../shared/errors.ts'
import { writeFileAtomically } from '../host/files.ts'
import type { ImageContext } from './context.ts'
import { loadImages } from './load.ts'
import { parseImageName } from './names.ts'

const name = 'localhost/busybox:latest'
const mark = 'embedded-image-loaded'

/** Cheap when there is nothing to do. A daemon without the image is a daemon still: a failure is logged. */
export async function loadEmbedded(context: ImageContext, archivePath: string): Promise<void> {
  const { canonical } = parseImageName(name)
  const markPath = join(context.dataRoot, mark)
  if (existsSync(markPath) || !existsSync(archivePath)) return
  try {
    if (canonical !== undefined && context.images.findByName(canonical) === undefined) {
      await loadImages(context, createReadStream(archivePath), {
        report: () => {},
        signal: new AbortController().signal,
      })
    }
    await writeFileAtomically(markPath, '')
  } catch (error) {
    context.log.error(
      { err: toKagoError(error), archive: archivePath },
      'the embedded image could not be loaded',
    )
  }
}
