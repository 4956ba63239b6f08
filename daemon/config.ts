/** The daemon's configuration: one JSON file, checked whole, with defaults for every key. */
import { readFileSync } from 'node:fs'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { KagoError } from '../shared/errors.ts'
import { bitsOf, parseAddress, parseSubnet } from '../shared/address.ts'
import { closed } from '../shared/protocol/common.ts'
import { nearest } from '../shared/nearest.ts'

const AbsolutePath = Type.String({ pattern: '^/' })

/** `/etc/kago/kagod.json`. Every key may be left out. */
export const ConfigFile = closed({
  /** Where images, layers, containers and the database are. */
  dataRoot: Type.Optional(AbsolutePath),
  /** Where sockets and bundles are; emptied by a reboot. */
  runRoot: Type.Optional(AbsolutePath),
  /** The socket's path, and the group that may use it. */
  socket: Type.Optional(AbsolutePath),
  socketGroup: Type.Optional(Type.String({ minLength: 1 })),
  logLevel: Type.Optional(
    Type.Union([
      Type.Literal('debug'),
      Type.Literal('info'),
      Type.Literal('warn'),
      Type.Literal('error'),
      Type.Literal('silent'),
    ]),
  ),
  defaultRuntime: Type.Optional(Type.String({ minLength: 1 })),
  /** Runtimes by name, beside the built-in `runc` and `unshare`. */
  runtimes: Type.Optional(
    Type.Record(
      Type.String(),
      closed({ path: Type.String({ minLength: 1 }), args: Type.Optional(Type.Array(Type.String())) }),
    ),
  ),
  snapshotter: Type.Optional(
    Type.Union([Type.Literal('auto'), Type.Literal('overlay'), Type.Literal('copy')]),
  ),
  /** Registries that may be spoken to without TLS: `host`, `host:port` or an address range. */
  insecureRegistries: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
  /** Per registry, the URLs that are asked before it. */
  mirrors: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String({ minLength: 1 })))),
  /** Other kagods, by URL, that are asked for an image's parts before its registry: `http://10.0.0.2:5000`. */
  peers: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { maxItems: 100 })),
  /** Where this machine's images can be pulled from: an address and a port. Off unless set. */
  registryListen: Type.Optional(Type.String({ minLength: 1 })),
  /** Who may pull, a file of lines as `kagod registry-user NAME` prints them. Everybody who reaches it if not set. */
  registryUsers: Type.Optional(AbsolutePath),
  /** Files of TLS, in PEM. */
  registryCertificate: Type.Optional(AbsolutePath),
  registryKey: Type.Optional(AbsolutePath),
  /** Directory with `HOST[:PORT]/ca.crt`. */
  certsDir: Type.Optional(AbsolutePath),
  /** Which name servers containers' questions are passed on to: a resolv.conf(5), read again when it has changed. */
  resolvConf: Type.Optional(AbsolutePath),
  /** The bridge of the network `bridge`, which containers join unless they are told otherwise. */
  bridge: Type.Optional(Type.String({ pattern: '^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$' })),
  /** The nftables table (of family inet) that this daemon writes, alone. */
  firewallTable: Type.Optional(Type.String({ pattern: '^[a-zA-Z][a-zA-Z0-9_-]{0,30}$' })),
  /** Where ports are published unless `-p` names an address: all IPv4 and IPv6 addresses if this is left out. */
  publishAddress: Type.Optional(Type.String()),
  /** Where subnets of networks are taken from: `size` is the length of their prefix. */
  addressPools: Type.Optional(
    Type.Array(
      closed({
        base: Type.String({ minLength: 1 }),
        size: Type.Integer({ minimum: 1, maximum: 126 }),
      }),
      { minItems: 1, maxItems: 1000 },
    ),
  ),
  /** Of each container's log. */
  logMaxBytes: Type.Optional(Type.Integer({ minimum: 4096 })),
  logMaxFiles: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
})
export type ConfigFile = Static<typeof ConfigFile>

type OffUnlessSet = 'registryListen' | 'registryUsers' | 'registryCertificate' | 'registryKey'

export type Config = Required<Omit<ConfigFile, OffUnlessSet>> & {
  [Key in OffUnlessSet]: string | undefined
} & {
  /** The file it was read from. */
  file: string
}

export const defaultConfigFile = '/etc/kago/kagod.json'

const compiled = Compile(ConfigFile)

/**
 * Reads and checks the configuration. A missing file is an empty one, unless it was asked for by name.
 * @throws invalid_argument naming the file and the key.
 */
export function readConfig(file: string | undefined, overrides: Partial<ConfigFile> = {}): Config {
  const path = file ?? defaultConfigFile
  const given = { ...parseConfig(path, readText(path, file !== undefined)), ...overrides }
  const runRoot = given.runRoot ?? '/run/kago'
  const config = {
    dataRoot: given.dataRoot ?? '/var/lib/kago/v1',
    runRoot,
    socket: given.socket ?? `${runRoot}/kagod.sock`,
    socketGroup: given.socketGroup ?? 'kago',
    logLevel: given.logLevel ?? 'info',
    defaultRuntime: given.defaultRuntime ?? 'runc',
    runtimes: given.runtimes ?? {},
    snapshotter: given.snapshotter ?? 'auto',
    insecureRegistries: given.insecureRegistries ?? [],
    mirrors: given.mirrors ?? {},
    peers: given.peers ?? [],
    registryListen: given.registryListen,
    registryUsers: given.registryUsers,
    registryCertificate: given.registryCertificate,
    registryKey: given.registryKey,
    certsDir: given.certsDir ?? '/etc/kago/certs.d',
    resolvConf: given.resolvConf ?? '/etc/resolv.conf',
    bridge: given.bridge ?? 'kago0',
    firewallTable: given.firewallTable ?? 'kago',
    publishAddress: given.publishAddress ?? '',
    addressPools: given.addressPools ?? defaultPools,
    logMaxBytes: given.logMaxBytes ?? 10 * 1024 * 1024,
    logMaxFiles: given.logMaxFiles ?? 3,
    file: path,
  }
  const known = ['runc', 'unshare', ...Object.keys(config.runtimes)]
  if (!known.includes(config.defaultRuntime)) {
    throw new KagoError(
      'invalid_argument',
      `${path}: defaultRuntime: no runtime is called ${config.defaultRuntime}`,
      {
        hint: `known runtimes: ${known.join(', ')}`,
      },
    )
  }
  checkPools(path, config.addressPools)
  if (config.publishAddress !== '' && parseAddress(config.publishAddress) === undefined) {
    throw new KagoError(
      'invalid_argument',
      `${path}: publishAddress: ${config.publishAddress} is no address`,
      {
        hint: 'write "127.0.0.1", or leave it out for all addresses',
      },
    )
  }
  return config
}

/** Where neither Docker (172.17 to 172.31, 192.168) nor Podman (10.88 and above) looks. */
const defaultPools = [
  { base: '10.64.0.0/12', size: 20 },
  { base: '192.168.192.0/18', size: 24 },
]

function checkPools(path: string, pools: Config['addressPools']): void {
  for (const { base, size } of pools) {
    const subnet = parseSubnet(base)
    const most = subnet === undefined ? 0 : bitsOf(subnet.family) - 2
    if (subnet !== undefined && size >= subnet.prefix && size <= most) continue
    const problem =
      subnet === undefined ? `${base} is not a subnet` : `${base} has no subnets of the size /${size}`
    throw new KagoError('invalid_argument', `${path}: addressPools: ${problem}`, {
      hint: 'write {"base": "10.64.0.0/12", "size": 20}',
    })
  }
}

function readText(path: string, isRequired: boolean): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (!isRequired && error instanceof Error && 'code' in error && error.code === 'ENOENT') return '{}'
    throw new KagoError('invalid_argument', `cannot read the configuration ${path}`, { cause: error })
  }
}

function parseConfig(path: string, text: string): ConfigFile {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new KagoError(
      'invalid_argument',
      `${path} is not JSON: ${error instanceof Error ? error.message : ''}`,
    )
  }
  if (compiled.Check(value)) return value
  throw new KagoError('invalid_argument', `${path}: ${firstProblem(value)}`, {
    hint: `known keys: ${Object.keys(ConfigFile.properties).join(', ')}`,
  })
}

/** The first thing that is wrong, by the key's path: `logMaxFiles: must be <= 1000`. */
function firstProblem(value: unknown): string {
  const problems = compiled.Errors(value)
  const unknown = problems.find((problem) => problem.keyword === 'additionalProperties')
  if (unknown?.keyword === 'additionalProperties') {
    const key = String(unknown.params.additionalProperties[0])
    const suggestion = nearest(key, Object.keys(ConfigFile.properties))
    return `unknown key ${[...pathOf(unknown.instancePath), key].join('.')}${suggestion ? ` (did you mean ${suggestion}?)` : ''}`
  }
  const [problem] = problems
  if (problem === undefined) return 'does not fit the schema'
  return `${pathOf(problem.instancePath).join('.') || 'the file'}: ${problem.message}`
}

function pathOf(pointer: string): string[] {
  return pointer.split('/').slice(1)
}
