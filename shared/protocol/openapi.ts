/** The contract as an OpenAPI 3.1 document, for clients in other languages. */
import { errorTable } from '../errors.ts'
import { ErrorSchema } from './common.ts'
import { bodyTypes, framesProtocol, protocolVersion } from './endpoints.ts'
import { routes } from './index.ts'
import { Progress } from './progress.ts'
import { methodOf, pathOf, type Route } from './route.ts'

type Json = Record<string, unknown>

export function openApiDocument(): Json {
  const paths: Record<string, Json> = {}
  for (const route of Object.values<Route>(routes)) {
    const path = pathOf(route.id).replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [methodOf(route.id).toLowerCase()]: describeRoute(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'The kago protocol',
      version: String(protocolVersion),
      description:
        'What the kago command line and the kagod daemon speak: HTTP/1.1 on a unix socket. See protocol.md for a worked session.',
    },
    paths,
    components: {
      schemas: {
        Error: { type: 'object', properties: { error: ErrorSchema }, required: ['error'] },
        Progress,
      },
    },
  }
}

function describeRoute(route: Route): Json {
  return {
    operationId: route.id,
    summary: route.summary,
    tags: [route.id.split('.')[0]],
    parameters: [...describeParameters('path', route.params), ...describeParameters('query', route.query)],
    ...(route.body !== undefined && {
      requestBody: {
        required: true,
        content:
          typeof route.body === 'string'
            ? { [route.body]: { schema: { type: 'string', format: 'binary' } } }
            : { 'application/json': { schema: route.body } },
      },
    }),
    responses: { ...describeReply(route), default: errorReply },
  }
}

function describeParameters(place: 'path' | 'query', schema: Route['params']): Json[] {
  const { properties = {}, required = [] } = (schema ?? {}) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }))
}

function describeReply(route: Route): Json {
  switch (route.reply) {
    case 'json':
      return { 200: { description: 'done', content: { 'application/json': { schema: route.result } } } }
    case 'lines':
      return {
        200: {
          description:
            'NDJSON: progress objects, and as the last line {"type":"result","result":…} or {"type":"error","error":…}',
          content: { [bodyTypes.lines]: { schema: route.result ?? {} } },
        },
      }
    case 'stream':
      return {
        200: {
          description: 'NDJSON, one object after another; the last line as that of other NDJSON replies',
          content: { [bodyTypes.lines]: { schema: route.line ?? {} } },
        },
      }
    case 'text':
      return { 200: { description: 'text', content: { 'text/plain': { schema: { type: 'string' } } } } }
    case 'frames':
      return { 200: { description: 'kago-frames', content: { [bodyTypes.frames]: {} } } }
    case 'tar':
      return { 200: { description: 'a tar archive', content: { [bodyTypes.tar]: {} } } }
    case 'upgrade':
      return { 101: { description: `the connection becomes ${framesProtocol}, in both directions` } }
    default:
      return route.reply satisfies never
  }
}

const errorReply = {
  description: `an error; its code gives the status: ${Object.entries(errorTable)
    .map(([code, { http }]) => `${code} ${http}`)
    .join(', ')}`,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
}
