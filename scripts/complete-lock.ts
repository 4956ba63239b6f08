/**
 * Names every optional platform package in package-lock.json: `node scripts/complete-lock.ts [FILE]`.
 * `npm install` leaves those out that its registry could not give it, and then `npm ci` refuses the file
 * anywhere. They need no checksum here: on their platforms npm asks the registry for it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

const Entry = Type.Object({
  dev: Type.Optional(Type.Boolean()),
  license: Type.Optional(Type.String()),
  optionalDependencies: Type.Optional(Type.Record(Type.String(), Type.String())),
})
const Lock = Type.Object({ packages: Type.Record(Type.String(), Entry) })

const path = process.argv[2] ?? join(import.meta.dirname, '../package-lock.json')
const original = readFileSync(path, 'utf8')
const lock: unknown = JSON.parse(original)
Value.Assert(Lock, lock)
const { packages } = lock
const added: string[] = []

for (const [owner, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isNamed(owner, name)) continue
    const made = {
      version,
      ...platformOf(name),
      ...(entry.dev === true && { dev: true }),
      ...(entry.license !== undefined && { license: entry.license }),
      optional: true,
    }
    packages[`node_modules/${name}`] = made
    added.push(name)
  }
}

if (added.length > 0) {
  const sorted = Object.entries(packages).toSorted(([a], [b]) => a.localeCompare(b, 'en'))
  lock.packages = Object.fromEntries(sorted)
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
}
process.stdout.write(added.length === 0 ? 'nothing is missing\n' : `added ${added.join(', ')}\n`)

/** As Node looks for packages: in the owner's own node_modules, then in those above. */
function isNamed(owner: string, name: string): boolean {
  for (let folder = owner; ; folder = folder.slice(0, folder.lastIndexOf('/node_modules/'))) {
    if (`${folder === '' ? '' : `${folder}/`}node_modules/${name}` in packages) return true
    if (!folder.includes('/node_modules/')) return `node_modules/${name}` in packages
  }
}

function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const found =
    /(?<os>aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-(?<cpu>[a-z0-9]+)(?:-(?<rest>[a-z]+))?$/.exec(
      name,
    )
  const { os, cpu, rest = '' } = found?.groups ?? {}
  if (os === undefined || cpu === undefined) throw new Error(`which platform is ${name} for?`)
  const libc = rest.startsWith('musl') ? 'musl' : rest.startsWith('gnu') ? 'glibc' : undefined
  return { os: [os], cpu: [cpu], ...(os === 'linux' && libc !== undefined && { libc: [libc] }) }
}
