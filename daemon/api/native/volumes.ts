/** The volume routes: each calls the verb of its name. */
import type { ContainerContext } from '../../container/context.ts'
import { pruneVolumes, planVolumes } from '../../container/prune-volumes.ts'
import { cloneVolume } from '../../volume/clone.ts'
import { createVolume } from '../../volume/create.ts'
import { inspectVolume, listVolumes } from '../../volume/describe.ts'
import { removeVolume } from '../../volume/remove.ts'
import { renameVolume } from '../../volume/rename.ts'
import type { Handlers } from '../route-table.ts'

type VolumeHandlers = Pick<Handlers, Extract<keyof Handlers, `volume.${string}`>>

export function volumeHandlers(context: ContainerContext): VolumeHandlers {
  const named = ({ name }: { name: string }) => ({ name })
  const { volume } = context
  return {
    'volume.create': async ({ body }) => named(await createVolume(volume, body)),
    'volume.list': ({ query }) => listVolumes(volume, query.filter),
    'volume.inspect': ({ params }) => inspectVolume(volume, params.volume),
    'volume.remove': async ({ params }) => named(await removeVolume(volume, params.volume)),
    'volume.prune': ({ body: { dryRun = false, ...options } }) =>
      dryRun ? planVolumes(context, options) : pruneVolumes(context, options),
    'volume.rename': async ({ params, body }) => {
      await renameVolume(volume, params.volume, body.name)
      return body
    },
    'volume.clone': async ({ params, body, signal }) =>
      named(await cloneVolume(volume, params.volume, body.name, signal)),
  }
}
