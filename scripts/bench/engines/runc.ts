/** No engine, bare runc on a prepared bundle: the floor, with no image, no snapshot, no log and nobody watching. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runQuietly } from '../command.ts'
import type { Engine, Ground } from '../engine.ts'
import { ask } from '../probe.ts'

export async function startRunc({ directory, layerTar }: Ground): Promise<Engine> {
  const prefix = ['runc', '--root', join(directory, 'state')]
  const rootfs = join(directory, 'rootfs')
  mkdirSync(rootfs, { recursive: true })
  await runQuietly(['tar', '-xf', layerTar, '-C', rootfs])
  await runQuietly(['runc', 'spec', '--bundle', directory])
  const bundleOf = bundles(directory, readFileSync(join(directory, 'config.json'), 'utf8'))
  let count = 0
  return {
    name: 'runc',
    version: `${ask(['runc', '--version'])} on a prepared bundle, without seccomp`,
    isVariant: false,
    verbs: {
      runAndRemove: (command) => [
        ...prefix,
        'run',
        '--bundle',
        bundleOf(command),
        `bench-rm-${(count += 1)}`,
      ],
      runDetached: (id, command) => [...prefix, 'run', '--detach', '--bundle', bundleOf(command), id],
      exec: (id, command) => [...prefix, 'exec', id, ...command],
      stopNow: (id) => [...prefix, 'kill', id, 'KILL'],
      remove: (id) => [...prefix, 'delete', id],
      removeAll: (ids) => [
        'sh',
        '-c',
        'for id; do runc --root "$0" delete -f "$id"; done',
        join(directory, 'state'),
        ...ids,
      ],
      list: () => [...prefix, 'list'],
      version: () => ['runc', '--version'],
      wait: () => ['true'],
    },
    processes: {},
    stop: async () => undefined,
  }
}

/** One bundle per command, all on the same root file system. */
function bundles(directory: string, template: string): (command: readonly string[]) => string {
  const known = new Map<string, string>()
  return (command) => {
    const key = command.join('\0')
    const bundle = known.get(key) ?? join(directory, `bundle-${known.size}`)
    if (known.has(key)) return bundle
    const spec = JSON.parse(template) as {
      process: { args: string[]; terminal: boolean }
      root: { path: string }
    }
    spec.process.args = [...command]
    spec.process.terminal = false
    spec.root.path = join(directory, 'rootfs')
    mkdirSync(bundle)
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec))
    known.set(key, bundle)
    return bundle
  }
}
