/** Work side by side. */

/** Waits for all, also when one has failed: what is taken back then is at rest. */
export async function allDone(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
