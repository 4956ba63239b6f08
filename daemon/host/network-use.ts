/** Bytes that went through the interfaces of a process's network namespace. */
import { readFileSync } from 'node:fs'

export interface NetworkUse {
  receivedBytes: number
  sentBytes: number
}

/** Of the namespace that `pid` is in; nothing when the process has gone. */
export function readNetworkUse(pid: number): NetworkUse | undefined {
  try {
    return parseNetDev(readFileSync(`/proc/${pid}/net/dev`, 'utf8'))
  } catch {
    return undefined
  }
}

/** The text of /proc/PID/net/dev: two lines of titles, then a line per interface, 8 counters in and 8 out. */
export function parseNetDev(text: string): NetworkUse {
  const use = { receivedBytes: 0, sentBytes: 0 }
  for (const line of text.split('\n').slice(2)) {
    const at = line.lastIndexOf(':')
    if (at < 0 || line.slice(0, at).trim() === 'lo') continue
    const counters = line
      .slice(at + 1)
      .trim()
      .split(/\s+/)
    use.receivedBytes += Number(counters[0] ?? 0)
    use.sentBytes += Number(counters[8] ?? 0)
  }
  return use
}
