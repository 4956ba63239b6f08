/** An image's config: what it runs on, what it runs by default, and its layers' diffIDs. OCI image spec, config.md. */
import { type Digest, isDigest } from './digest.ts'
import { DocumentValue } from './document.ts'
import { layerLimit } from './manifest.ts'

/** The execution parameters. Names are the specification's; Docker's extensions are among them. */
export interface ImageExecution {
  User?: string
  ExposedPorts?: Record<string, object>
  /** `NAME=value`. */
  Env?: string[]
  Entrypoint?: string[]
  Cmd?: string[]
  Volumes?: Record<string, object>
  WorkingDir?: string
  Labels?: Record<string, string>
  StopSignal?: string
  /** The command of health checks in shell form, and of RUN. */
  Shell?: string[]
  OnBuild?: string[]
  /** Of Windows images; kept, not used. */
  ArgsEscaped?: boolean
  /** Durations are nanoseconds. */
  Healthcheck?: {
    Test?: string[]
    Interval?: number
    Timeout?: number
    StartPeriod?: number
    StartInterval?: number
    Retries?: number
  }
}

export interface ImageHistory {
  /** RFC 3339. */
  created?: string
  created_by?: string
  author?: string
  comment?: string
  /** It made no layer. */
  empty_layer?: boolean
}

export interface ImageConfig {
  architecture: string
  os: string
  variant?: string
  /** RFC 3339. */
  created?: string
  author?: string
  config: ImageExecution
  rootfs: { diff_ids: Digest[] }
  history: ImageHistory[]
}

const historyLimit = 10_000

/**
 * Checks a config and takes what is known of it; unknown keys are left behind, and null counts as absent.
 * Labels that begin with `kago.` are the engine's own and never an image's. A date that is none is left out.
 * Maps have no prototype. @throws corrupt, naming the part that is wrong.
 */
export function parseImageConfig(value: unknown, what: string): ImageConfig {
  const document = new DocumentValue(value, `the config of ${what}`)
  return {
    // Some old tools leave them empty; then Docker takes its own.
    architecture: platformWord(document.get('architecture')) || 'amd64',
    os: platformWord(document.get('os')) || 'linux',
    ...present({
      variant: document.get('variant').isAbsent() ? undefined : platformWord(document.get('variant')),
      created: parseTime(document.get('created')),
      author: document.get('author').optionalText(),
    }),
    config: parseExecution(document.get('config')),
    rootfs: { diff_ids: parseDiffIds(document.get('rootfs')) },
    history: (document.get('history').optionalList(historyLimit) ?? []).map(parseStep),
  }
}

/** It becomes part of `os/architecture/variant`, and is shown. */
function platformWord(value: DocumentValue): string {
  const text = value.text(100)
  if (/[^\w.-]/.test(text)) throw value.problem('must be a word of letters and digits')
  return text
}

function parseDiffIds(rootfs: DocumentValue): Digest[] {
  const type = rootfs.get('type')
  if ((type.optionalText(100) ?? 'layers') !== 'layers') throw type.problem('must be layers')
  return (rootfs.get('diff_ids').optionalList(layerLimit) ?? []).map((item) => {
    const text = item.text()
    if (isDigest(text)) return text
    throw item.problem('must be a sha256 digest')
  })
}

function parseStep(step: DocumentValue): ImageHistory {
  return present({
    created: parseTime(step.get('created')),
    created_by: step.get('created_by').optionalText(),
    author: step.get('author').optionalText(),
    comment: step.get('comment').optionalText(),
    empty_layer: step.get('empty_layer').optionalBoolean(),
  })
}

function parseExecution(config: DocumentValue): ImageExecution {
  if (config.isAbsent()) return {}
  const labels = config.get('Labels').optionalRecord((member) => member.text())
  for (const key of Object.keys(labels ?? {})) if (key.startsWith('kago.')) delete labels?.[key]
  const health = config.get('Healthcheck')
  return present({
    User: config.get('User').optionalText(),
    ExposedPorts: keysOf(config.get('ExposedPorts')),
    Env: config.get('Env').optionalTexts(),
    Entrypoint: config.get('Entrypoint').optionalTexts(),
    Cmd: config.get('Cmd').optionalTexts(),
    Volumes: keysOf(config.get('Volumes')),
    WorkingDir: config.get('WorkingDir').optionalText(),
    Labels: labels,
    StopSignal: config.get('StopSignal').optionalText(),
    Shell: config.get('Shell').optionalTexts(),
    OnBuild: config.get('OnBuild').optionalTexts(),
    ArgsEscaped: config.get('ArgsEscaped').optionalBoolean(),
    Healthcheck: health.isAbsent()
      ? undefined
      : present({
          Test: health.get('Test').optionalTexts(),
          Interval: health.get('Interval').optionalInteger(),
          Timeout: health.get('Timeout').optionalInteger(),
          StartPeriod: health.get('StartPeriod').optionalInteger(),
          StartInterval: health.get('StartInterval').optionalInteger(),
          Retries: health.get('Retries').optionalInteger(),
        }),
  })
}

/** The specification's sets: keys with empty objects as values, whatever a hostile config put there. */
function keysOf(value: DocumentValue): Record<string, object> | undefined {
  return value.optionalRecord(() => ({}))
}

function parseTime(value: DocumentValue): string | undefined {
  const text = value.optionalText()
  return text !== undefined && text.length <= 64 && !Number.isNaN(Date.parse(text)) ? text : undefined
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** The same object without what is undefined. */
function present<T extends object>(object: T): Present<T> {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Present<T>
}
