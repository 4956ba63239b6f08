/** The published ports of a container. Networks `none` and `host` have none: nothing stands between. */
import type { ContainerContext } from './context.ts'
import { findContainer } from './find.ts'

export function listPorts(context: ContainerContext, text: string): [] {
  findContainer(context, text)
  return []
}
