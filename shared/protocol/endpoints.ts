/**
 * Every route of the protocol by its id, as `METHOD /path`: all that a client needs to know of them at run time.
 * The schemas beside it are for the daemon, for the documents and for the compiler.
 */

export const endpoints = {
  'system.ping': 'GET /v1/ping',
  'system.version': 'GET /v1/version',
  'system.info': 'GET /v1/info',
  'system.events': 'GET /v1/events',
  'system.metrics': 'GET /metrics',
  'system.prune': 'POST /v1/prune',
  'system.disk-usage': 'GET /v1/disk-usage',
  'registry.login': 'POST /v1/registries/login',

  'image.pull': 'POST /v1/images/pull',
  'image.pull-all': 'POST /v1/images/pull-all',
  'image.push': 'POST /v1/images/push',
  'image.list': 'GET /v1/images',
  'image.inspect': 'GET /v1/images/inspect',
  'image.history': 'GET /v1/images/history',
  'image.tag': 'POST /v1/images/tag',
  'image.remove': 'DELETE /v1/images',
  'image.prune': 'POST /v1/images/prune',
  'image.load': 'POST /v1/images/load',
  'image.import': 'POST /v1/images/import',
  'image.save': 'GET /v1/images/save',

  'container.create': 'POST /v1/containers',
  'container.run': 'POST /v1/containers/run',
  'container.prune': 'POST /v1/containers/prune',
  'container.list': 'GET /v1/containers',
  'container.inspect': 'GET /v1/containers/:id',
  'container.remove': 'DELETE /v1/containers/:id',
  'container.start': 'POST /v1/containers/:id/start',
  'container.start-attached': 'POST /v1/containers/:id/start-attached',
  'container.stop': 'POST /v1/containers/:id/stop',
  'container.restart': 'POST /v1/containers/:id/restart',
  'container.kill': 'POST /v1/containers/:id/kill',
  'container.pause': 'POST /v1/containers/:id/pause',
  'container.unpause': 'POST /v1/containers/:id/unpause',
  'container.wait': 'GET /v1/containers/:id/wait',
  'container.rename': 'POST /v1/containers/:id/rename',
  'container.update': 'POST /v1/containers/:id/update',
  'container.top': 'GET /v1/containers/:id/top',
  'container.ports': 'GET /v1/containers/:id/ports',
  'container.logs': 'GET /v1/containers/:id/logs',
  'container.stats': 'GET /v1/stats',
  'container.attach': 'POST /v1/containers/:id/attach',
  'container.exec': 'POST /v1/containers/:id/exec',
  'container.exec-detached': 'POST /v1/containers/:id/exec-detached',
  'container.file-stat': 'GET /v1/containers/:id/files/stat',
  'container.read-files': 'GET /v1/containers/:id/files',
  'container.write-files': 'PUT /v1/containers/:id/files',
  'container.changes': 'GET /v1/containers/:id/changes',
  'container.commit': 'POST /v1/containers/:id/commit',
  'container.export': 'GET /v1/containers/:id/export',

  'network.create': 'POST /v1/networks',
  'network.list': 'GET /v1/networks',
  'network.inspect': 'GET /v1/networks/:network',
  'network.remove': 'DELETE /v1/networks/:network',
  'network.prune': 'POST /v1/networks/prune',
  'network.connect': 'POST /v1/networks/:network/connect',
  'network.disconnect': 'POST /v1/networks/:network/disconnect',

  'volume.create': 'POST /v1/volumes',
  'volume.list': 'GET /v1/volumes',
  'volume.prune': 'POST /v1/volumes/prune',
  'volume.inspect': 'GET /v1/volumes/:volume',
  'volume.remove': 'DELETE /v1/volumes/:volume',
  'volume.rename': 'POST /v1/volumes/:volume/rename',
  'volume.clone': 'POST /v1/volumes/:volume/clone',

  'operation.list': 'GET /v1/operations',
  'operation.inspect': 'GET /v1/operations/:id',
} as const

export type RouteId = keyof typeof endpoints

/** The version of the protocol; it grows when a client of the old one would no longer be understood. */
export const protocolVersion = 1

/** The request header that carries registry credentials: base64url of JSON `{registry: credentials}`. Never logged. */
export const registryAuthHeader = 'x-kago-registry-auth'

/** The token of the `Upgrade` header for a stream of frames. */
export const framesProtocol = 'kago-frames'

/** Media types of bodies that are not JSON. */
export const bodyTypes = {
  frames: 'application/vnd.kago.frames',
  lines: 'application/x-ndjson',
  tar: 'application/x-tar',
  text: 'text/plain; version=0.0.4; charset=utf-8',
} as const
