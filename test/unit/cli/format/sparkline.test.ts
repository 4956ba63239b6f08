import { expect, test } from 'vitest'
import { sparkline } from '../../../../cli/format/sparkline.ts'

test('the greatest value is the highest bar, nothing is the lowest', () => {
  expect(sparkline([0, 50, 100], 3)).toBe('▁▅█')
  expect(sparkline([0, 0], 2)).toBe('▁▁')
})

test('only the newest are shown, at the right', () => {
  expect(sparkline([100, 0, 0], 2)).toBe('▁▁')
  expect(sparkline([7], 4)).toBe('   █')
  expect(sparkline([], 3)).toBe('   ')
})
