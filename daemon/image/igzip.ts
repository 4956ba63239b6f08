/**
 * Standard input, a gzipped file, inflated by `igzip` (Intel's isa-l): a third less work than zlib, in a process of its own
 * that has no privileges. What it gives is not trusted: the archive's digest decides.
 */
import { spawn } from 'node:child_process'
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs'
import { makePipe } from '../host/syscalls.ts'
import { decompress } from './decompress.ts'
import { CompressionDamaged } from './layer-failure.ts'

export interface Inflated {
  /** The archive, in buffers that are good until the next one is asked for. @throws CompressionDamaged */
  chunks(): AsyncGenerator<Buffer, void, undefined>
  /** Compressed bytes that have been read so far. */
  position(): number
}

const pipeBytes = 1 << 20
const nobody = 65534
const trailerBytes = 8

/** Begins, while the program can still be seen; undefined if standard input is no regular file, or is not gzipped. */
export function startIgzip(program: string): Inflated | undefined {
  const info = fstatSync(0)
  if (!info.isFile() || !isGzipped()) return undefined
  const positionFile = openSync('/proc/self/fdinfo/0', 'r')
  const [readEnd, writeEnd] = makePipe(pipeBytes)
  const child = spawn(program, ['-dc'], { stdio: [0, writeEnd, 'ignore'], uid: nobody, gid: nobody, env: {} })
  const ended = new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false)).once('exit', (status) => resolve(status === 0))
  })
  closeSync(writeEnd)

  async function* chunks(): AsyncGenerator<Buffer, void, undefined> {
    const buffer = Buffer.allocUnsafe(pipeBytes)
    let total = 0
    try {
      // Read in one go, without the loop: there is nothing else to do here, and nothing to wait for but this.
      for (let length = readSync(readEnd, buffer); length > 0; length = readSync(readEnd, buffer)) {
        total += length
        yield buffer.subarray(0, length)
      }
    } finally {
      closeSync(readEnd)
    }
    if (!(await ended)) throw new CompressionDamaged('igzip could not inflate them')
    // igzip takes anything behind the last member for the end. One member has its length at its end, so all is said;
    // several, or something else, are read once more by who is strict.
    if (lastLength(info.size) !== total % 2 ** 32) await requireStrictly()
  }

  return {
    chunks,
    position() {
      const text = Buffer.alloc(64)
      const length = readSync(positionFile, text, 0, text.length, 0)
      return Number(/^pos:\s*(\d+)/.exec(text.toString('latin1', 0, length))?.[1] ?? 0)
    },
  }
}

function isGzipped(): boolean {
  const magic = Buffer.alloc(2)
  return readSync(0, magic, 0, 2, 0) === 2 && magic[0] === 0x1f && magic[1] === 0x8b
}

/** ISIZE of the last member (RFC 1952, 2.3.1). */
function lastLength(size: number): number {
  const trailer = Buffer.alloc(trailerBytes)
  if (size < trailerBytes) return -1
  readSync(0, trailer, 0, trailerBytes, size - trailerBytes)
  return trailer.readUInt32LE(4)
}

async function requireStrictly(): Promise<void> {
  const source = createReadStream('', { fd: 0, start: 0, highWaterMark: pipeBytes, autoClose: false })
  for await (const _ of decompress(source)) continue
}
