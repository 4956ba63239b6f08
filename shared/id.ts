/** Identifiers as people see them. */

/** The first 12 characters of a container's id, or of what follows an image's `sha256:`. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}
