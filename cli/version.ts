/** What this command line is. */

// The build writes these in; run from its sources, it has none.
declare const __KAGO_VERSION__: string
declare const __KAGO_COMMIT__: string

export const cliVersion = typeof __KAGO_VERSION__ === 'string' ? __KAGO_VERSION__ : 'source'
export const cliCommit = typeof __KAGO_COMMIT__ === 'string' ? __KAGO_COMMIT__ : 'unknown'
