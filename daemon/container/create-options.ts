/** What a request and an image make together: the complete options of a container and the process it will run. Pure. */
import { KagoError } from '../../shared/errors.ts'
import type { ImageConfig } from '../../shared/oci/image-config.ts'
import type { ContainerOptions, CreateBody } from '../../shared/protocol/containers.ts'
import type { ContainerRecord } from './record.ts'

const defaults: ContainerOptions = {
  env: [],
  groupAdd: [],
  readOnly: false,
  tmpfs: [],
  mounts: [],
  capAdd: [],
  capDrop: [],
  privileged: false,
  securityOpt: {},
  resources: {},
  devices: [],
  ulimits: [],
  sysctls: {},
  init: false,
  terminal: false,
  stdin: false,
  network: 'none',
  extraHosts: [],
  dns: [],
  labels: {},
  autoRemove: false,
}

/**
 * @throws invalid_argument for what contradicts itself or would run nothing.
 */
export function resolveOptions(
  body: CreateBody,
  image: ImageConfig,
): { options: ContainerOptions; process: ContainerRecord['process'] } {
  const { image: imageName, name: _name, platform: _platform, pull: _pull, ...given } = body
  const config = image.config
  checkEnv(given.env ?? [])
  const stopSignal = given.stopSignal ?? config.StopSignal
  const options: ContainerOptions = {
    ...defaults,
    ...given,
    labels: { ...config.Labels, ...given.labels },
    ...(stopSignal !== undefined && { stopSignal }),
  }
  return {
    options,
    process: {
      args: resolveArgs(given, config, imageName),
      env: resolveEnv(config.Env ?? [], given.env ?? []),
      workingDir: given.workingDir ?? (config.WorkingDir || '/'),
      user: given.user ?? config.User ?? '',
    },
  }
}

/** Docker's rule: a new entrypoint takes the image's Cmd away; an empty one runs the command as it is. */
function resolveArgs(
  given: Pick<CreateBody, 'command' | 'entrypoint'>,
  config: ImageConfig['config'],
  imageName: string,
): string[] {
  const entrypoint = given.entrypoint ?? config.Entrypoint ?? []
  const ownCommand = given.command !== undefined && given.command.length > 0
  const command = ownCommand ? given.command : given.entrypoint === undefined ? config.Cmd : []
  const args = [...entrypoint, ...(command ?? [])]
  if (args.length > 0 && args[0] !== '') return args
  throw new KagoError('invalid_argument', `no command: image ${imageName} names none and none was given`, {
    hint: `give one: kago run ${imageName} COMMAND`,
  })
}

function resolveEnv(base: readonly string[], own: readonly string[]): string[] {
  const merged = new Map<string, string>()
  for (const entry of [...base, ...own]) {
    const at = entry.indexOf('=')
    merged.set(at < 0 ? entry : entry.slice(0, at), entry)
  }
  return [...merged.values()].filter((entry) => entry.includes('='))
}

function checkEnv(entries: readonly string[]): void {
  for (const entry of entries) {
    if (entry.startsWith('=') || entry === '') {
      throw new KagoError('invalid_argument', `not an environment variable: ${JSON.stringify(entry)}`, {
        hint: 'write KEY=value',
      })
    }
    if (entry.includes('\0')) {
      throw new KagoError('invalid_argument', `environment variable ${JSON.stringify(entry.split('=')[0])} holds a NUL byte`)
    }
  }
}
