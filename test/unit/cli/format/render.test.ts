import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describePorts, describeStatus } from '../../../../cli/format/container.ts'
import { renderListing, renderOne } from '../../../../cli/format/render.ts'
import { shorten } from '../../../../cli/format/text.ts'

const listing = {
  titles: { ID: 'CONTAINER ID', Names: 'NAMES' },
  usual: 'table {{.ID}}\t{{.Names}}',
  rows: [
    { ID: 'abcdefabcdef', Names: 'web' },
    { ID: 'x', Names: 'a-much-longer-name' },
  ],
}

test('a table has titles and columns that stand under each other', () => {
  expect(renderListing(listing)).toBe(
    'CONTAINER ID   NAMES\nabcdefabcdef   web\nx              a-much-longer-name\n',
  )
  expect(renderListing(listing, 'table {{.Names}}\\t{{upper .ID}}')).toBe(
    'NAMES                CONTAINER ID\nweb                  ABCDEFABCDEF\na-much-longer-name   X\n',
  )
})

test('a template gives a line a row, without titles', () => {
  expect(renderListing(listing, '{{.Names}}')).toBe('web\na-much-longer-name\n')
})

test('json gives an object a line', () => {
  expect(renderListing(listing, 'json').split('\n')[0]).toBe('{"ID":"abcdefabcdef","Names":"web"}')
  expect(renderListing({ ...listing, rows: [] }, 'json')).toBe('')
})

test('one object is known by its own names and by Docker’s', () => {
  const render = (format: string) =>
    renderOne(format, { task: { state: 'running' } }, { State: { Status: 'up' } })
  expect(render('{{.task.state}} {{.State.Status}}')).toBe('running up\n')
  expect(render('json')).toBe('{"task":{"state":"running"}}\n')
})

test('nothing that a stranger wrote reaches the terminal as a control character', () => {
  const hostile = fc.string({
    unit: fc.integer({ min: 0, max: 0x2070 }).map((code) => String.fromCharCode(code)),
  })
  // oxlint-disable-next-line no-control-regex
  const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/
  fc.assert(
    fc.property(hostile, fc.constantFrom('{{.x}}', '{{json .}}', '{{.}}', 'json'), (value, format) => {
      expect(renderOne(format, { x: value })).not.toMatch(control)
      expect(renderListing({ ...listing, titles: {}, rows: [{ x: value }] }, format)).not.toMatch(control)
    }),
  )
})

const task = {
  state: 'running' as const,
  pid: 1,
  startedAt: '2026-01-01T00:00:00Z',
  finishedAt: '2026-01-01T00:00:05Z',
  exitStatus: 3,
  exitSignal: null,
  oomKilled: false,
  error: null,
  evidence: null,
  health: null,
  restartCount: 0,
  restartAt: null,
}
const now = Date.parse('2026-01-01T00:00:10Z')

test('a state reads as Docker writes it', () => {
  expect(describeStatus(task, now)).toBe('Up 10 seconds')
  expect(describeStatus({ ...task, health: 'healthy' }, now)).toBe('Up 10 seconds (healthy)')
  expect(describeStatus({ ...task, health: 'starting' }, now)).toBe('Up 10 seconds (health: starting)')
  expect(describeStatus({ ...task, state: 'paused' }, now)).toBe('Up 10 seconds (Paused)')
  expect(describeStatus({ ...task, state: 'exited' }, now)).toBe('Exited (3) 5 seconds ago')
  expect(describeStatus({ ...task, state: 'restarting' }, now)).toBe('Restarting (3) 5 seconds ago')
  expect(describeStatus({ ...task, state: 'created' }, now)).toBe('Created')
  expect(describeStatus({ ...task, state: 'lost', finishedAt: null }, now)).toBe('Lost')
})

test('ports show both sides', () => {
  expect(
    describePorts([
      { containerPort: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 },
      { containerPort: 443, protocol: 'tcp' },
    ]),
  ).toBe('0.0.0.0:8080->80/tcp, 443/tcp')
})

test('what is shortened never splits a character', () => {
  expect(shorten('😀😀😀', 2)).toBe('😀…')
  expect(shorten('abc', 3)).toBe('abc')
})
