/** Platforms: their spellings, and which entry of an index runs where. */
import { describe, expect, it } from 'vitest'
import type { Descriptor } from '../../../../shared/oci/descriptor.ts'
import { mediaTypes } from '../../../../shared/oci/media-types.ts'
import { choosePlatform, formatPlatform, parsePlatform, runsOn } from '../../../../shared/oci/platform.ts'

function offer(platform: string | undefined, annotations?: Record<string, string>): Descriptor {
  const [os = '', architecture = '', variant] = (platform ?? '').split('/')
  return {
    mediaType: mediaTypes.ociManifest,
    digest: `sha256:${Buffer.from(platform ?? 'none')
      .toString('hex')
      .padEnd(64, '0')
      .slice(0, 64)}`,
    size: 1,
    ...(platform !== undefined && { platform: { os, architecture, ...(variant && { variant }) } }),
    ...(annotations && { annotations }),
  }
}

describe('a platform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['Linux/X64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i686', 'linux/386'],
    ['arm64', 'linux/arm64'],
    ['linux/riscv64', 'linux/riscv64'],
    ['linux/constructor', 'linux/constructor'],
  ])('%s is %s', (text, normal) => {
    expect(formatPlatform(parsePlatform(text))).toBe(normal)
  })

  it.each(['', '/', 'linux/', 'linux//v7', 'a/b/c/d', 'linux/amd 64', 'linux/\u001b', 'x'.repeat(200)])(
    '%j is refused',
    (text) => {
      expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    },
  )
})

describe('from an index', () => {
  it.each([
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], 'linux/amd64'],
    ['linux/arm64', ['linux/arm64/v8', 'linux/amd64'], 'linux/arm64/v8'],
    ['linux/arm64/v8', ['linux/amd64', 'linux/arm64'], 'linux/arm64'],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8'], 'linux/arm/v6'],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6'], 'linux/arm/v7'],
    ['linux/amd64', ['linux/amd64/v2', 'linux/amd64'], 'linux/amd64'],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 'linux/amd64/v2'],
    ['linux/amd64', ['unknown/unknown', 'linux/amd64'], 'linux/amd64'],
  ])('for %s, of %j, %s is taken', (wanted, offered, expected) => {
    const chosen = choosePlatform(
      offered.map((platform) => offer(platform)),
      parsePlatform(wanted),
    )
    expect(chosen).toEqual(offer(expected))
  })

  it('the first of two equals is taken', () => {
    const [first, second] = [offer('linux/amd64'), { ...offer('linux/amd64'), size: 2 }]
    expect(choosePlatform([first, second], parsePlatform('linux/amd64'))).toBe(first)
  })

  it('an entry that does not say its platform is taken only where nothing else suits', () => {
    expect(choosePlatform([offer(undefined), offer('linux/amd64')], parsePlatform('amd64'))).toEqual(
      offer('linux/amd64'),
    )
    expect(choosePlatform([offer('linux/arm64'), offer(undefined)], parsePlatform('amd64'))).toEqual(
      offer(undefined),
    )
  })

  it('an attestation is never taken', () => {
    const attestations = [
      offer('unknown/unknown'),
      offer(undefined, { 'vnd.docker.reference.type': 'attestation-manifest' }),
    ]
    expect(() => choosePlatform(attestations, parsePlatform('amd64'), 'x:1')).toThrow(
      expect.objectContaining({
        code: 'not_found',
        message: 'x:1 is not made for linux/amd64',
        hint: 'its index lists no image',
      }),
    )
  })

  it('that has nothing suitable, the error says what it has', () => {
    const offers = ['windows/amd64', 'linux/arm64/v8', 'linux/arm/v8', 'linux/\u001b[31m'].map((platform) =>
      offer(platform),
    )
    expect(() => choosePlatform(offers, parsePlatform('linux/arm/v7'), 'x:1')).toThrow(
      expect.objectContaining({
        code: 'not_found',
        message: 'x:1 is not made for linux/arm/v7',
        hint: 'it is offered for windows/amd64, linux/arm64, linux/arm/v8, linux/?[31m',
      }),
    )
  })

  it('of thousands of platforms the error lists some', () => {
    const offers = Array.from({ length: 4000 }, (_, index) => offer(`os${index}/amd64`))
    expect(() => choosePlatform(offers, parsePlatform('linux/amd64'))).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/ and 3970 more$/) }),
    )
  })
})

it('an earlier variant runs on a later one, not the other way round', () => {
  expect(runsOn(parsePlatform('linux/arm/v6'), parsePlatform('linux/arm/v7'))).toBe(true)
  expect(runsOn(parsePlatform('linux/arm/v7'), parsePlatform('linux/arm/v6'))).toBe(false)
  expect(runsOn(parsePlatform('linux/arm64'), parsePlatform('linux/arm/v7'))).toBe(false)
  expect(runsOn(parsePlatform('linux/amd64/odd'), parsePlatform('linux/amd64'))).toBe(false)
})
