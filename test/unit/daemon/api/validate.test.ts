import { Type } from 'typebox'
import { expect, test } from 'vitest'
import { compileValidator } from '../../../../daemon/api/validate.ts'
import { closed } from '../../../../shared/protocol/common.ts'
import { CreateBody } from '../../../../shared/protocol/containers.ts'

const query = compileValidator(
  closed({
    all: Type.Optional(Type.Boolean()),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    filter: Type.Optional(Type.Array(Type.String())),
  }),
  'querystring',
)

test('query text becomes what the schema says it is', () => {
  expect(query({ all: 'true', limit: '5', filter: 'a=b' })).toEqual({
    value: { all: true, limit: 5, filter: ['a=b'] },
  })
  expect(query({ all: '0', filter: ['a', 'b'] })).toEqual({ value: { all: false, filter: ['a', 'b'] } })
})

test.for([{ limit: '0' }, { limit: '1.5' }, { limit: 'many' }, { all: 'yes' }, { al: 'true' }])(
  '%j is refused',
  (data) => {
    expect(query(data)).toMatchObject({ error: { code: 'invalid_argument' } })
  },
)

test('an unknown key is named, with the key that was meant', () => {
  const body = compileValidator(CreateBody, 'body')
  expect(body({ image: 'x', commnd: [] })).toMatchObject({
    error: { message: 'unknown key in the body: commnd', hint: 'did you mean command?' },
  })
  expect(body({ image: 'x', securityOpt: { seccomp2: 1 } })).toMatchObject({
    error: { message: 'unknown key in the body: securityOpt.seccomp2' },
  })
})

test('a value that does not fit is named by its path', () => {
  const body = compileValidator(CreateBody, 'body')
  expect(body({ image: 'x', resources: { memoryBytes: 'lots' } })).toMatchObject({
    error: { message: expect.stringContaining('body resources.memoryBytes') as string },
  })
  expect(body(undefined)).toMatchObject({ error: { code: 'invalid_argument' } })
})
