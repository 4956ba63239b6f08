/** DNS messages on a stream: each behind its length in two bytes (RFC 1035, 4.2.2). */

export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(2 + message.length)
  framed.writeUInt16BE(message.length, 0)
  framed.set(message, 2)
  return framed
}

export class MessageReader {
  readonly #maxBytes: number
  #rest: Buffer = Buffer.alloc(0)

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The messages that are complete now. @throws RangeError when one says that it is longer than it may be. */
  push(chunk: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: Buffer[] = []
    while (this.#rest.length >= 2) {
      const length = this.#rest.readUInt16BE(0)
      if (length > this.#maxBytes) throw new RangeError(`a message of ${length} bytes`)
      if (this.#rest.length < 2 + length) break
      messages.push(this.#rest.subarray(2, 2 + length))
      this.#rest = this.#rest.subarray(2 + length)
    }
    return messages
  }
}
