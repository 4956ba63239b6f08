/** What a request and an image make together: the complete options of a container and the process it will run. Pure. */
import { KagoError } from '../../shared/errors.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import type { ContainerOptions, CreateBody } from '../../shared/protocol/containers.ts'
import { defaultRunOptions } from '../runtime/run-options.ts'
import { buildSpec, type HostFacts, type SpecImageConfig, type SpecInput } from '../runtime/spec.ts'
import { resolveHealth } from './health-options.ts'
import { noPorts, resolvePorts } from './port-options.ts'
import type { ContainerRecord } from './record.ts'

const defaults: ContainerOptions = {
  ...defaultRunOptions,
  ...noPorts,
  labels: {},
  autoRemove: false,
}

/** What the specification is built with, before there is a namespace. */
function modeToCheck(network: string): SpecInput['networkMode'] {
  return network === 'none' || network === 'host' ? network : { path: '/proc/self/ns/net' }
}

export type ResolvedOptions = Pick<ContainerRecord, 'options' | 'imageConfig' | 'process' | 'hostname'>

/**
 * The whole specification is built once here, so that what can never run is refused before anything is made.
 * @throws invalid_argument, not_supported
 */
export function resolveOptions(
  id: string,
  body: CreateBody,
  image: ImageConfig,
  host: HostFacts,
): ResolvedOptions {
  const { image: _image, name: _name, platform: _platform, pull: _pull, health: asked, ...given } = body
  const { config } = image
  checkRestart(given)
  const health = resolveHealth(asked, config)
  const stopSignal = given.stopSignal ?? config.StopSignal
  const options: ContainerOptions = {
    ...defaults,
    ...given,
    ...resolvePorts(given, config.ExposedPorts ?? {}),
    labels: { ...config.Labels, ...given.labels },
    ...(stopSignal !== undefined && { stopSignal }),
    ...(health !== undefined && { health }),
  }
  const imageConfig: SpecImageConfig = {
    Env: config.Env ?? [],
    Entrypoint: config.Entrypoint ?? [],
    Cmd: config.Cmd ?? [],
    WorkingDir: config.WorkingDir ?? '',
    User: config.User ?? '',
    architecture: image.architecture,
  }
  return { options, imageConfig, ...resolveProcess(id, options, imageConfig, host) }
}

/** What will run, and the name of the machine it sees. */
export function resolveProcess(
  id: string,
  options: ContainerOptions,
  imageConfig: SpecImageConfig,
  host: HostFacts,
): Pick<ContainerRecord, 'process' | 'hostname'> {
  const spec = buildSpec(
    specInput({
      id,
      // Where its files are is asked at each start.
      options: { ...options, mounts: options.mounts.map(withSomeSource) },
      imageConfig,
      host,
      user: { uid: 0, gid: 0, additionalGids: [] },
      etcFiles: {},
      networkMode: modeToCheck(options.network),
      initPath: '/init',
    }),
  )
  return {
    hostname: spec.hostname ?? id.slice(0, 12),
    process: {
      args: spec.process.args,
      env: spec.process.env,
      workingDir: spec.process.cwd,
      user: options.user ?? imageConfig.User ?? '',
    },
  }
}

function withSomeSource(mount: ContainerOptions['mounts'][number]): typeof mount {
  return mount.type === 'volume' ? { ...mount, source: '/' } : mount
}

/** @throws invalid_argument */
export function checkRestart({ restart, autoRemove }: Pick<CreateBody, 'restart' | 'autoRemove'>): void {
  if (restart === undefined || restart.policy === 'no') return
  if (autoRemove === true) {
    throw new KagoError('invalid_argument', 'a container that removes itself cannot have a restart policy', {
      hint: 'leave out --rm or --restart',
    })
  }
  if (restart.policy !== 'on-failure' && restart.maximumRetries !== undefined) {
    throw new KagoError('invalid_argument', `restart policy ${restart.policy} has no number of retries`, {
      hint: 'only on-failure has: --restart on-failure:3',
    })
  }
}

/** What `buildSpec` is asked with, for a container of kago's. */
export function specInput(
  parts: Pick<
    SpecInput,
    'id' | 'imageConfig' | 'host' | 'user' | 'etcFiles' | 'initPath' | 'devices' | 'networkMode'
  > & {
    options: ContainerOptions
  },
): SpecInput {
  return { ...parts, cgroupsPath: cgroupsPath(parts.id) }
}

/** From the root of each cgroup hierarchy. */
export function cgroupsPath(id: string): string {
  return `/kago/${id}`
}
