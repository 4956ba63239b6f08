/** Work on the files of a volume that nobody else may do at the same time: filling it, copying it. */
import type { VolumeContext } from './context.ts'

/** Two containers that begin with one empty volume: the second waits for the first. */
export async function alone<T>(
  { filling }: Pick<VolumeContext, 'filling'>,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  while (filling.has(name)) await filling.get(name)
  const done = Promise.withResolvers<void>()
  filling.set(name, done.promise)
  try {
    return await work()
  } finally {
    filling.delete(name)
    done.resolve()
  }
}
