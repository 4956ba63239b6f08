/** Writes tar archives byte by byte, honest and hostile alike: what no tar program would write must be writable here. */

export interface TarPart {
  /** Bytes as latin1. Longer than 100 goes into a PAX header. */
  name: string
  /** The type letter; '0' is a file, '5' a directory, '1' a hard link, '2' a symbolic link, '3' '4' devices, '6' a FIFO. */
  type?: string
  linkName?: string
  data?: Buffer | string
  mode?: number
  uid?: number
  gid?: number
  mtime?: number
  major?: number
  minor?: number
  /** Stated size, if it is not that of the data. */
  size?: number
  /** PAX records before the entry; values are bytes. */
  pax?: Record<string, string | Buffer>
  /** Last changes to the header block, before the checksum is made. */
  patch?: (header: Buffer) => void
}

export const file = (name: string, data: Buffer | string = '', more: Partial<TarPart> = {}): TarPart => ({
  name,
  data,
  ...more,
})
export const directory = (name: string, more: Partial<TarPart> = {}): TarPart => ({
  name,
  type: '5',
  mode: 0o755,
  ...more,
})
export const symlink = (name: string, linkName: string, more: Partial<TarPart> = {}): TarPart => ({
  name,
  type: '2',
  linkName,
  mode: 0o777,
  ...more,
})
export const hardlink = (name: string, linkName: string): TarPart => ({ name, type: '1', linkName })

export function tar(...parts: TarPart[]): Buffer {
  return Buffer.concat([...parts.map(tarPart), Buffer.alloc(1024)])
}

export function tarPart(part: TarPart): Buffer {
  const pax: Record<string, string | Buffer> = { ...part.pax }
  if (part.name.length > 100) pax.path = Buffer.from(part.name, 'latin1')
  if ((part.linkName?.length ?? 0) > 100) pax.linkpath = Buffer.from(part.linkName ?? '', 'latin1')
  const before = Object.keys(pax).length === 0 ? [] : [paxHeader(pax)]
  const data = typeof part.data === 'string' ? Buffer.from(part.data) : (part.data ?? Buffer.alloc(0))
  return Buffer.concat([...before, header(part, part.size ?? data.length), padded(data)])
}

export function paxHeader(records: Record<string, string | Buffer>, letter = 'x'): Buffer {
  const data = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)))
  return Buffer.concat([header({ name: 'PaxHeaders/x', type: letter }, data.length), padded(data)])
}

export function paxRecord(key: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')])
  let length = body.length + 1
  while (String(length).length + body.length !== length) length = String(length).length + body.length
  return Buffer.concat([Buffer.from(String(length)), body])
}

export function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((512 - (data.length % 512)) % 512)])
}

export function header(part: TarPart, size: number): Buffer {
  const block = Buffer.alloc(512)
  block.write(part.name.slice(0, 100), 0, 'latin1')
  octal(block, 100, 8, part.mode ?? 0o644)
  octal(block, 108, 8, part.uid ?? 0)
  octal(block, 116, 8, part.gid ?? 0)
  octal(block, 124, 12, size)
  octal(block, 136, 12, part.mtime ?? 1_700_000_000)
  block.write(part.type ?? '0', 156, 'latin1')
  block.write((part.linkName ?? '').slice(0, 100), 157, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  octal(block, 329, 8, part.major ?? 0)
  octal(block, 337, 8, part.minor ?? 0)
  part.patch?.(block)
  return sealed(block)
}

/** With its checksum. */
export function sealed(block: Buffer): Buffer {
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

function octal(block: Buffer, at: number, length: number, value: number): void {
  const text = value.toString(8)
  if (text.length < length) block.write(`${text.padStart(length - 1, '0')}\0`, at, 'latin1')
  else base256(block, at, length, BigInt(value))
}

export function base256(block: Buffer, at: number, length: number, value: bigint): void {
  let rest = BigInt.asUintN(length * 8, value)
  for (let index = length - 1; index >= 0; index--) {
    block[at + index] = Number(rest & 0xffn)
    rest >>= 8n
  }
  block[at] = (block[at] ?? 0) | 0x80
}
