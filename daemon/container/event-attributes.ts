/** What an event says of its container: the name, the image, and all labels, as Docker's. */
import type { ContainerTable } from '../state/containers.ts'
import { readContainer } from './record.ts'

export function containerAttributes(containers: ContainerTable, id: string): Record<string, string> {
  const row = containers.find(id)
  if (row === undefined) return {}
  const { name, record } = readContainer(row)
  return { ...record.options.labels, name, image: record.image.reference }
}
