/** Writes what a container changed: as lines for `diff`, as the archive of a layer for `commit`. */
import { EntryWriter } from './entries.ts'
import { walkChanges } from './changes.ts'
import type { ChangesJob, TreeMessage } from './job.ts'
import { Output } from './output.ts'

/** One JSON object a line: `{"kind":"A","path":"/new"}`. */
export function writeChanges(job: ChangesJob): TreeMessage {
  const output = new Output()
  walkChanges(job, ({ kind, path }) => {
    const shown = `/${Buffer.from(path, 'latin1').toString()}`
    output.write(Buffer.from(`${JSON.stringify({ kind, path: shown })}\n`))
  })
  output.flush()
  return { type: 'done', bytes: output.bytes }
}

/** OCI image spec, layer.md: what is gone is a file `.wh.NAME` beside where it was. */
export function writeLayer(job: ChangesJob): TreeMessage {
  const output = new Output(true)
  const writer = new EntryWriter(output)
  walkChanges(job, ({ kind, path, at, stats, isOpaque }) => {
    if (kind === 'D') {
      if (!isOpaque) writer.addMark(whiteoutOf(path))
      return
    }
    if (at === undefined || stats === undefined) return
    writer.add(at, path, stats)
    if (isOpaque) writer.addMark(`${path}/.wh..wh..opq`)
  })
  writer.end()
  return { type: 'done', bytes: output.bytes, diffId: `sha256:${output.digest()}` }
}

function whiteoutOf(path: string): string {
  const slash = path.lastIndexOf('/') + 1
  return `${path.slice(0, slash)}.wh.${path.slice(slash)}`
}
