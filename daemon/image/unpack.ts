/** Unpacks an image's layers into committed snapshots: a child process per layer, side by side where the format allows it. */
import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { KagoError } from '../../shared/errors.ts'
import type { Digest } from '../../shared/oci/digest.ts'
import { fileError } from '../host/files.ts'
import { chainIds as chainIdsOf } from '../snapshot/chain-id.ts'
import type { PreparedLayer, Snapshotter } from '../snapshot/contract.ts'
import type { LayerLimits } from './extract-layer.ts'
import { showLayer } from './layer-failure.ts'
import { layerLimits } from './layer-limits.ts'
import { settleRoot } from './settle-layer.ts'
import { Slots } from './slots.ts'
import { runUnpackChild } from './unpack-child.ts'
import type { ExtractJob, LayerNeeds } from './unpack-job.ts'

export interface LayerToUnpack {
  /** Of the compressed bytes: names the layer in messages. */
  digest: Digest
  /** Of the uncompressed archive, as the image's config has it; what is unpacked must have it. */
  diffId: Digest
  /** The compressed bytes. */
  path: string
  /** Waited for before `path` is opened: a download in progress. */
  ready?: Promise<unknown>
}

export interface UnpackOptions {
  snapshotter: Snapshotter
  /** The program that unpacks: `paths.programs.unpackLayer`, or `daemon/image/unpack-layer.ts`. */
  childPath: string
  /** Children at once; the number of cores if not given. */
  parallelism?: number
  signal?: AbortSignal
  /** Compressed bytes of a layer consumed so far, a few times a second. */
  onProgress?: (layerIndex: number, bytes: number) => void
  /** A layer is there: just committed, or since before. */
  onCommitted?: (layerIndex: number) => void
  limits?: Partial<LayerLimits>
  /** See `UnpackChildOptions`. */
  usesIgzip?: boolean
}

/** Each round plants at least one link of the layers below; more than a few means somebody is playing. */
const maxRounds = 8

/**
 * @param layers the lowest first
 * @returns the layers' chainIDs; all are committed
 * @throws KagoError that names the layer and what is wrong with it. Layers below the failed one may have been committed
 *   (they are true, and found again by a second try); no scratch is left.
 */
export async function unpackLayers(
  layers: readonly LayerToUnpack[],
  options: UnpackOptions,
): Promise<{ chainIds: Digest[] }> {
  const chainIds = chainIdsOf(layers.map((layer) => layer.diffId))
  const failed = new AbortController()
  const signal = AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])])
  const slots = new Slots(options.parallelism ?? availableParallelism())
  const works = layers.map(
    (layer, index) => new LayerWork(layer, index, chainIds, { ...options, signal }, slots),
  )
  try {
    // In overlay format a layer is extracted alone; only its commit waits for those below.
    if (options.snapshotter.name === 'overlay') for (const work of works) work.begin()
    for (const [index, work] of works.entries()) {
      await work.finish()
      options.onCommitted?.(index)
    }
    return { chainIds }
  } catch (error) {
    failed.abort()
    if (options.signal?.aborted) throw new KagoError('cancelled', 'cancelled', { cause: error })
    throw error
  } finally {
    await Promise.all(works.map((work) => work.cleanUp()))
  }
}

/** One layer on its way. Owns its scratch directory and its child processes until `cleanUp` has settled. */
class LayerWork {
  readonly #layer: LayerToUnpack
  readonly #index: number
  readonly #chainIds: readonly Digest[]
  readonly #options: UnpackOptions
  readonly #slots: Slots
  #prepared: PreparedLayer | undefined
  #extraction: Promise<LayerNeeds | 'committed'> | undefined

  constructor(
    layer: LayerToUnpack,
    index: number,
    chainIds: readonly Digest[],
    options: UnpackOptions,
    slots: Slots,
  ) {
    this.#layer = layer
    this.#index = index
    this.#chainIds = chainIds
    this.#options = options
    this.#slots = slots
  }

  begin(): void {
    this.#extraction = this.#prepareAndExtract()
    // Whoever waits in finish() hears of it; until then it is not unhandled.
    this.#extraction.catch(() => undefined)
  }

  /** Settles with the committed layers below and commits. */
  async finish(): Promise<void> {
    if (this.#extraction === undefined) this.begin()
    const outcome = await this.#extraction
    if (outcome === undefined || outcome === 'committed' || this.#prepared === undefined) return
    if (this.#prepared.format === 'overlay') await this.#settle(this.#prepared, outcome)
    await this.#options.snapshotter.commitLayer(this.#prepared)
    this.#prepared = undefined
  }

  async cleanUp(): Promise<void> {
    await this.#extraction?.catch(() => undefined)
    if (this.#prepared !== undefined) await this.#options.snapshotter.discardLayer(this.#prepared)
  }

  async #prepareAndExtract(): Promise<LayerNeeds | 'committed'> {
    const { snapshotter, signal } = this.#options
    const chainId = this.#chainId()
    if (await snapshotter.hasLayer(chainId)) return 'committed'
    if (this.#layer.ready !== undefined) await unlessAborted(this.#layer.ready, signal)
    return await this.#slots.use(async () => {
      signal?.throwIfAborted()
      this.#prepared = await snapshotter.prepareLayer({ chainId, parent: this.#chainIds[this.#index - 1] })
      return await this.#extract(this.#prepared, undefined)
    })
  }

  #chainId(): Digest {
    const chainId = this.#chainIds[this.#index]
    if (chainId === undefined) throw new KagoError('internal', `no chainID for layer ${this.#index}`)
    return chainId
  }

  async #extract(prepared: PreparedLayer, seedsFile: string | undefined): Promise<LayerNeeds> {
    const { digest, diffId, path } = this.#layer
    const job: ExtractJob = {
      do: 'extract',
      directory: prepared.directory,
      format: prepared.format,
      layer: digest,
      limits: await this.#limits(prepared.directory),
      ...(prepared.format === 'overlay' && { reportFile: reportFile(prepared) }),
      ...(seedsFile !== undefined && { seedsFile }),
    }
    const { childPath, signal, onProgress, usesIgzip } = this.#options
    const outcome = await runUnpackChild(job, {
      childPath,
      input: path,
      signal,
      usesIgzip,
      onProgress: (bytes) => onProgress?.(this.#index, bytes),
    })
    if (outcome.type !== 'extracted') throw new KagoError('internal', `the unpacker answered ${outcome.type}`)
    if (outcome.diffId !== diffId)
      throw new KagoError(
        'corrupt',
        `${showLayer(digest)}: its archive is ${outcome.diffId}, but the image says ${diffId}`,
        { details: { layer: digest, expected: diffId, actual: outcome.diffId } },
      )
    return outcome.needs
  }

  async #settle(prepared: PreparedLayer, needs: LayerNeeds): Promise<void> {
    const { snapshotter, childPath, signal } = this.#options
    const lowers = snapshotter.directories(undefined, this.#chainIds.slice(0, this.#index))
    const hasLowers = lowers.length > 0 && needs.fromLowers !== 'nothing'
    if (!needs.targets && !hasLowers) return
    if (!needs.targets && needs.fromLowers === 'root') return settleRoot(prepared.directory, lowers)
    const seedsFile = `${prepared.directory}.seeds`
    for (let round = 0; round < maxRounds; round++) {
      const { directory } = prepared
      const outcome = await runUnpackChild(
        {
          do: 'settle',
          directory,
          layer: this.#layer.digest,
          lowers,
          reportFile: reportFile(prepared),
          seedsFile,
        },
        { childPath, signal },
      )
      if (outcome.type === 'settled' && outcome.isComplete) return
      await this.#slots.use(() => this.#extract(prepared, seedsFile))
    }
    throw new KagoError(
      'corrupt',
      `${showLayer(this.#layer.digest)}: its names lead through too many symbolic links of the layers below`,
    )
  }

  async #limits(directory: string): Promise<LayerLimits> {
    const { size } = await stat(this.#layer.path).catch((error: unknown) => {
      throw fileError(error, `${showLayer(this.#layer.digest)}: cannot read ${this.#layer.path}`)
    })
    return {
      ...(await layerLimits(directory, size)),
      ...this.#options.limits,
    }
  }
}

/** What is waited for may go on without us, but we do not wait for it any longer. */
async function unlessAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(new KagoError('cancelled', 'cancelled'))
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await Promise.race([work, promise])
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

function reportFile(prepared: PreparedLayer): string {
  return `${prepared.directory}.report`
}
