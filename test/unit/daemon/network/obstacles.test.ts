import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { findObstacle } from '../../../../daemon/network/obstacles.ts'

const chain = (name: string, more: object = {}) => ({
  chain: { family: 'ip', table: 'filter', name, ...more },
})
const dropping = chain('FORWARD', { hook: 'forward', policy: 'drop' })
const ruleset = (...items: object[]) => JSON.stringify({ nftables: [{ metainfo: {} }, ...items] })

test.each([
  [
    'ufw',
    [dropping, chain('ufw-before-forward')],
    /^ufw drops.*chain FORWARD of table ip filter/,
    'ufw route allow',
  ],
  ['Docker', [dropping, chain('DOCKER-USER')], /^Docker drops/, 'iptables -I DOCKER-USER -i kago0 -j ACCEPT'],
  [
    'firewalld',
    [{ table: { family: 'inet', name: 'firewalld' } }, chain('filter_FORWARD', { table: 'firewalld' })],
    /^firewalld/,
    'firewall-cmd',
  ],
  ['one that nobody knows', [dropping], /^chain FORWARD of table ip filter drops/, 'accept there'],
])('%s is named, and how to let containers through', (_name, items, detail, hint) => {
  expect(findObstacle(ruleset(...items), 'kago', 'kago0')).toEqual({
    detail: expect.stringMatching(detail),
    hint: expect.stringContaining(hint),
  })
})

test('nothing is in the way where nothing drops, where the rules name the bridge, or in kago’s own table', () => {
  const accepting = chain('FORWARD', { hook: 'forward', policy: 'accept' })
  const rule = {
    rule: { family: 'ip', table: 'filter', chain: 'DOCKER-USER', expr: [{ match: { right: 'kago0' } }] },
  }
  const own = chain('through_the_host', { table: 'kago', hook: 'forward', policy: 'drop' })
  for (const items of [[], [accepting], [dropping, rule], [own]]) {
    expect(findObstacle(ruleset(...items), 'kago', 'kago0')).toBeUndefined()
  }
})

test('a ruleset is read as nft writes it', () => {
  const rules =
    'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
  const json = execFileSync(
    'unshare',
    ['--net', 'sh', '-c', 'nft "$1" && nft -j list ruleset', 'sh', rules],
    {
      encoding: 'utf8',
    },
  )
  expect(findObstacle(json, 'kago', 'kago0')?.detail).toMatch(/^chain FORWARD of table ip filter drops/)
})
