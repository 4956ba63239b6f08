/** The container routes: each calls the verb of its name. */
import { attachContainer } from '../../container/attach.ts'
import { listChanges } from '../../container/changes.ts'
import { commitContainer } from '../../container/commit.ts'
import type { ContainerContext } from '../../container/context.ts'
import { exportContainer, readFiles, statFile, writeFiles } from '../../container/copy.ts'
import { createContainer } from '../../container/create.ts'
import { execAttached, execDetached } from '../../container/exec.ts'
import { inspectContainer } from '../../container/inspect.ts'
import { killContainer } from '../../container/kill.ts'
import { listContainers } from '../../container/list.ts'
import { containerLogs } from '../../container/logs.ts'
import { pauseContainer, unpauseContainer } from '../../container/pause.ts'
import { listPorts } from '../../container/ports.ts'
import { planContainers, pruneContainers } from '../../container/prune.ts'
import { removeContainer } from '../../container/remove.ts'
import { renameContainer } from '../../container/rename.ts'
import { restartContainer } from '../../container/restart.ts'
import { runContainer } from '../../container/run.ts'
import { runAttached, startAttached } from '../../container/run-attached.ts'
import { addSizes } from '../../container/sizes.ts'
import { startContainer } from '../../container/start.ts'
import { containerStats } from '../../container/stats.ts'
import { stopContainer } from '../../container/stop.ts'
import { listProcesses } from '../../container/top.ts'
import { updateContainer } from '../../container/update.ts'
import { waitForContainer } from '../../container/wait.ts'
import { credentialsFor } from '../credentials.ts'
import type { Handlers } from '../route-table.ts'

type ContainerHandlers = Pick<Handlers, Extract<keyof Handlers, `container.${string}`>>

export function containerHandlers(context: ContainerContext): ContainerHandlers {
  const named = ({ id, name }: { id: string; name: string }) => ({ id, name })
  return {
    'container.create': async ({ query, body, signal, credentials }, report) => {
      const options = { report, signal, credentials: credentialsFor(credentials, body.image) }
      return named(
        query.start === true
          ? (await runContainer(context, body, options)).container
          : await createContainer(context, body, options),
      )
    },
    'container.run': ({ body, signal, credentials }) =>
      runAttached(context, body, { signal, credentials: credentialsFor(credentials, body.create.image) }),
    'container.list': async ({ query: { size, ...query } }) => {
      const containers = listContainers(context, query)
      return size === true ? await addSizes(context, containers) : containers
    },
    'container.prune': ({ body }) => (body.dryRun === true ? planContainers : pruneContainers)(context, body),
    'container.inspect': ({ params }) => inspectContainer(context, params.id),
    'container.remove': async ({ params, query }) => named(await removeContainer(context, params.id, query)),
    'container.start': async ({ params }) => named((await startContainer(context, params.id)).container),
    'container.start-attached': ({ params, body }) => startAttached(context, params.id, body),
    'container.stop': async ({ params, body }) => named(await stopContainer(context, params.id, body)),
    'container.restart': async ({ params, body }) => named(await restartContainer(context, params.id, body)),
    'container.kill': async ({ params, body }) => named(await killContainer(context, params.id, body.signal)),
    'container.pause': async ({ params }) => named(await pauseContainer(context, params.id)),
    'container.unpause': async ({ params }) => named(await unpauseContainer(context, params.id)),
    'container.wait': async ({ params, query, signal }) => ({
      exitStatus: await waitForContainer(context, params.id, query.condition ?? 'not-running', signal),
    }),
    'container.rename': async ({ params, body }) =>
      named(await renameContainer(context, params.id, body.name)),
    'container.update': async ({ params, body }) => named(await updateContainer(context, params.id, body)),
    'container.top': async ({ params, query }) => await listProcesses(context, params.id, query.ps),
    'container.ports': ({ params, query }) => listPorts(context, params.id, query),
    'container.logs': ({ params, query, signal }) => containerLogs(context, params.id, query, signal),
    'container.stats': ({ query, signal }) => containerStats(context, query, signal),
    'container.attach': ({ params, body }) =>
      attachContainer(context, params.id, {
        stdin: body.stdin ?? false,
        output: body.output ?? true,
        size: body.size,
      }),
    'container.file-stat': ({ params, query, signal }) => statFile(context, params.id, query, signal),
    'container.read-files': ({ params, query }) => readFiles(context, params.id, query),
    'container.write-files': ({ params, query, body, signal }) =>
      writeFiles(context, params.id, query, body, signal),
    'container.changes': ({ params, signal }) => listChanges(context, params.id, signal),
    'container.commit': ({ params, body, signal }, report) =>
      commitContainer(context, params.id, body, { report, signal }),
    'container.export': ({ params }) => exportContainer(context, params.id),
    'container.exec': ({ params, body }) => execAttached(context, params.id, body),
    'container.exec-detached': ({ params, body }) => execDetached(context, params.id, body),
  }
}
