/** `kago login`: proves credentials to a registry and keeps them on this side. */
import { KagoError } from '../../shared/errors.ts'
import type { Credentials } from '../../shared/protocol/system.ts'
import { ownFile, readAuthFile, writeAuth } from '../client/auth-file.ts'
import { call } from '../client/client.ts'
import { canonicalRegistry, helperOf, keyOfRegistry } from '../client/credentials.ts'
import { command as declare } from '../command.ts'
import { flag, text } from '../options/spec.ts'
import { print, printError } from '../terminal/output.ts'
import { askLine, readStdin } from '../terminal/prompt.ts'

export const command = declare({
  usage: '[OPTIONS] [REGISTRY]',
  words: { min: 0, max: 1 },
  options: {
    password: text('PASSWORD', 'Not taken: everybody on the machine could read it', {
      short: 'p',
      isHidden: true,
    }),
    'password-stdin': flag('Read the password from stdin'),
    username: text('USER', 'User name', { short: 'u' }),
  },
  async run({ client, options, words: [registryText = ''] }) {
    if (options.password !== undefined) {
      throw new KagoError(
        'invalid_argument',
        'a password on the command line is visible to everybody on this machine',
        {
          hint: 'give it by stdin: kago login --username USER --password-stdin <FILE',
        },
      )
    }
    const registry = canonicalRegistry(registryText)
    const credentials = await readCredentials(options.username, options['password-stdin'])
    const { identityToken } = await call(client, 'registry.login', { body: { registry, credentials } })
    await keep(registry, identityToken === undefined ? credentials : { identityToken })
    await print('Login Succeeded\n')
    return undefined
  },
})

async function readCredentials(
  name: string | undefined,
  fromStdin: boolean,
): Promise<{ username: string; password: string }> {
  if (fromStdin && (name === undefined || name === '')) {
    throw new KagoError('invalid_argument', '--password-stdin needs --username too')
  }
  const username = name ?? (await askLine('Username: ', { isSecret: false }))
  const password = fromStdin
    ? (await readStdin()).replace(/\r?\n$/, '')
    : await askLine('Password: ', { isSecret: true })
  if (username === '') throw new KagoError('invalid_argument', 'the user name is empty')
  if (password === '') throw new KagoError('invalid_argument', 'the password is empty')
  return { username, password }
}

async function keep(registry: string, credentials: Credentials): Promise<void> {
  const path = ownFile()
  const helper = helperOf(readAuthFile(path), registry)
  if (helper === undefined) {
    writeAuth(path, keyOfRegistry(registry), credentials)
    await printError(
      `kago: the credentials are kept unencrypted in ${path}\n  a helper keeps them better: {"credsStore": "NAME"} in that file\n`,
    )
    return
  }
  const { storeWithHelper } = await import('../client/credential-helper.ts')
  await storeWithHelper(helper, keyOfRegistry(registry), credentials)
}
