import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandPage } from '../../../../cli/commands/help-page.ts'

test('docs/cli.md is what the command line says of itself; write it anew with: node scripts/docs.ts', async () => {
  expect(readFileSync(join(import.meta.dirname, '../../../../docs/cli.md'), 'utf8')).toBe(await commandPage())
})
