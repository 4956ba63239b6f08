/** How many more pulls a registry allows, as Docker Hub tells it: `ratelimit-remaining: 76;w=21600`. */
import type { Response } from './transport.ts'

export interface RateLimit {
  limit: number
  remaining: number
  /** Over how long the limit is counted; undefined when the registry does not say. */
  windowSeconds: number | undefined
}

export function rateLimitOf(response: Response): RateLimit | undefined {
  const limit = parse(response.header('ratelimit-limit'))
  const remaining = parse(response.header('ratelimit-remaining'))
  if (limit === undefined || remaining === undefined) return undefined
  return {
    limit: limit.count,
    remaining: remaining.count,
    windowSeconds: remaining.windowSeconds ?? limit.windowSeconds,
  }
}

function parse(header: string | undefined): { count: number; windowSeconds: number | undefined } | undefined {
  const [, count, window] = /^\s*(\d{1,9})\s*(?:;\s*w=(\d{1,9}))?/.exec(header ?? '') ?? []
  if (count === undefined) return undefined
  return { count: Number(count), windowSeconds: window === undefined ? undefined : Number(window) }
}
