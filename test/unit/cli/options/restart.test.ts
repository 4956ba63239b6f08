import { expect, test } from 'vitest'
import { parseRestart } from '../../../../cli/options/restart.ts'

test('policies are read as Docker writes them', () => {
  expect(parseRestart('always')).toEqual({ policy: 'always' })
  expect(parseRestart('unless-stopped')).toEqual({ policy: 'unless-stopped' })
  expect(parseRestart('no')).toEqual({ policy: 'no' })
  expect(parseRestart('on-failure')).toEqual({ policy: 'on-failure' })
  expect(parseRestart('on-failure:5')).toEqual({ policy: 'on-failure', maximumRetries: 5 })
})

test.for(['sometimes', '', 'always:3', 'on-failure:x', 'on-failure:-1', 'on-failure:1:2'])(
  '%s is no policy',
  (text) => {
    expect(() => parseRestart(text)).toThrow('--restart')
  },
)

test('a policy that is nearly right is suggested', () => {
  expect(() => parseRestart('unles-stopped')).toThrow(
    expect.objectContaining({ hint: 'did you mean unless-stopped?' }),
  )
})
