/** Stops a container if it runs, and starts it. */
import type { ContainerContext } from './context.ts'
import type { Container } from './record.ts'
import { startContainer } from './start.ts'
import { type StopOptions, stopContainer } from './stop.ts'

export async function restartContainer(
  context: ContainerContext,
  text: string,
  options: StopOptions = {},
): Promise<Container> {
  const { id } = await stopContainer(context, text, options)
  return (await startContainer(context, id)).container
}
