/** Records in an operation, as steps, what the shared work on an image's layers does: one to fetch and one to unpack each. */
import { relative } from 'node:path'
import type { LayerProgress, Report } from '../../shared/protocol/progress.ts'
import type { Operation } from '../operation/operation.ts'
import { quoteWords } from '../operation/shell.ts'
import { layerName } from '../snapshot/chain-id.ts'
import type { ImageContext } from './context.ts'
import { showLayer } from './layer-failure.ts'
import type { StackLayer } from './stack.ts'

interface OpenStep {
  end: PromiseWithResolvers<void>
  recorded: Promise<void>
}

export class LayerSteps {
  readonly #context: Pick<ImageContext, 'content' | 'snapshotter' | 'unpackChildPath'>
  readonly #operation: Operation
  readonly #byDigest: Map<string, StackLayer>
  readonly #fetching = new Map<string, OpenStep>()
  readonly #unpacking = new Map<string, OpenStep>()
  /** Where the layers come from, for people. */
  readonly #fetchedBy: { by: string; shell: (layer: StackLayer) => string | undefined }

  constructor(
    context: Pick<ImageContext, 'content' | 'snapshotter' | 'unpackChildPath'>,
    operation: Operation,
    layers: readonly StackLayer[],
    fetchedBy: { by: string; shell: (layer: StackLayer) => string | undefined },
  ) {
    this.#context = context
    this.#operation = operation
    this.#byDigest = new Map(layers.map((layer) => [layer.digest, layer]))
    this.#fetchedBy = fetchedBy
  }

  /** To be told every progress before anything that follows it happens: a step's undo is written before its effect. */
  readonly report: Report = (progress) => {
    if (progress.type !== 'layer') return
    const layer = this.#byDigest.get(progress.digest)
    if (layer !== undefined) this.#follow(layer, progress.phase)
  }

  /** Ends the steps that are open, as failed if an error is given, and waits until they are recorded. */
  async settle(failure?: unknown): Promise<void> {
    const open = [...this.#fetching.values(), ...this.#unpacking.values()]
    for (const { end } of open) {
      if (failure === undefined) end.resolve()
      else end.reject(failure)
    }
    const ended = await Promise.allSettled(open.map(({ recorded }) => recorded))
    const failed = ended.find((result) => result.status === 'rejected')
    if (failure === undefined && failed !== undefined) throw failed.reason
  }

  #follow(layer: StackLayer, phase: LayerProgress['phase']): void {
    switch (phase) {
      case 'waiting':
      case 'exists':
        return
      case 'downloading':
        this.#beginFetch(layer)
        return
      case 'downloaded':
      case 'unpacking':
        this.#fetching.get(layer.digest)?.end.resolve()
        this.#beginUnpack(layer)
        return
      // Of a push: nothing comes in.
      case 'uploading':
      case 'uploaded':
      case 'mounted':
      case 'left-out':
        return
      case 'done':
        this.#fetching.get(layer.digest)?.end.resolve()
        this.#unpacking.get(layer.digest)?.end.resolve()
    }
  }

  #beginFetch(layer: StackLayer): void {
    if (this.#fetching.has(layer.digest)) return
    const { by, shell } = this.#fetchedBy
    this.#fetching.set(
      layer.digest,
      this.#open(`fetch ${showLayer(layer.digest)}`, { by, shell: shell(layer) }),
    )
  }

  #beginUnpack(layer: StackLayer): void {
    if (this.#unpacking.has(layer.digest)) return
    const { content, snapshotter, unpackChildPath } = this.#context
    const directory = `${snapshotter.root}/${layerName(layer.chainId)}`
    const blob = relative(content.root, content.path(layer.digest))
    this.#unpacking.set(
      layer.digest,
      this.#open(`unpack ${showLayer(layer.digest)}`, {
        by: `${unpackChildPath.split('/').at(-1) ?? ''}, chroot(2)`,
        shell: `mkdir -p ${quoteWords([directory])} && tar -C ${quoteWords([directory])} --xattrs -xf ${quoteWords([`${content.root}/${blob}`])}`,
        undo: ['layer.discard', layer.chainId],
      }),
    )
  }

  #open(name: string, about: Parameters<Operation['step']>[1]): OpenStep {
    const end = Promise.withResolvers<void>()
    const recorded = this.#operation.step(name, about, () => end.promise)
    // `settle` tells; before it a failure of one of them is not yet anybody's.
    recorded.catch(() => {})
    return { end, recorded }
  }
}
