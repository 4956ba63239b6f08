/** That what the daemon answers is what the contract says, and that the published document is the contract. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Compile } from 'typebox/compile'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endpoints } from '../../shared/protocol/endpoints.ts'
import { routes } from '../../shared/protocol/index.ts'
import { openApiDocument } from '../../shared/protocol/openapi.ts'
import { Progress } from '../../shared/protocol/progress.ts'
import { type Kagod, startKagod } from '../harness/kagod.ts'

let kagod: Kagod
beforeAll(async () => {
  kagod = await startKagod()
})
afterAll(async () => {
  await kagod.dispose()
})

test('docs/openapi.json is what the contract gives; write it anew with: node scripts/docs.ts', () => {
  const committed: unknown = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8'),
  )
  expect(committed).toEqual(JSON.parse(JSON.stringify(openApiDocument())))
})

test('every endpoint is a route and every route an endpoint', () => {
  expect(Object.keys(routes).sort()).toEqual(Object.keys(endpoints).sort())
  for (const [id, route] of Object.entries(routes)) expect(route.id).toBe(id)
})

test('JSON replies of a container’s life fit their schemas to the last key', async () => {
  const image = 'localhost/busybox'
  const id = await kagod.runDetached({ image, name: 'life', command: ['sleep', '1000'], labels: { a: 'b' } })
  const calls: [keyof typeof routes, string, string, unknown?][] = [
    ['system.ping', 'GET', '/v1/ping'],
    ['system.version', 'GET', '/v1/version'],
    ['system.info', 'GET', '/v1/info'],
    ['image.list', 'GET', '/v1/images'],
    ['image.inspect', 'GET', `/v1/images/inspect?name=${image}`],
    ['image.history', 'GET', `/v1/images/history?name=${image}`],
    ['image.tag', 'POST', '/v1/images/tag', { source: image, target: 'localhost/other' }],
    ['image.remove', 'DELETE', '/v1/images?name=localhost/other'],
    ['container.list', 'GET', '/v1/containers?all=true'],
    ['container.inspect', 'GET', `/v1/containers/${id}`],
    ['container.top', 'GET', `/v1/containers/${id}/top`],
    ['container.ports', 'GET', `/v1/containers/${id}/ports`],
    ['container.pause', 'POST', `/v1/containers/${id}/pause`, {}],
    ['container.unpause', 'POST', `/v1/containers/${id}/unpause`, {}],
    ['container.update', 'POST', `/v1/containers/${id}/update`, { resources: { pidsLimit: 50 } }],
    ['container.rename', 'POST', `/v1/containers/${id}/rename`, { name: 'life2' }],
    ['container.exec-detached', 'POST', `/v1/containers/${id}/exec-detached`, { command: ['true'] }],
    ['container.restart', 'POST', `/v1/containers/${id}/restart`, { timeoutSeconds: 0 }],
    ['container.kill', 'POST', `/v1/containers/${id}/kill`, { signal: 'KILL' }],
    ['container.wait', 'GET', `/v1/containers/${id}/wait`],
    ['container.start', 'POST', `/v1/containers/${id}/start`, {}],
    ['container.stop', 'POST', `/v1/containers/${id}/stop`, { timeoutSeconds: 0 }],
    ['container.list', 'GET', '/v1/containers?all=true'],
    ['operation.list', 'GET', '/v1/operations'],
    ['operation.inspect', 'GET', `/v1/operations/${id}`],
    ['container.remove', 'DELETE', `/v1/containers/${id}`],
  ]
  for (const [route, method, path, body] of calls) {
    const reply = await kagod.ok<unknown>(method, path, body)
    const { result } = routes[route] as { result?: Parameters<typeof Compile>[0] }
    if (result === undefined) throw new Error(`${route} has no result`)
    expect(Compile(result).Errors(reply), `${route} ${JSON.stringify(reply)}`).toEqual([])
  }
})

test('every line of a long reply is a progress object or the result', async () => {
  const lines = await kagod.ok<{ type: string; result?: unknown }[]>('POST', '/v1/containers?start=true', {
    image: 'localhost/busybox',
    command: ['true'],
    autoRemove: true,
  })
  for (const line of lines.slice(0, -1))
    expect(Compile(Progress).Check(line), JSON.stringify(line)).toBe(true)
  expect(Compile(routes['container.create'].result).Check(lines.at(-1)?.result)).toBe(true)
})
