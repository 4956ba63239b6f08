/** Makes a volume with the content of another, by reflinks where the file system has them. */
import { KagoError } from '../../shared/errors.ts'
import { runTool } from '../host/exec.ts'
import { type Operation, operate } from '../operation/operation.ts'
import type { VolumeRow } from '../state/volumes.ts'
import { alone } from './alone.ts'
import { type VolumeContext, volumeData } from './context.ts'
import { createVolumeStep } from './create.ts'
import { checkVolumeName, findVolume } from './find.ts'
import { syncVolume } from './sync.ts'

const copyTimeoutMs = 24 * 60 * 60 * 1000

/** What containers write meanwhile may or may not be in the copy. */
export async function cloneVolume(
  context: VolumeContext,
  name: string,
  to: string,
  signal: AbortSignal,
): Promise<VolumeRow> {
  checkVolumeName(to)
  findVolume(context, name)
  if (context.volumes.find(to) !== undefined) {
    throw new KagoError('already_exists', `there is a volume ${to} already`, {
      hint: `choose another name, or remove it: kago volume rm ${to}`,
    })
  }
  const about = { kind: 'volume.clone', target: name, signal }
  return await operate(context, about, (operation) =>
    alone(context, name, () => cloneSteps(context, operation, name, to, signal)),
  )
}

async function cloneSteps(
  context: VolumeContext,
  operation: Operation,
  name: string,
  to: string,
  signal: AbortSignal,
): Promise<VolumeRow> {
  // After the waiting it may be another, or gone.
  const source = findVolume(context, name)
  const labels = JSON.parse(source.labels) as Record<string, string>
  const copy = await createVolumeStep(context, operation, { name: to, labels })
  const words = ['-a', '--reflink=auto', '--', `${volumeData(context, source)}/.`, volumeData(context, copy)]
  await operation.step('copy its files', { by: 'cp', shell: `cp ${words.join(' ')}` }, async () => {
    // Half of what an image has is no more in the copy.
    if (source.filling === 1) context.volumes.setFilling(to, 1)
    await runTool('cp', words, { signal, timeoutMs: copyTimeoutMs })
    await syncVolume(volumeData(context, copy))
  })
  return copy
}
