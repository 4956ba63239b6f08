// Which folder may import which. Imports go down only, folders on one floor do not know each other,
// and a package has one door. Run by scripts/check-imports.ts, which also asserts that anything was checked.

/** Floors of the daemon, lowest first. The folders of one floor are strangers. */
const floors = [
  ['host', 'state', 'events', 'telemetry', 'config', 'paths'],
  ['operation'],
  ['content', 'snapshot', 'registry', 'runtime', 'network', 'volume', 'logs'],
  ['image', 'shim'],
  ['container'],
  ['system'],
  ['api/native', 'api/docker', 'api/cri', 'api/registry'],
  ['main', 'compose'],
]

/** `config` is daemon/config.ts or anything in daemon/config/. */
const inside = (names) => `^daemon/(${names.join('|')})(/|\\.ts$)`

/** The common files of the api: above every verb, known to all its adapters. */
const commonApi = '^daemon/api/[^/]+\\.ts$'

/** Strangers that must know each other's data, each with its reason. Keep it short. */
const acquainted = [
  // Both are one thing to their users: where things are follows from how the daemon is configured.
  { from: '^daemon/paths\\.ts$', to: '^daemon/config\\.ts$' },
  { from: '^daemon/main\\.ts$', to: '^daemon/compose\\.ts$' },
]

const upwards = floors.slice(0, -1).map((floor, level) => ({
  name: `floor-${level}-imports-down-only`,
  comment: `daemon/{${floor.join(',')}} may import lower floors and shared/ only`,
  severity: 'error',
  from: { path: inside(floor) },
  to: { path: `${inside(floors.slice(level + 1).flat())}|${level < 6 ? '^daemon/api/' : '^$'}` },
}))

const strangers = floors.flatMap((floor, level) =>
  floor.map((folder) => ({
    name: `${folder.replace('/', '-')}-knows-no-neighbour`,
    comment: `folders on floor ${level} do not know each other: what both need belongs to a lower floor`,
    severity: 'error',
    from: { path: inside([folder]), pathNot: acquainted.map(({ from }) => from) },
    to: { path: inside(floor.filter((other) => other !== folder)) },
  })),
).filter(({ to }) => to.path !== inside([]))

/** package → the files that may import it */
const doors = {
  undici: '^daemon/registry/client\\.ts$',
  fastify: '^daemon/api/',
  '@fastify/[^/]+': '^daemon/api/',
  'tar-stream': '^daemon/image/|^daemon/container/(archive|copy|cp|export|diff)[^/]*\\.ts$|^scripts/|^test/',
  'dns-packet': '^daemon/network/dns/',
  koffi: '^daemon/host/syscalls\\.ts$',
  'node-pty': '^daemon/container/exec[^/]*\\.ts$|^test/',
}

const oneDoor = Object.entries(doors).map(([name, door]) => ({
  name: `${name.replace(/[^a-z-]/g, '')}-has-one-door`,
  comment: `${name} is imported only by ${door}`,
  severity: 'error',
  from: { path: '^(shared|daemon|cli|scripts)/', pathNot: [door] },
  to: { path: `(^|/)node_modules/${name}/|^${name}$` },
}))

module.exports = {
  forbidden: [
    ...upwards,
    ...strangers,
    ...oneDoor,
    {
      name: 'api-floor-is-below-main',
      severity: 'error',
      from: { path: '^daemon/api/' },
      to: { path: inside(['main', 'compose']) },
    },
    {
      name: 'api-common-knows-no-adapter-but-one',
      comment: 'the common files of the api serve all adapters; only the server composes them',
      severity: 'error',
      from: { path: commonApi, pathNot: ['^daemon/api/server\\.ts$'] },
      to: { path: inside(['api/native', 'api/docker', 'api/cri']) },
    },
    {
      name: 'shared-is-an-island',
      comment: 'shared/ imports nothing outside itself, save the schema words of typebox',
      severity: 'error',
      from: { path: '^shared/' },
      to: { pathNot: ['^shared/', '(^|/)node_modules/typebox/'] },
    },
    {
      name: 'cli-and-daemon-are-strangers',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^daemon/' },
    },
    {
      name: 'daemon-and-cli-are-strangers',
      severity: 'error',
      from: { path: '^daemon/' },
      to: { path: '^cli/' },
    },
    {
      name: 'programs-import-no-tests-or-scripts',
      severity: 'error',
      from: { path: '^(shared|daemon|cli)/' },
      to: { path: '^(test|scripts)/' },
    },
    {
      name: 'client-and-terminal-know-no-command',
      severity: 'error',
      from: { path: '^cli/(client|terminal)/' },
      to: { path: '^cli/(commands/|main\\.ts$)' },
    },
    {
      name: 'client-and-terminal-are-strangers',
      severity: 'error',
      from: { path: '^cli/(client|terminal)/' },
      to: { path: '^cli/(client|terminal)/', pathNot: ['^cli/$1/'] },
    },
    {
      name: 'cli-stays-light',
      comment: 'the command line has no native module, no server, and of typebox only the types',
      severity: 'error',
      from: { path: '^cli/' },
      to: {
        path: '(^|/)node_modules/(undici|koffi|node-pty|fastify|@fastify|pino|tar-stream|execa|typebox)/|^(node:)?sqlite$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'no-cycles',
      comment: 'not of types either; a file that is loaded when it is called may know its caller',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['dynamic-import'] } },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-development-package-at-run-time',
      severity: 'error',
      from: { path: '^(shared|daemon|cli)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: '(^|/)node_modules/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
