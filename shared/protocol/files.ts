/** Files of containers: copied in and out, compared, exported. */
import { type Static, Type } from 'typebox'
import { closed, ContainerParams, Timestamp } from './common.ts'
import { route } from './route.ts'

/** Absolute or from the root; a trailing `/` says that it is a directory, `/.` that its content is meant. */
const FilePath = Type.String({ minLength: 1, maxLength: 4096 })
const flag = Type.Optional(Type.Boolean())

export const FileStat = closed({
  name: Type.String(),
  kind: Type.Union([
    Type.Literal('file'),
    Type.Literal('directory'),
    Type.Literal('symlink'),
    Type.Literal('other'),
  ]),
  /** Permission bits with set-id and sticky bits. */
  mode: Type.Integer(),
  uid: Type.Integer(),
  gid: Type.Integer(),
  sizeBytes: Type.Integer(),
  modifiedAt: Timestamp,
  /** Of a symbolic link. */
  linkTarget: Type.Optional(Type.String()),
})
export type FileStat = Static<typeof FileStat>

export const FileChange = closed({
  kind: Type.Union([Type.Literal('A'), Type.Literal('C'), Type.Literal('D')]),
  path: Type.String(),
})
export type FileChange = Static<typeof FileChange>

export const fileRoutes = {
  'container.file-stat': route({
    id: 'container.file-stat',
    summary: 'What a path of a container is',
    params: ContainerParams,
    query: closed({ path: FilePath, follow: flag }),
    reply: 'json',
    result: FileStat,
  }),
  'container.read-files': route({
    id: 'container.read-files',
    summary: 'A file or a tree of a container, as a tar archive that begins with the path’s last name',
    params: ContainerParams,
    query: closed({ path: FilePath, follow: flag }),
    reply: 'tar',
  }),
  'container.write-files': route({
    id: 'container.write-files',
    summary: 'Extract a tar archive in a container',
    params: ContainerParams,
    query: closed({
      path: FilePath,
      /** `into`: the path must be a directory. `copy`: as cp does, by what is there; the archive has one name at its top. */
      mode: Type.Optional(Type.Union([Type.Literal('into'), Type.Literal('copy')])),
    }),
    body: 'application/x-tar',
    reply: 'json',
    result: closed({ bytes: Type.Integer() }),
  }),
  'container.changes': route({
    id: 'container.changes',
    summary: 'What a container changed in its image’s files: added, changed, deleted',
    params: ContainerParams,
    reply: 'json',
    result: Type.Array(FileChange),
  }),
  'container.commit': route({
    id: 'container.commit',
    summary: 'Make an image of a container: its image’s layers, and one more of what it changed',
    params: ContainerParams,
    body: closed({
      name: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
      author: Type.Optional(Type.String({ maxLength: 4096 })),
      message: Type.Optional(Type.String({ maxLength: 65536 })),
      /** Instructions of a Dockerfile: `CMD`, `ENV`, … */
      changes: Type.Optional(Type.Array(Type.String({ maxLength: 65536 }), { maxItems: 1000 })),
      /** Whether its processes stand still meanwhile; they do unless told. */
      pause: flag,
    }),
    reply: 'lines',
    result: closed({ id: Type.String(), name: Type.Optional(Type.String()) }),
  }),
  'container.export': route({
    id: 'container.export',
    summary: 'A container’s root file system as a tar archive, without what is mounted in it',
    params: ContainerParams,
    reply: 'tar',
  }),
} as const
