/** The daemon's log: structured lines on stderr, where systemd's journal and a terminal both find them. */
import { type Logger, pino } from 'pino'

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** One JSON object a line. What may hold a secret is never handed to it; these keys are a second fence. */
export function createLog(level: LogLevel): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: ['credentials', '*.credentials', 'headers.authorization', 'headers["x-kago-registry-auth"]'],
    },
    pino.destination({ dest: 2, sync: true }),
  )
}
