import { expect, test } from 'vitest'
import { errorCodes, errorTable, isKagoError, KagoError, toKagoError } from '../../../shared/errors.ts'

test('every code has a status and an exit code that shells can tell', () => {
  for (const code of errorCodes) {
    expect(errorTable[code].http).toBeGreaterThanOrEqual(400)
    expect(errorTable[code].exit).toBeGreaterThan(0)
    expect(errorTable[code].exit).toBeLessThan(256)
  }
})

test('an error survives the wire', () => {
  const error = new KagoError('in_use', 'image x is in use', {
    hint: 'h',
    details: { by: ['web'] },
    operation: 'ab',
  })
  const back = KagoError.fromBody(JSON.parse(JSON.stringify(error.toBody())))
  expect(back).toMatchObject({
    code: 'in_use',
    message: 'image x is in use',
    hint: 'h',
    details: { by: ['web'] },
    operation: 'ab',
  })
})

test('a code that nobody knows becomes internal', () => {
  expect(KagoError.fromBody(JSON.parse('{"code":"toString","message":"x"}')).code).toBe('internal')
})

test('any thrown value becomes an error; an abort becomes cancelled', () => {
  expect(toKagoError('x')).toMatchObject({ code: 'internal', message: 'unexpected failure: x' })
  expect(toKagoError(AbortSignal.abort().reason).code).toBe('cancelled')
  const own = new KagoError('corrupt', 'x')
  expect(toKagoError(own)).toBe(own)
  expect(isKagoError(own, 'corrupt', 'in_use')).toBe(true)
  expect(isKagoError(own, 'in_use')).toBe(false)
})
