import { describe, expect, test } from 'vitest'
import { parseExpose, parsePublish, parseUnpublish } from '../../../../cli/options/ports.ts'

const tcp = { protocol: 'tcp' } as const
const udp = { protocol: 'udp' } as const

describe('--publish', () => {
  test.each([
    ['80', [{ ...tcp, containerPort: 80 }]],
    ['8080:80', [{ ...tcp, hostPort: 8080, containerPort: 80 }]],
    ['53:5353/udp', [{ ...udp, hostPort: 53, containerPort: 5353 }]],
    ['53:5353/UDP', [{ ...udp, hostPort: 53, containerPort: 5353 }]],
    ['80/sctp', [{ protocol: 'sctp', containerPort: 80 }]],
    ['127.0.0.1:8080:80', [{ ...tcp, hostAddress: '127.0.0.1', hostPort: 8080, containerPort: 80 }]],
    ['127.0.0.1::80', [{ ...tcp, hostAddress: '127.0.0.1', containerPort: 80 }]],
    [':80', [{ ...tcp, containerPort: 80 }]],
    ['0:80', [{ ...tcp, containerPort: 80 }]],
    ['[::1]:8080:80', [{ ...tcp, hostAddress: '::1', hostPort: 8080, containerPort: 80 }]],
    ['[::1]::80', [{ ...tcp, hostAddress: '::1', containerPort: 80 }]],
    [
      '[2001:db8::1]:8080:80/udp',
      [{ ...udp, hostAddress: '2001:db8::1', hostPort: 8080, containerPort: 80 }],
    ],
    ['2001:db8::1:8080:80', [{ ...tcp, hostAddress: '2001:db8::1', hostPort: 8080, containerPort: 80 }]],
    [
      '8000-8001:80-81',
      [
        { ...tcp, hostPort: 8000, containerPort: 80 },
        { ...tcp, hostPort: 8001, containerPort: 81 },
      ],
    ],
    [
      '80-81',
      [
        { ...tcp, containerPort: 80 },
        { ...tcp, containerPort: 81 },
      ],
    ],
    ['8000-8010:80', [{ ...tcp, hostPort: 8000, hostPortEnd: 8010, containerPort: 80 }]],
    ['published=8080,target=80', [{ ...tcp, hostPort: 8080, containerPort: 80 }]],
    ['target=53,protocol=udp', [{ ...udp, containerPort: 53 }]],
  ])('%s', (text, ports) => {
    expect(parsePublish(text)).toEqual(ports)
  })

  test.each([
    '',
    ':',
    'web',
    '8080:',
    '8080:0',
    '70000',
    '8080:80/icmp',
    '80-79',
    '8000-8001:80-82',
    '[::1:80:80',
    'target=',
    'port=80',
    '127.0.0.1:80',
    '[::1]:80',
    '-1:80',
    '80;x',
  ])('refuses %j and says how it is written', (text) => {
    expect(() => parsePublish(text)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', hint: expect.stringContaining('-p 8080:80') }),
    )
  })
})

test.each([
  ['8080', { ...tcp, hostPort: 8080, containerPort: 0 }],
  ['8080:80', { ...tcp, hostPort: 8080, containerPort: 80 }],
  ['127.0.0.1:8080', { ...tcp, hostAddress: '127.0.0.1', hostPort: 8080, containerPort: 0 }],
  ['[::1]:53/udp', { ...udp, hostAddress: '::1', hostPort: 53, containerPort: 0 }],
])('--publish-rm %s', (text, port) => {
  expect(parseUnpublish(text)).toEqual(port)
})

test('--expose names ports and ranges of them', () => {
  expect(['80', '53/udp', '90-91'].map(parseExpose)).toEqual([['80/tcp'], ['53/udp'], ['90/tcp', '91/tcp']])
  expect(() => parseExpose('web')).toThrow(/no port/)
})
