/**
 * Reads a tar archive that is pushed in, chunk by chunk, and hands out its entries, in order and at once: no streams, no
 * promises, no copies of file data.
 *
 * Why not a package: names and PAX values must stay bytes (a file capability is binary, a name may be latin1), a header must
 * not be able to claim memory or to loop, and a layer of 30 000 files leaves no time for a stream per file.
 *
 * Formats: v7, ustar, GNU (long names, base-256 numbers) and PAX (POSIX.1-2001, IEEE 1003.1 `pax`).
 * PAX global headers are ignored, as other engines do: they could override the name or size of everything after them.
 */
import { type Pax, parsePax } from './pax.ts'
import { isChecksumRight, readNumber, readText, TarError } from './fields.ts'

export type EntryType =
  | 'file'
  | 'hardlink'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'directory'
  | 'fifo'

/** One entry as the archive has it: nothing is judged yet. Names are bytes, one per character (latin1). */
export interface TarEntry {
  name: string
  linkName: string
  type: EntryType
  /** Permission bits with set-id and sticky bits: 0 … 0o7777. */
  mode: number
  uid: number
  gid: number
  /** Bytes of data that follow; 0 for everything but files. */
  size: number
  mtime: { seconds: number; nanoseconds: number }
  major: number
  minor: number
  /** Extended attributes by full name (`user.x`), in the archive's order. */
  xattrs: ReadonlyMap<string, Buffer>
  /** Where the entry's own header begins, in bytes from the start of the uncompressed archive. */
  offset: number
}

export interface TarHandler {
  entry(entry: TarEntry): void
  /** Bytes of the last file entry; valid during the call only. */
  data(chunk: Buffer): void
  /** All bytes of the last entry were handed out. */
  end(): void
}

/** As the Go library: what a long name or a PAX header may weigh. */
const extensionLimit = 1 << 20

const types: Record<string, EntryType | 'pax' | 'pax-global' | 'long-name' | 'long-link' | 'skip'> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  x: 'pax',
  X: 'pax',
  g: 'pax-global',
  L: 'long-name',
  K: 'long-link',
  V: 'skip',
}

const noXattrs: ReadonlyMap<string, Buffer> = new Map()

type State =
  | { at: 'header' }
  | { at: 'data'; left: number; padding: number }
  | { at: 'padding'; left: number }
  | {
      at: 'extension'
      kind: 'pax' | 'long-name' | 'long-link'
      left: number
      padding: number
      parts: Buffer[]
    }
  | { at: 'end' }

export class TarReader {
  readonly #handler: TarHandler
  #state: State = { at: 'header' }
  /** The beginning of a header whose rest is in the next chunk. */
  #partial: Buffer = Buffer.alloc(0)
  #offset = 0
  #zeroBlocks = 0
  #pax: Pax | undefined
  #longName: string | undefined
  #longLink: string | undefined

  constructor(handler: TarHandler) {
    this.#handler = handler
  }

  /** @throws TarError with the offset, when the bytes are no tar archive. */
  push(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0) rest = rest.subarray(this.#take(rest))
  }

  /** Tells that no bytes follow. @throws TarError when the archive stops inside an entry. */
  finish(): void {
    const whole = this.#state.at === 'end' || (this.#state.at === 'header' && this.#partial.length === 0)
    if (!whole) throw new TarError('the archive ends inside an entry', this.#offset)
    if (this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined)
      throw new TarError('the archive ends after an extended header', this.#offset)
  }

  #take(bytes: Buffer): number {
    const state = this.#state
    switch (state.at) {
      case 'end':
        this.#offset += bytes.length
        return bytes.length
      case 'header':
        return this.#takeHeader(bytes)
      case 'data': {
        const part = bytes.length > state.left ? bytes.subarray(0, state.left) : bytes
        this.#handler.data(part)
        this.#offset += part.length
        state.left -= part.length
        if (state.left === 0) this.#endData(state.padding)
        return part.length
      }
      case 'padding': {
        const length = Math.min(bytes.length, state.left)
        this.#offset += length
        state.left -= length
        if (state.left === 0) this.#state = { at: 'header' }
        return length
      }
      case 'extension': {
        const length = Math.min(bytes.length, state.left)
        state.parts.push(Buffer.from(bytes.subarray(0, length)))
        this.#offset += length
        state.left -= length
        if (state.left === 0) {
          this.#applyExtension(state.kind, Buffer.concat(state.parts))
          this.#state = after(state.padding)
        }
        return length
      }
    }
  }

  #takeHeader(bytes: Buffer): number {
    if (this.#partial.length === 0 && bytes.length >= 512) {
      this.#offset += 512
      this.#header(bytes.subarray(0, 512))
      return 512
    }
    const length = Math.min(bytes.length, 512 - this.#partial.length)
    this.#partial = Buffer.concat([this.#partial, bytes.subarray(0, length)])
    this.#offset += length
    if (this.#partial.length === 512) {
      const block = this.#partial
      this.#partial = Buffer.alloc(0)
      this.#header(block)
    }
    return length
  }

  #header(block: Buffer): void {
    const offset = this.#offset - 512
    if (block[0] === 0 && block.equals(zeroBlock)) {
      this.#zeroBlocks++
      if (this.#zeroBlocks === 2) this.#state = { at: 'end' }
      return
    }
    if (this.#zeroBlocks > 0) throw new TarError('an entry follows an empty block', offset)
    if (!isChecksumRight(block)) throw new TarError('the checksum of a header is wrong', offset)
    const letter = String.fromCharCode(block[156] ?? 0)
    const type = types[letter]
    if (type === undefined) throw new TarError(unknownType(letter), offset, this.#nameOf(block))
    const size = readNumber(block, 124, 12, 'size', offset)
    switch (type) {
      case 'pax':
      case 'long-name':
      case 'long-link':
        if (size > extensionLimit) throw new TarError('an extended header is larger than 1 MiB', offset)
        this.#state =
          size === 0
            ? { at: 'header' }
            : { at: 'extension', kind: type, left: size, padding: pad(size), parts: [] }
        if (size === 0) this.#applyExtension(type, Buffer.alloc(0))
        return
      case 'pax-global':
      case 'skip':
        this.#state = after(size + pad(size))
        return
      default:
        this.#entry(block, type, size, offset)
    }
  }

  #entry(block: Buffer, letterType: EntryType, headerSize: number, offset: number): void {
    const pax = this.#pax
    const name = pax?.path ?? this.#longName ?? this.#nameOf(block)
    const linkName = pax?.linkPath ?? this.#longLink ?? readText(block, 157, 100)
    this.#pax = this.#longName = this.#longLink = undefined
    if (pax?.isSparse) throw new TarError('sparse files in PAX form are not supported', offset, name)
    // v7 had no type for directories: a name that ends in a slash is one.
    const type = letterType === 'file' && name.endsWith('/') ? 'directory' : letterType
    const isDevice = type === 'character-device' || type === 'block-device'
    const size = type === 'file' ? (pax?.size ?? headerSize) : 0
    this.#handler.entry({
      name,
      linkName,
      type,
      mode: readNumber(block, 100, 8, 'mode', offset) & 0o7777,
      uid: pax?.uid ?? readNumber(block, 108, 8, 'uid', offset),
      gid: pax?.gid ?? readNumber(block, 116, 8, 'gid', offset),
      size,
      mtime: pax?.mtime ?? { seconds: readNumber(block, 136, 12, 'mtime', offset), nanoseconds: 0 },
      major: isDevice ? readNumber(block, 329, 8, 'device number', offset) : 0,
      minor: isDevice ? readNumber(block, 337, 8, 'device number', offset) : 0,
      xattrs: pax?.xattrs ?? noXattrs,
      offset,
    })
    if (size === 0) this.#endData(0)
    else this.#state = { at: 'data', left: size, padding: pad(size) }
  }

  #endData(padding: number): void {
    this.#state = after(padding)
    this.#handler.end()
  }

  #applyExtension(kind: 'pax' | 'long-name' | 'long-link', bytes: Buffer): void {
    if (kind === 'pax') this.#pax = parsePax(bytes, this.#offset - bytes.length)
    else if (kind === 'long-name') this.#longName = readText(bytes, 0, bytes.length)
    else this.#longLink = readText(bytes, 0, bytes.length)
  }

  #nameOf(block: Buffer): string {
    const name = readText(block, 0, 100)
    // Only ustar proper has a prefix; GNU keeps times there. star's last 24 bytes of it are times as well.
    if (block.toString('latin1', 257, 263) !== 'ustar\0') return name
    const prefix = readText(block, 345, block.toString('latin1', 508, 512) === 'tar\0' ? 131 : 155)
    return prefix === '' ? name : `${prefix}/${name}`
  }
}

const zeroBlock = Buffer.alloc(512)

function pad(size: number): number {
  return (512 - (size % 512)) % 512
}

function after(bytes: number): State {
  return bytes === 0 ? { at: 'header' } : { at: 'padding', left: bytes }
}

function unknownType(letter: string): string {
  if (letter === 'S') return 'sparse files in GNU form are not supported'
  return `entries of type ${JSON.stringify(letter)} are not supported`
}
