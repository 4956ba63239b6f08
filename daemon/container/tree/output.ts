/** Collects small pieces for standard output and writes them in large ones; hashes them if asked to. */
import { createHash, type Hash } from 'node:crypto'
import { writeSync } from 'node:fs'

const size = 1 << 20

export class Output {
  readonly #buffer = Buffer.allocUnsafe(size)
  readonly #hash: Hash | undefined
  #used = 0
  bytes = 0

  constructor(isHashed = false) {
    this.#hash = isHashed ? createHash('sha256') : undefined
  }

  write(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(this.#buffer, this.#used, at)
      at += copied
      this.filled(copied)
    }
  }

  /** Where the next bytes may be written by the caller; never empty. Followed by `filled`. */
  room(): Buffer {
    return this.#buffer.subarray(this.#used)
  }

  filled(length: number): void {
    this.#used += length
    this.bytes += length
    if (this.#used === size) this.flush()
  }

  flush(): void {
    const part = this.#buffer.subarray(0, this.#used)
    this.#hash?.update(part)
    for (let at = 0; at < part.length; ) at += writeSync(1, part, at)
    this.#used = 0
  }

  /** sha256 of all, as hexadecimal digits. After `flush`, once. */
  digest(): string {
    return this.#hash?.digest('hex') ?? ''
  }
}
