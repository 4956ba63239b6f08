/** Writes the documents that are made of the sources: docs/openapi.json of the contract, docs/cli.md of the command line. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandPage } from '../cli/commands/help-page.ts'
import { openApiDocument } from '../shared/protocol/openapi.ts'

const docs = join(import.meta.dirname, '../docs')
writeFileSync(join(docs, 'openapi.json'), `${JSON.stringify(openApiDocument(), null, 1)}\n`)
writeFileSync(join(docs, 'cli.md'), await commandPage())
