/** Schemas that several routes share. All objects are closed: an unknown key is an error that names the key. */
import { type Static, type TObject, type TProperties, Type } from 'typebox'
import { errorCodes } from '../errors.ts'

/** A closed object: no key but these. */
export function closed<P extends TProperties>(
  properties: P,
  options: { description?: string } = {},
): TObject<P> {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** A container by name, id, or an id's unambiguous beginning. */
export const ContainerParams = closed({
  id: Type.String({ minLength: 1, maxLength: 255, description: 'name, id, or the beginning of an id' }),
})

/** Text to text, for labels and the like. */
export const StringMap = Type.Record(Type.String(), Type.String())

/** A moment: RFC 3339 with milliseconds, UTC. */
export const Timestamp = Type.String({ description: 'RFC 3339, UTC' })

export const ErrorSchema = closed(
  {
    code: Type.Union(errorCodes.map((code) => Type.Literal(code))),
    message: Type.String(),
    hint: Type.Optional(Type.String()),
    details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    operation: Type.Optional(Type.String()),
  },
  { description: 'what went wrong, in the daemon’s one table of errors' },
)

export const Empty = closed({})

/** The answer of verbs that act on one container. */
export const ContainerId = closed({ id: Type.String(), name: Type.String() })
export type ContainerId = Static<typeof ContainerId>

/** `linux/arm64/v8`. */
export const PlatformText = Type.String({ maxLength: 100, description: 'os/architecture[/variant]' })
