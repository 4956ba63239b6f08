/** Every command by the words that call it. A command's file is loaded when it is called, never before. */
import type { Command } from '../command.ts'
import { withJson } from '../options/json.ts'
import type { Options } from '../options/spec.ts'

export interface Entry {
  readonly summary: string
  load(): Promise<Command<Options>>
}

/** A command knows its own options; those who only run it need not. */
function entry<O extends Options>(summary: string, load: () => Promise<{ command: Command<O> }>): Entry {
  return { summary, load: async () => withJson((await load()).command) }
}

/** A name with a space in it is called by its noun only. */
export const verbs = {
  attach: entry('Join the streams of a running container', () => import('./attach.ts')),
  commit: entry('Make an image of a container', () => import('./commit.ts')),
  completion: entry('Print a shell’s completion of kago', () => import('./completion.ts')),
  'container prune': entry('Remove the containers that do not run', () => import('./container-prune.ts')),
  cp: entry('Copy files between a container and this machine', () => import('./cp.ts')),
  create: entry('Create a container without starting it', () => import('./create.ts')),
  events: entry('Show what happens, or happened', () => import('./events.ts')),
  diff: entry('Show what a container changed in its files', () => import('./diff.ts')),
  exec: entry('Run a command in a running container', () => import('./exec.ts')),
  explain: entry('Show what an operation did, step by step', () => import('./explain.ts')),
  export: entry('Write a container’s files as an archive', () => import('./export.ts')),
  help: entry('Show what kago can do', () => import('./help.ts')),
  history: entry('Show how an image was built', () => import('./history.ts')),
  'image prune': entry('Remove the images that no container needs', () => import('./image-prune.ts')),
  images: entry('List images', () => import('./images.ts')),
  import: entry('Make an image of an archive of files', () => import('./import.ts')),
  info: entry('Show what the daemon and its machine offer', () => import('./info.ts')),
  inspect: entry(
    'Show everything that is known of containers, images or networks',
    () => import('./inspect.ts'),
  ),
  kill: entry('Send a signal to containers', () => import('./kill.ts')),
  load: entry('Take in images from an archive', () => import('./load.ts')),
  login: entry('Log in to a registry', () => import('./login.ts')),
  logout: entry('Forget the credentials of a registry', () => import('./logout.ts')),
  logs: entry('Show what a container wrote', () => import('./logs.ts')),
  'network connect': entry('Put a container into a network', () => import('./network-connect.ts')),
  'network create': entry('Make a network', () => import('./network-create.ts')),
  'network disconnect': entry('Take a container out of a network', () => import('./network-disconnect.ts')),
  'network ls': entry('List networks', () => import('./network-ls.ts')),
  'network prune': entry('Remove the networks that no container is in', () => import('./network-prune.ts')),
  'network rm': entry('Remove networks', () => import('./network-rm.ts')),
  operations: entry('List what the daemon did', () => import('./operations.ts')),
  pause: entry('Freeze all processes of containers', () => import('./pause.ts')),
  port: entry('List the published ports of a container', () => import('./port.ts')),
  ps: entry('List containers', () => import('./ps.ts')),
  pull: entry('Fetch an image from its registry', () => import('./pull.ts')),
  push: entry('Bring an image to its registry', () => import('./push.ts')),
  rename: entry('Give a container another name', () => import('./rename.ts')),
  restart: entry('Stop containers and start them again', () => import('./restart.ts')),
  rm: entry('Remove containers', () => import('./rm.ts')),
  rmi: entry('Remove images', () => import('./rmi.ts')),
  run: entry('Create and run a new container', () => import('./run.ts')),
  save: entry('Write images as an archive', () => import('./save.ts')),
  start: entry('Start containers', () => import('./start.ts')),
  stats: entry('Show what containers use', () => import('./stats.ts')),
  stop: entry('Stop containers', () => import('./stop.ts')),
  'system df': entry('Show what everything takes on the disk', () => import('./system-df.ts')),
  'system prune': entry('Remove what nothing needs', () => import('./system-prune.ts')),
  tag: entry('Give an image another name', () => import('./tag.ts')),
  top: entry('Show the processes of a container', () => import('./top.ts')),
  unpause: entry('Let frozen containers go on', () => import('./unpause.ts')),
  update: entry(
    'Change limits, restart policy, labels or environment of containers',
    () => import('./update.ts'),
  ),
  version: entry('Show the versions of kago and kagod', () => import('./version.ts')),
  'volume clone': entry('Make a volume with the content of another', () => import('./volume-clone.ts')),
  'volume create': entry('Make a volume', () => import('./volume-create.ts')),
  'volume ls': entry('List volumes', () => import('./volume-ls.ts')),
  'volume prune': entry('Remove volumes that no container mounts', () => import('./volume-prune.ts')),
  'volume rename': entry('Give a volume another name', () => import('./volume-rename.ts')),
  'volume rm': entry('Remove volumes', () => import('./volume-rm.ts')),
  wait: entry('Wait for containers to end and print their exit codes', () => import('./wait.ts')),
} as const satisfies Readonly<Record<string, Entry>>

export type Verb = keyof typeof verbs

/** Those that are called without a noun. */
export const ownVerbs: readonly (readonly [string, Entry])[] = Object.entries(verbs).filter(
  ([name]) => !name.includes(' '),
)

export interface Noun {
  readonly summary: string
  /** What may follow the noun, and which command it means. */
  readonly verbs: Readonly<Record<string, Verb>>
}

export const nouns: Readonly<Record<string, Noun>> = {
  container: {
    summary: 'Manage containers',
    verbs: {
      attach: 'attach',
      commit: 'commit',
      cp: 'cp',
      create: 'create',
      diff: 'diff',
      exec: 'exec',
      export: 'export',
      inspect: 'inspect',
      kill: 'kill',
      list: 'ps',
      logs: 'logs',
      ls: 'ps',
      pause: 'pause',
      port: 'port',
      prune: 'container prune',
      ps: 'ps',
      remove: 'rm',
      rename: 'rename',
      restart: 'restart',
      rm: 'rm',
      run: 'run',
      start: 'start',
      stats: 'stats',
      stop: 'stop',
      top: 'top',
      unpause: 'unpause',
      update: 'update',
      wait: 'wait',
    },
  },
  image: {
    summary: 'Manage images',
    verbs: {
      history: 'history',
      import: 'import',
      inspect: 'inspect',
      list: 'images',
      load: 'load',
      ls: 'images',
      prune: 'image prune',
      pull: 'pull',
      push: 'push',
      remove: 'rmi',
      rm: 'rmi',
      save: 'save',
      tag: 'tag',
    },
  },
  network: {
    summary: 'Manage networks',
    verbs: {
      connect: 'network connect',
      create: 'network create',
      disconnect: 'network disconnect',
      inspect: 'inspect',
      list: 'network ls',
      ls: 'network ls',
      prune: 'network prune',
      remove: 'network rm',
      rm: 'network rm',
    },
  },
  operation: {
    summary: 'See what the daemon did',
    verbs: { explain: 'explain', inspect: 'explain', list: 'operations', ls: 'operations' },
  },
  system: {
    summary: 'See the daemon and its machine',
    verbs: { df: 'system df', events: 'events', info: 'info', prune: 'system prune', version: 'version' },
  },
  volume: {
    summary: 'Manage volumes',
    verbs: {
      clone: 'volume clone',
      create: 'volume create',
      inspect: 'inspect',
      list: 'volume ls',
      ls: 'volume ls',
      prune: 'volume prune',
      remove: 'volume rm',
      rename: 'volume rename',
      rm: 'volume rm',
    },
  },
}
