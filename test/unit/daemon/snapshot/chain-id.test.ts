import { expect, it } from 'vitest'
import { chainIds, layerName } from '../../../../daemon/snapshot/chain-id.ts'

const a = `sha256:${'a'.repeat(64)}` as const
const b = `sha256:${'b'.repeat(64)}` as const

it('the chainID of the lowest layer is its diffID', () => {
  expect(chainIds([a])).toEqual([a])
  expect(chainIds([])).toEqual([])
})

it('the chainID above is the digest of the chainID below, a space and the diffID', () => {
  // printf 'sha256:aa… sha256:bb…' | sha256sum
  expect(chainIds([a, b])[1]).toBe('sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c')
  expect(chainIds([b, a])[1]).not.toBe(chainIds([a, b])[1])
})

it('the name of a layer is the first 28 digits', () => {
  expect(layerName(b)).toBe('b'.repeat(28))
})
