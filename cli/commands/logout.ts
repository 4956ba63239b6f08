/** `kago logout`: forgets the credentials of a registry. */
import { dockerFile, ownFile, readAuthFile, writeAuth } from '../client/auth-file.ts'
import { canonicalRegistry, helperOf, keyOfRegistry } from '../client/credentials.ts'
import { command as declare } from '../command.ts'
import { print, printError } from '../terminal/output.ts'

export const command = declare({
  usage: '[REGISTRY]',
  words: { min: 0, max: 1 },
  options: {},
  async run({ words: [text = ''] }) {
    const registry = canonicalRegistry(text)
    const key = keyOfRegistry(registry)
    const own = readAuthFile(ownFile())
    const helper = helperOf(own, registry)
    if (helper !== undefined) {
      const { eraseWithHelper } = await import('../client/credential-helper.ts')
      await eraseWithHelper(helper, key)
    }
    const known = [key, registry].filter((one) => Object.hasOwn(own.auths, one))
    for (const one of known) writeAuth(own.path, one, undefined)
    if (helper === undefined && known.length === 0) await print(`Not logged in to ${registry}\n`)
    else await print(`Removed the credentials of ${registry}\n`)
    if (Object.hasOwn(readAuthFile(dockerFile()).auths, key)) {
      await printError(
        `kago: ${dockerFile()} still has credentials of ${registry}; kago reads that file but never writes it\n`,
      )
    }
    return undefined
  },
})
