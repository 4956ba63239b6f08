import { expect, test } from 'vitest'
import { nearest } from '../../../shared/nearest.ts'

const words = ['--memory', '--memory-swap', '--name', '--network', 'run', 'rm', 'rmi']

test.for([
  ['--memroy', '--memory'],
  ['--nmae', '--name'],
  ['--netwrk', '--network'],
  ['rn', 'run'],
])('%s means %s', ([typed, meant]) => {
  expect(nearest(typed ?? '', words)).toBe(meant)
})

test('a word that is like none gets no suggestion', () => {
  expect(nearest('--publish', words)).toBeUndefined()
  expect(nearest('x', [])).toBeUndefined()
})
