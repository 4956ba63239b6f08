/** Makes the request for a new container of what was typed. */
import { KagoError } from '../../shared/errors.ts'
import type { CreateBody } from '../../shared/protocol/containers.ts'
import type { containerOptions } from './container.ts'
import { readEnv, readLabels, readOptionFile, toMap } from './files.ts'
import { bytesOf, defined, parseUlimit, resourcesFrom } from './limits.ts'
import { asksForLabels, parseDevice, parseMount, parseTmpfs, parseVolume } from './mounts.ts'
import { printError } from '../terminal/output.ts'
import { healthFrom } from './health.ts'
import { parseExpose, parsePublish } from './ports.ts'
import { parseRestart } from './restart.ts'
import { oneOf } from './one-of.ts'
import type { ValuesOf } from './spec.ts'

export type ContainerValues = ValuesOf<typeof containerOptions>

/**
 * Only what was asked for is in it: the daemon knows the defaults.
 * @throws invalid_argument naming the option.
 */
export function createBodyFrom(
  values: ContainerValues,
  [image = '', ...command]: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): CreateBody {
  if (image === '') throw new KagoError('invalid_argument', 'the image has no name')
  const { entrypoint } = values
  return defined({
    image,
    command: orNothing(command),
    name: values.name,
    platform: values.platform,
    pull: oneOf('--pull', values.pull, ['missing', 'always', 'never'] as const),
    entrypoint: entrypoint === undefined ? undefined : entrypoint === '' ? [] : [entrypoint],
    env: orNothing(readEnv(values['env-file'], values.env, environment)),
    workingDir: values.workdir,
    user: values.user,
    groupAdd: orNothing(values['group-add']),
    hostname: values.hostname,
    readOnly: ifTrue(values['read-only']),
    tmpfs: orNothing(values.tmpfs.map(parseTmpfs)),
    mounts: orNothing(mountsFrom(values)),
    volumesFrom: orNothing(values['volumes-from']),
    capAdd: orNothing(values['cap-add']),
    capDrop: orNothing(values['cap-drop']),
    privileged: ifTrue(values.privileged),
    securityOpt: orNoKeys(parseSecurity(values['security-opt'])),
    resources: orNoKeys(resourcesFrom(values)),
    devices: orNothing(values.device.map(parseDevice)),
    ulimits: orNothing(values.ulimit.map(parseUlimit)),
    sysctls: orNoKeys(toMap('--sysctl', values.sysctl)),
    shmSizeBytes: bytesOf('--shm-size', values['shm-size']),
    init: ifTrue(values.init),
    terminal: ifTrue(values.tty),
    stdin: ifTrue(values.interactive),
    network: values.network,
    networkAliases: orNothing(values['network-alias']),
    ipv4Address: values.ip,
    ipv6Address: values.ip6,
    macAddress: values['mac-address'],
    publish: orNothing(values.publish.flatMap((text) => parsePublish(text))),
    publishAll: ifTrue(values['publish-all']),
    expose: orNothing(values.expose.flatMap(parseExpose)),
    oomScoreAdj: values['oom-score-adj'],
    extraHosts: orNothing(values['add-host'].map(parseHost)),
    dns: orNothing(values.dns),
    dnsSearch: orNothing(values['dns-search']),
    dnsOptions: orNothing(values['dns-option']),
    labels: orNoKeys(readLabels(values['label-file'], values.label)),
    stopSignal: values['stop-signal'],
    stopTimeoutSeconds: values['stop-timeout'],
    autoRemove: ifTrue(values.rm),
    health: healthFrom(values),
    restart: values.restart === undefined ? undefined : parseRestart(values.restart),
    runtime: values.runtime,
  })
}

const labelNotice = 'kago: -v …:z and :Z are accepted; kago sets no labels of SELinux\n'

function mountsFrom(values: ContainerValues): NonNullable<CreateBody['mounts']> {
  if (values.volume.some(asksForLabels)) void printError(labelNotice).catch(() => {})
  const mounts = [...values.volume.map(parseVolume), ...values.mount.map(parseMount)]
  if (!values['create-bind-source']) return mounts
  return mounts.map((mount) => (mount.type === 'bind' ? { ...mount, createSource: true } : mount))
}

function orNothing<T>(list: T[]): T[] | undefined {
  return list.length === 0 ? undefined : list
}

function orNoKeys<T extends object>(object: T): T | undefined {
  return Object.keys(object).length === 0 ? undefined : object
}

function ifTrue(value: boolean): true | undefined {
  return value ? true : undefined
}

/** `name:address`, or Docker's newer `name=address`; the address may be IPv6, in brackets or not. */
function parseHost(value: string): string {
  const match = /^([^:=]+)[:=]\[?([0-9a-f:.]+|host-gateway)\]?$/i.exec(value)
  if (match?.[1] !== undefined && match[2] !== undefined) return `${match[1]}:${match[2]}`
  throw new KagoError('invalid_argument', `--add-host: not a host: ${JSON.stringify(value)}`, {
    hint: 'write --add-host name:address',
  })
}

function parseSecurity(entries: readonly string[]): NonNullable<CreateBody['securityOpt']> {
  const result: NonNullable<CreateBody['securityOpt']> = {}
  for (const entry of entries) {
    const [, key = '', value] = /^([^=:]+)(?:[=:](.*))?$/s.exec(entry) ?? []
    if (key === 'no-new-privileges') result.noNewPrivileges = readTruth(entry, value ?? 'true')
    else if (key === 'seccomp' && value) result.seccomp = value === 'unconfined' ? value : readProfile(value)
    else if (key === 'apparmor' && value) result.apparmor = value
    else {
      throw new KagoError('invalid_argument', `--security-opt: unknown option ${JSON.stringify(entry)}`, {
        hint: 'known: no-new-privileges, seccomp=FILE, seccomp=unconfined, apparmor=PROFILE',
      })
    }
  }
  return result
}

function readTruth(entry: string, value: string): boolean {
  if (value === 'true') return true
  if (value === 'false') return false
  throw new KagoError('invalid_argument', `--security-opt: ${entry}: write true or false`)
}

function readProfile(path: string): Record<string, unknown> {
  const text = readOptionFile('--security-opt seccomp', path)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new KagoError('invalid_argument', `--security-opt seccomp: ${path} is not JSON`, { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new KagoError('invalid_argument', `--security-opt seccomp: ${path} holds no profile`)
}
