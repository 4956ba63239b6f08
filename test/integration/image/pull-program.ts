/** Pulls one image into a store, as a program of its own that a test can kill: `node pull-program.ts ROOT REFERENCE`. */
import { createRegistryClient } from '../../../daemon/registry/client.ts'
import { pullImage } from '../../../daemon/image/pull.ts'
import { never, openTestStore } from './harness.ts'

const [root = '', reference = ''] = process.argv.slice(2)
const registry = createRegistryClient({ insecureRegistries: [], mirrors: {}, retry: { attempts: 1 } })
const store = openTestStore({ root, registry })
try {
  await pullImage(
    store.context,
    { reference },
    { report: (progress) => void console.log(JSON.stringify(progress)), signal: never },
  )
} catch (error) {
  console.log(JSON.stringify({ type: 'error', error }), error instanceof Error ? error.message : '')
  process.exitCode = 1
} finally {
  console.log(JSON.stringify({ type: 'leftovers', ...(await store.leftovers()) }))
  await store.close()
  await registry.close()
}
