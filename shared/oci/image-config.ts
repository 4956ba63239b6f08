/** An image's config: what it runs on, what it runs by default, and its layers' diffIDs. OCI image spec, config.md. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { KagoError } from '../errors.ts'
import type { Digest } from './digest.ts'
import { firstProblem } from './document.ts'

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

// Go writes empty slices and maps as null: null means absent everywhere.
const Text = Type.Union([Type.String(), Type.Null()])
const Texts = Type.Union([Type.Array(Type.String()), Type.Null()])
const Keys = Type.Union([Type.Record(Type.String(), Type.Union([Type.Object({}), Type.Null()])), Type.Null()])
const Duration = Type.Union([Type.Number(), Type.Null()])

const PlatformWord = Type.String({ pattern: '^[A-Za-z0-9_.-]{0,100}$' })

const Execution = Type.Partial(
  Type.Object({
    User: Text,
    ExposedPorts: Keys,
    Env: Texts,
    Entrypoint: Texts,
    Cmd: Texts,
    Volumes: Keys,
    WorkingDir: Text,
    Labels: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]),
    StopSignal: Text,
    Shell: Texts,
    OnBuild: Texts,
    Healthcheck: Type.Union([
      Type.Partial(
        Type.Object({
          Test: Texts,
          Interval: Duration,
          Timeout: Duration,
          StartPeriod: Duration,
          StartInterval: Duration,
          Retries: Duration,
        }),
      ),
      Type.Null(),
    ]),
  }),
)

const Document = Type.Object({
  architecture: PlatformWord,
  os: PlatformWord,
  variant: Type.Optional(Type.Union([PlatformWord, Type.Null()])),
  created: Type.Optional(Text),
  author: Type.Optional(Text),
  config: Type.Optional(Type.Union([Execution, Type.Null()])),
  rootfs: Type.Object({
    type: Type.Optional(Text),
    diff_ids: Type.Union([
      Type.Array(Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }), { maxItems: 1000 }),
      Type.Null(),
    ]),
  }),
  history: Type.Optional(
    Type.Union([
      Type.Array(
        Type.Partial(
          Type.Object({
            created: Text,
            created_by: Text,
            author: Text,
            comment: Text,
            empty_layer: Type.Union([Type.Boolean(), Type.Null()]),
          }),
        ),
        { maxItems: 10_000 },
      ),
      Type.Null(),
    ]),
  ),
})

const document = Compile(Document)

/**
 * Checks a config and takes what is known of it; unknown keys are left behind.
 * Labels that begin with `kago.` are the engine's own and never an image's.
 * @throws corrupt, naming the part that is wrong.
 */
export function parseImageConfig(value: unknown, what: string): ImageConfig {
  if (!document.Check(value))
    throw new KagoError('corrupt', `the config of ${what} is not valid: ${firstProblem(document, value)}`)
  const { architecture, os, variant, created, author, config, rootfs, history } = value
  return {
    // Some old tools leave them empty; then Docker takes its own.
    architecture: architecture || 'amd64',
    os: os || 'linux',
    ...present({ variant: variant || null, created, author }),
    config: parseExecution(config ?? {}),
    // The pattern above is that of a digest.
    rootfs: { diff_ids: (rootfs.diff_ids ?? []) as Digest[] },
    history: (history ?? []).map((step) =>
      present({
        created: step.created,
        created_by: step.created_by,
        author: step.author,
        comment: step.comment,
        empty_layer: step.empty_layer,
      }),
    ),
  }
}

function parseExecution(config: Type.Static<typeof Execution>): ImageExecution {
  const { Labels: labels, Healthcheck: health } = config
  return present({
    User: config.User,
    ExposedPorts: config.ExposedPorts && emptied(config.ExposedPorts),
    Env: config.Env,
    Entrypoint: config.Entrypoint,
    Cmd: config.Cmd,
    Volumes: config.Volumes && emptied(config.Volumes),
    WorkingDir: config.WorkingDir,
    Labels: labels && Object.fromEntries(Object.entries(labels).filter(([key]) => !key.startsWith('kago.'))),
    StopSignal: config.StopSignal,
    Shell: config.Shell,
    OnBuild: config.OnBuild,
    Healthcheck:
      health &&
      present({
        Test: health.Test,
        Interval: health.Interval,
        Timeout: health.Timeout,
        StartPeriod: health.StartPeriod,
        StartInterval: health.StartInterval,
        Retries: health.Retries,
      }),
  })
}

/** The specification's sets: keys with empty objects as values, whatever a hostile config put there. */
function emptied(keys: Record<string, unknown>): Record<string, object> {
  return Object.fromEntries(Object.keys(keys).map((key) => [key, {}]))
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], null | undefined> }

/** The same object without what is null or undefined. */
function present<T extends object>(object: T): Present<T> {
  const entries = Object.entries(object).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries(entries) as Present<T>
}
