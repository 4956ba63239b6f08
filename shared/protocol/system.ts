/** The daemon itself: whether it is there, what it is, what its machine offers. */
import { type Static, Type } from 'typebox'
import { closed } from './common.ts'
import { route } from './route.ts'

export const Version = closed({
  version: Type.String(),
  commit: Type.String(),
  protocol: Type.Integer(),
  node: Type.String(),
  os: Type.String(),
  architecture: Type.String(),
  kernel: Type.String(),
})
export type Version = Static<typeof Version>

/** One thing the kernel or the machine offers, or lacks and why. */
export const Feature = closed({
  name: Type.String(),
  available: Type.Boolean(),
  /** A version, a path, a mode; or the reason it is missing and what to do. */
  detail: Type.String(),
  /** How to get it. */
  hint: Type.Optional(Type.String()),
})
export type Feature = Static<typeof Feature>

export const Info = closed({
  version: Version,
  hostname: Type.String(),
  cpus: Type.Integer(),
  memoryBytes: Type.Integer(),
  dataRoot: Type.String(),
  runRoot: Type.String(),
  configFile: Type.String(),
  snapshotter: Type.String(),
  defaultRuntime: Type.String(),
  runtimes: Type.Array(Type.String()),
  containers: closed({ total: Type.Integer(), running: Type.Integer(), paused: Type.Integer() }),
  images: Type.Integer(),
  features: Type.Array(Feature),
  insecureRegistries: Type.Array(Type.String()),
  mirrors: Type.Record(Type.String(), Type.Array(Type.String())),
  /** Hosts of other kagods that are asked before registries. */
  peers: Type.Array(Type.String()),
  /** Where this machine's images can be pulled from; null where they cannot. */
  registryListen: Type.Union([Type.String(), Type.Null()]),
  pid: Type.Integer(),
  uptimeSeconds: Type.Number(),
  residentBytes: Type.Integer(),
})
export type Info = Static<typeof Info>

/** What opens a registry. */
export const Credentials = Type.Union([
  closed({ username: Type.String({ maxLength: 1024 }), password: Type.String({ maxLength: 65536 }) }),
  closed({ identityToken: Type.String({ maxLength: 65536 }) }),
])
export type Credentials = Static<typeof Credentials>

/** What a request carries in its `x-kago-registry-auth` header: credentials by registry, as `docker.io`. */
export const RegistryAuth = Type.Record(Type.String({ maxLength: 255 }), Credentials)
export type RegistryAuth = Static<typeof RegistryAuth>

export const systemRoutes = {
  'system.ping': route({
    id: 'system.ping',
    summary: 'Whether the daemon answers',
    reply: 'json',
    result: closed({ ok: Type.Boolean() }),
  }),
  'system.version': route({
    id: 'system.version',
    summary: 'What the daemon is',
    reply: 'json',
    result: Version,
  }),
  'system.info': route({
    id: 'system.info',
    summary: 'What the daemon’s machine offers, what it lacks, and why',
    reply: 'json',
    result: Info,
  }),
  'system.metrics': route({
    id: 'system.metrics',
    summary: 'Everything that can be counted, in the text format of Prometheus',
    reply: 'text',
  }),
  'registry.login': route({
    id: 'registry.login',
    summary: 'Ask a registry whether credentials are good; the daemon does not keep them',
    body: closed({ registry: Type.String({ maxLength: 255 }), credentials: Credentials }),
    reply: 'json',
    result: closed({
      registry: Type.String(),
      /** To be kept instead of the password, where the registry gave one. */
      identityToken: Type.Optional(Type.String()),
    }),
  }),
}
