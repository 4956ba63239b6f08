/**
 * Documents that come from registries and archives: JSON that nobody vouched for.
 * Read by hand and not by a schema, because a schema that does not fit looks at everything to say so: four MiB of wrong
 * items keep a daemon busy for seconds. Here the first wrong thing ends it.
 */
import { KagoError } from '../errors.ts'

/** What an index, manifest or config may weigh: as much as registries take. */
export const documentLimit = 4 * 1024 * 1024

/** Honest documents are a handful deep; what reads them should not have to care. */
const depthLimit = 100

/** @throws corrupt if the bytes are too many, too deeply nested or no JSON; `what` names the document. */
export function parseDocument(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > documentLimit)
    throw new KagoError('corrupt', `${what} is larger than ${documentLimit / 1024 / 1024} MiB`)
  if (isDeep(bytes)) throw new KagoError('corrupt', `${what} is nested deeper than ${depthLimit}`)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new KagoError('corrupt', `${what} is not JSON`, { cause: error })
  }
}

/** Counts brackets outside of strings: cheaper than to build what would be thrown away. */
function isDeep(bytes: Uint8Array): boolean {
  let depth = 0
  let isInString = false
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]
    if (isInString) {
      if (byte === 0x5c) at += 1
      else if (byte === 0x22) isInString = false
    } else if (byte === 0x22) isInString = true
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1
      if (depth > depthLimit) return true
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1
  }
  return false
}

/**
 * A value of a document, and where it stands in it. Each method gives the value as what it should be or throws `corrupt`,
 * naming the place. Null counts as absent everywhere: Go writes empty slices and maps so.
 */
export class DocumentValue {
  readonly value: unknown
  readonly #path: string
  readonly #what: string

  /** @param what begins the error's sentence: `the manifest of alpine:latest` */
  constructor(value: unknown, what: string, path = '') {
    this.value = value
    this.#path = path
    this.#what = what
  }

  problem(problem: string): KagoError {
    // Keys are a stranger's: no control characters from them, and not whole pages.
    const place = this.#path.slice(0, 200).replace(/[^\x20-\x7e]/g, '?') || 'the document'
    return new KagoError('corrupt', `${this.#what} is not valid: ${place}: ${problem}`)
  }

  isAbsent(): boolean {
    return this.value === undefined || this.value === null
  }

  /** A member of an object; one that is not there is absent. */
  get(key: string): DocumentValue {
    const object = this.#object()
    const value: unknown = Object.hasOwn(object, key) ? Reflect.get(object, key) : undefined
    return new DocumentValue(value, this.#what, this.#path === '' ? key : `${this.#path}.${key}`)
  }

  text(limit = documentLimit): string {
    if (typeof this.value !== 'string') throw this.problem('must be a string')
    if (this.value.length > limit) throw this.problem(`must not be longer than ${limit} characters`)
    return this.value
  }

  optionalText(limit?: number): string | undefined {
    return this.isAbsent() ? undefined : this.text(limit)
  }

  integer(): number {
    if (typeof this.value !== 'number' || !Number.isSafeInteger(this.value))
      throw this.problem('must be an integer')
    return this.value
  }

  optionalInteger(): number | undefined {
    return this.isAbsent() ? undefined : this.integer()
  }

  optionalBoolean(): boolean | undefined {
    if (this.isAbsent()) return undefined
    if (typeof this.value !== 'boolean') throw this.problem('must be true or false')
    return this.value
  }

  list(limit: number): DocumentValue[] {
    if (!Array.isArray(this.value)) throw this.problem('must be a list')
    if (this.value.length > limit)
      throw this.problem(`has ${this.value.length} items, more than the ${limit} that kago takes`)
    return this.value.map((item, index) => new DocumentValue(item, this.#what, `${this.#path}.${index}`))
  }

  optionalList(limit: number): DocumentValue[] | undefined {
    return this.isAbsent() ? undefined : this.list(limit)
  }

  optionalTexts(): string[] | undefined {
    return this.optionalList(textsLimit)?.map((item) => item.text())
  }

  /**
   * An object's members by their keys, each read by `read`. The result has no prototype, and a key `__proto__` is left out:
   * no honest document has one, and who copies the object by assignment should be safe too.
   */
  optionalRecord<T>(read: (member: DocumentValue) => T): Record<string, T> | undefined {
    if (this.isAbsent()) return undefined
    const result: Record<string, T> = Object.create(null)
    for (const key of Object.keys(this.#object())) if (key !== '__proto__') result[key] = read(this.get(key))
    return result
  }

  #object(): object {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value))
      throw this.problem('must be an object')
    return this.value
  }
}

const textsLimit = 100_000

interface Problem {
  instancePath: string
  message: string
}

const inspectionLimit = 1000

/** The first thing that does not fit a schema, by its path: `rootfs.diff_ids: must be array`. */
export function firstProblem(schema: { Errors(value: unknown): Problem[] }, value: unknown): string {
  // All problems are collected to tell the first: not for a document that is made of problems.
  if (sizeOf(value) > inspectionLimit) return 'the document: does not fit'
  const [problem] = schema.Errors(value)
  const path = problem?.instancePath.split('/').slice(1).join('.')
  return `${path || 'the document'}: ${problem?.message ?? 'does not fit'}`
}

/** How many values a value is made of; not much more than `inspectionLimit` are counted. */
function sizeOf(value: unknown): number {
  const rest = [value]
  let count = 0
  while (rest.length > 0 && count <= inspectionLimit) {
    const next = rest.pop()
    count += 1
    if (typeof next === 'object' && next !== null) {
      const members = Object.values(next)
      if (members.length > inspectionLimit) return members.length
      rest.push(...members)
    }
  }
  return count
}
