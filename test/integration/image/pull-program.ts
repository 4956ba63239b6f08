/** Pulls one image into a store, as a program of its own that a test can kill: `node pull-program.ts ROOT REFERENCE`. */
import { createRegistryClient } from '../../../daemon/registry/client.ts'
import { pullImage } from '../../../daemon/image/pull.ts'
import { toKagoError } from '../../../shared/errors.ts'
import { never, openTestStore } from './harness.ts'

const say = (value: object) => {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const [root = '', reference = ''] = process.argv.slice(2)
const registry = createRegistryClient({ insecureRegistries: [], mirrors: {}, retry: { attempts: 1 } })
const store = openTestStore({ root, registry })
try {
  await pullImage(store.context, { reference }, { report: say, signal: never })
} catch (error) {
  say({ type: 'error', error: toKagoError(error).toBody() })
  process.exitCode = 1
} finally {
  say({ type: 'leftovers', ...(await store.leftovers()) })
  await store.close()
  await registry.close()
}
