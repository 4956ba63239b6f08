/** Writes an archive that the daemon sends to a file or to stdout, and says meanwhile that it does. */
import { KagoError } from '../../shared/errors.ts'
import { callBytes, type Client, type RequestOf } from '../client/client.ts'
import { writeFileWhole } from '../files/write-whole.ts'
import { write } from '../terminal/output.ts'
import { isTerminal } from '../terminal/tty.ts'

/** @throws invalid_argument where a terminal would get it; `instead` is what to type then. */
export async function writeArchive<Id extends 'image.save' | 'container.export'>(
  client: Client,
  id: Id,
  request: RequestOf<Id>,
  { output, target, instead }: { output: string | undefined; target: string; instead: string },
): Promise<void> {
  if (output === undefined && isTerminal(1)) {
    throw new KagoError('invalid_argument', 'an archive is not for a terminal', {
      hint: `name a file: ${instead}`,
    })
  }
  const done = client.onWait?.(id, target)
  try {
    await callBytes(client, id, request, async (archive) => {
      if (output === undefined) for await (const chunk of archive) await write('stdout', chunk)
      else await writeFileWhole(output, archive)
    })
  } finally {
    done?.()
  }
}
