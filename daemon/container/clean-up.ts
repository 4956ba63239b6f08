/** Work that nobody has to wait for: it goes on after the reply, and whoever needs the container clean waits for it. */
import type { ContainerContext } from './context.ts'

/** Begins `work` on the next turn of the loop. A failure is logged: the next start of the daemon sweeps what is left. */
export function cleanUp({ cleanUps, log }: ContainerContext, id: string, work: () => Promise<void>): void {
  const before = cleanUps.get(id)
  const mine = new Promise<void>((resolve) => setImmediate(resolve))
    .then(() => before)
    .then(work)
    .catch((error: unknown) => {
      log.error({ err: error, container: id }, 'cleaning up failed')
    })
    .finally(() => {
      if (cleanUps.get(id) === mine) cleanUps.delete(id)
    })
  cleanUps.set(id, mine)
}

/** Waits until nothing of the container's last run is being cleaned up any more. */
export async function cleanedUp({ cleanUps }: ContainerContext, id: string): Promise<void> {
  while (cleanUps.has(id)) await cleanUps.get(id)
}

/** Waits for all of it, as the daemon does before it ends. */
export async function allCleanedUp({ cleanUps }: ContainerContext): Promise<void> {
  while (cleanUps.size > 0) await Promise.all(cleanUps.values())
}
