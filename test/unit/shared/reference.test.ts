/** Names of images: Docker's grammar, defaults and limits. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KagoError } from '../../../shared/errors.ts'
import {
  apiHost,
  familiarReference,
  familiarRepository,
  formatReference,
  parseReference,
  type Reference,
} from '../../../shared/reference.ts'

const hex = 'a3'.repeat(32)

/** What parsing a name gives or throws. */
function outcomeOf(text: string): Reference | KagoError {
  try {
    return parseReference(text)
  } catch (error) {
    if (error instanceof KagoError) return error
    throw error
  }
}

describe('a name', () => {
  it.each([
    ['alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
    ['alpine:3.20', 'docker.io/library/alpine:3.20', 'alpine:3.20'],
    ['grafana/grafana', 'docker.io/grafana/grafana:latest', 'grafana/grafana:latest'],
    ['a/b/c', 'docker.io/a/b/c:latest', 'a/b/c:latest'],
    ['docker.io/alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
    ['docker.io/library/alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
    ['index.docker.io/alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
    ['index.docker.io/a/b:1', 'docker.io/a/b:1', 'a/b:1'],
    ['localhost/x', 'localhost/x:latest', 'localhost/x:latest'],
    ['localhost:5000/x', 'localhost:5000/x:latest', 'localhost:5000/x:latest'],
    ['host:5000/x:y', 'host:5000/x:y', 'host:5000/x:y'],
    ['ghcr.io/o/r:V1_2.3-x', 'ghcr.io/o/r:V1_2.3-x', 'ghcr.io/o/r:V1_2.3-x'],
    ['GHCR.IO/o/r', 'ghcr.io/o/r:latest', 'ghcr.io/o/r:latest'],
    ['127.0.0.1:5000/a', '127.0.0.1:5000/a:latest', '127.0.0.1:5000/a:latest'],
    ['[::1]:5000/a', '[::1]:5000/a:latest', '[::1]:5000/a:latest'],
    ['a__b-c---d.e_f', 'docker.io/library/a__b-c---d.e_f:latest', 'a__b-c---d.e_f:latest'],
    [`alpine@sha256:${hex}`, `docker.io/library/alpine@sha256:${hex}`, `alpine@sha256:${hex}`],
    [`alpine:3@sha256:${hex}`, `docker.io/library/alpine:3@sha256:${hex}`, `alpine:3@sha256:${hex}`],
    ['docker.io/localhost/x', 'docker.io/localhost/x:latest', 'docker.io/localhost/x:latest'],
    ['docker.io/a.b/x', 'docker.io/a.b/x:latest', 'docker.io/a.b/x:latest'],
    [`docker.io/library/${hex}x`, `docker.io/library/${hex}x:latest`, `${hex}x:latest`],
    ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ])('%s means %s and is shown as %s', (text, canonical, familiar) => {
    const reference = parseReference(text)
    expect(formatReference(reference)).toBe(canonical)
    expect(familiarReference(reference)).toBe(familiar)
  })

  it.each([
    ['', 'empty', undefined],
    ['  ', 'empty', undefined],
    ['alpine latest', 'white space', undefined],
    ['alpine\n', 'white space', undefined],
    ['Alpine', 'lower case', 'try: alpine'],
    ['ghcr.io/Owner/App:V1', 'lower case', 'try: ghcr.io/owner/app:V1'],
    ['Foo/bar', 'lower case', 'try: foo/bar'],
    ['https://ghcr.io/a/b', 'a URL', 'leave out https://'],
    ['docker://alpine', 'a URL', 'leave out docker://'],
    [hex, 'id of an image', undefined],
    ['a'.repeat(256), 'longer than 255', undefined],
    [`ghcr.io/${'a/'.repeat(127)}bb`, 'longer than 255', undefined],
    ['a'.repeat(5000), 'longer than 4096', undefined],
    ['-a', 'repository is wrong', undefined],
    ['a-', 'repository is wrong', undefined],
    ['a..b', 'repository is wrong', undefined],
    ['a___b', 'repository is wrong', undefined],
    ['a//b', 'repository is wrong', undefined],
    ['a/', 'repository is wrong', undefined],
    ['/a', 'repository is wrong', undefined],
    ['ghcr.io/', 'repository is wrong', undefined],
    ['ghcr.io/../etc', 'repository is wrong', undefined],
    ['ghcr.io/a/%2e%2e/b', 'repository is wrong', undefined],
    ['a?b', 'repository is wrong', undefined],
    ['ghcr.io:99999/a', 'not a host', undefined],
    ['ghcr.io:0/a', 'not a host', undefined],
    ['-ghcr.io/a', 'not a host', undefined],
    ['user@ghcr.io/a', 'digest is wrong', undefined],
    ['gh\u0000cr.io/a', 'not a host', undefined],
    ['alpine:', 'tag is wrong', undefined],
    ['alpine:-x', 'tag is wrong', undefined],
    [`alpine:${'x'.repeat(129)}`, 'tag is wrong', undefined],
    ['alpine:a/b:', 'tag is wrong', undefined],
    ['alpine@', 'digest is wrong', undefined],
    ['alpine@sha256:abc', 'digest is wrong', undefined],
    [`alpine@sha256:${hex.toUpperCase()}`, 'digest is wrong', undefined],
    ['alpine@sha256:../../x', 'digest is wrong', undefined],
    [`alpine@sha512:${hex}${hex}`, 'digest is wrong', undefined],
  ])('%j is refused', (text, reason, hint) => {
    expect(outcomeOf(text)).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(reason),
      ...(hint !== undefined && { hint }),
    })
  })

  it('is refused without its control characters in the message', () => {
    expect(() => parseReference('a\u001b[2Jb')).toThrow(/\\u001b/)
  })

  it('of 4000 characters made to backtrack is answered at once', () => {
    const shapes = ['a-', 'a.', 'a_', '-', 'a/', 'a:', '@', '.', 'a--']
    // Quadratic time would take minutes, which is longer than a test may.
    const texts = shapes.flatMap((shape) => [
      ...['', '!', 'A'].map((end) => `${shape.repeat(Math.floor(4000 / shape.length))}${end}`),
      shape.repeat(100_000),
    ])
    const outcomes = texts.map((text) => outcomeOf(text))
    expect(outcomes.map((outcome) => ('code' in outcome ? outcome.code : outcome))).toEqual(
      texts.map(() => 'invalid_argument'),
    )
  })
})

describe('a parsed name', () => {
  const lower = 'abcdefghijklmnopqrstuvwxyz0123456789'
  const alphanumeric = fc.string({ unit: fc.constantFrom(...lower.split('')), minLength: 1, maxLength: 6 })
  const component = fc
    .array(fc.tuple(fc.constantFrom('.', '_', '__', '-', '---'), alphanumeric), { maxLength: 3 })
    .chain((tail) => alphanumeric.map((head) => head + tail.map(([mark, text]) => mark + text).join('')))
  const registry = fc.constantFrom(
    'docker.io',
    'localhost',
    'ghcr.io',
    'host:5000',
    '10.0.0.1:80',
    '[::1]:5000',
  )
  const tag = fc.stringMatching(/^\w[\w.-]{0,20}$/)
  const digest = fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: 64, maxLength: 64 })
    .map((digits) => `sha256:${digits}` as const)
  const references: fc.Arbitrary<Reference> = fc
    .record({
      registry,
      components: fc.array(component, { minLength: 1, maxLength: 4 }),
      named: fc.oneof(fc.record({ tag }), fc.record({ digest }), fc.record({ tag, digest })),
    })
    .map(({ registry: host, components, named }) => {
      const path = components.join('/')
      const repository = host === 'docker.io' && components.length === 1 ? `library/${path}` : path
      return { registry: host, repository, ...named }
    })

  it('is the same after writing and reading it, in both forms', () => {
    fc.assert(
      fc.property(references, (reference) => {
        expect(parseReference(formatReference(reference))).toEqual(reference)
        expect(parseReference(familiarReference(reference))).toEqual(reference)
      }),
    )
  })

  it('never is more than its grammar, whatever was typed', () => {
    expect(() => {
      fc.assert(
        fc.property(
          fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-zA-Z0-9._:@/-]*$/)),
          (text) => {
            const outcome = outcomeOf(text)
            if (outcome instanceof KagoError) return outcome.code === 'invalid_argument'
            return (
              /^[a-z0-9]+([._/-]+[a-z0-9]+)*$/.test(outcome.repository) &&
              /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d+)?$/.test(outcome.registry) &&
              formatReference(parseReference(formatReference(outcome))) === formatReference(outcome)
            )
          },
        ),
      )
    }).not.toThrow()
  })
})

it('docker.io is served by another host, other registries by their own', () => {
  expect(apiHost('docker.io')).toBe('registry-1.docker.io')
  expect(apiHost('ghcr.io')).toBe('ghcr.io')
})

it('a repository is shown without what goes without saying', () => {
  expect(familiarRepository({ registry: 'docker.io', repository: 'library/alpine' })).toBe('alpine')
  expect(familiarRepository({ registry: 'quay.io', repository: 'library/alpine' })).toBe(
    'quay.io/library/alpine',
  )
})
