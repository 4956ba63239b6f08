/**
 * The few Linux system calls Node lacks, and the only door to koffi: a wrong signature crashes, so each is here with a test.
 *
 * The native library is loaded by the first call, never by importing this file.
 * A path is a string, or a Buffer where the name may not be UTF-8.
 * A failing call throws what a failing `fs` call throws: an Error with `code`, `errno`, `syscall` and `path`.
 */
import { createRequire } from 'node:module'
import { constants } from 'node:os'

export type Path = string | Buffer

type Callable = ReturnType<ReturnType<typeof import('koffi')['load']>['func']>

/** A point in time as the kernel keeps it; nanoseconds 0 … 999 999 999. */
export interface Timespec {
  seconds: number
  nanoseconds: number
}

export const S_IFIFO = 0o010000
export const S_IFCHR = 0o020000
export const S_IFBLK = 0o060000

export const RESOLVE_NO_MAGICLINKS = 0x02
export const RESOLVE_NO_SYMLINKS = 0x04
export const RESOLVE_BENEATH = 0x08
export const RESOLVE_IN_ROOT = 0x10

const MNT_DETACH = 2
const O_CLOEXEC = 0o2000000
const F_SETPIPE_SZ = 1031
const CLONE_NEWNET = 0x40000000
const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 0o2000003
const NETLINK_ROUTE = 0
const NETLINK_NETFILTER = 12
const MSG_DONTWAIT = 0x40

const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
/** The number of openat2 on every architecture (added after numbers were unified). */
const SYS_OPENAT2 = 437
const SYS_OPEN_TREE = 428
const SYS_MOVE_MOUNT = 429
const AT_RECURSIVE = 0x8000
const OPEN_TREE_CLONE = 1
const CLONE_FS = 0x200
const CLONE_NEWNS = 0x20000
const MOVE_MOUNT_BOTH_EMPTY = 0x04 | 0x40

const prototypes = {
  chroot: 'int chroot(const uint8_t *path)',
  mknod: 'int mknod(const uint8_t *path, uint32_t mode, uint64_t device)',
  syncfs: 'int syncfs(int fd)',
  futimens: 'int futimens(int fd, const uint8_t *times)',
  utimensat: 'int utimensat(int directory, const uint8_t *path, const uint8_t *times, int flags)',
  lsetxattr:
    'int lsetxattr(const uint8_t *path, const uint8_t *name, const uint8_t *value, size_t size, int flags)',
  lgetxattr: 'long lgetxattr(const uint8_t *path, const uint8_t *name, _Out_ uint8_t *value, size_t size)',
  llistxattr: 'long llistxattr(const uint8_t *path, _Out_ uint8_t *list, size_t size)',
  flistxattr: 'long flistxattr(int fd, const uint8_t *list, size_t size)',
  lremovexattr: 'int lremovexattr(const uint8_t *path, const uint8_t *name)',
  pipe2: 'int pipe2(_Out_ int *ends, int flags)',
  fcntl: 'int fcntl(int fd, int command, int value)',
  openat2: 'long syscall(long number, int directory, const uint8_t *path, const uint8_t *how, size_t size)',
  fchdir: 'int fchdir(int fd)',
  unshare: 'int unshare(int flags)',
  setns: 'int setns(int fd, int type)',
  umount2: 'int umount2(const uint8_t *target, int flags)',
  mount:
    'int mount(const uint8_t *source, const uint8_t *target, const uint8_t *type, unsigned long flags, const uint8_t *data)',
  open_tree: 'long syscall(long number, int directory, const uint8_t *path, unsigned int flags)',
  move_mount:
    'long syscall(long number, int from, const uint8_t *fromPath, int to, const uint8_t *toPath, unsigned int flags)',
  socket: 'int socket(int domain, int type, int protocol)',
  send: 'long send(int fd, const uint8_t *bytes, size_t length, int flags)',
  recv: 'long recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)',
} as const

type Name = keyof typeof prototypes

interface Loaded {
  functions: Map<Name, Callable>
  declare: (prototype: string) => Callable
  errno: () => number
}

let loaded: Loaded | undefined

function libc(): Loaded {
  if (loaded === undefined) {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const library = koffi.load('libc.so.6')
    loaded = {
      functions: new Map(),
      declare: (prototype) => library.func(prototype),
      errno: () => koffi.errno(),
    }
  }
  return loaded
}

function declared(name: Name): Callable {
  const { functions, declare } = libc()
  let callable = functions.get(name)
  if (callable === undefined) {
    callable = declare(prototypes[name])
    functions.set(name, callable)
  }
  return callable
}

/** Loads the library and every call, for a process about to chroot away from them. */
export function loadSyscalls(): void {
  for (const name of Object.keys(prototypes) as Name[]) declared(name)
}

export function chroot(path: Path): void {
  check('chroot', declared('chroot')(text(path)), path)
}

/** Makes an open directory the current one. */
export function changeDirectory(fd: number): void {
  check('fchdir', declared('fchdir')(fd))
}

/**
 * Brings this thread alone into a mount namespace; its root and current directory are that of the namespace then. Only plain
 * calls (`fs.*Sync`) see it: the promises of `fs` work on other threads, which stay outside.
 */
export function enterMountNamespace(fd: number): void {
  check('unshare', declared('unshare')(CLONE_FS))
  check('setns', declared('setns')(fd, CLONE_NEWNS))
}

/** Takes a mount out of the tree at once; who is still in it stays there. Nothing mounted there is no error. */
export function unmount(target: Path): void {
  const result = declared('umount2')(text(target), MNT_DETACH)
  const errno = Number(result) < 0 ? libc().errno() : 0
  if (errno !== 0 && errno !== constants.errno.EINVAL && errno !== constants.errno.ENOENT)
    throw failure('umount2', errno, target)
}

/** mount(2). For a process in a mount namespace of its own. */
export function mount(options: {
  source: string
  target: string
  type: string
  flags?: number
  data?: string
}): void {
  const { source, target, type, flags = 0, data = '' } = options
  check('mount', declared('mount')(text(source), text(target), text(type), flags, text(data)), target)
}

/** A copy of the mounts at an open file, attached nowhere yet; ends with the descriptor unless it is attached. */
export function cloneMount(path: Path): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE
  return check('open_tree', declared('open_tree')(SYS_OPEN_TREE, AT_FDCWD, text(path), flags), path)
}

/** Attaches what `cloneMount` gave at an open file or directory. */
export function attachMount(fd: number, at: number): void {
  const empty = text('')
  check('move_mount', declared('move_mount')(SYS_MOVE_MOUNT, fd, empty, at, empty, MOVE_MOUNT_BOTH_EMPTY))
}

/** Makes a device node (S_IFCHR, S_IFBLK) or a FIFO (S_IFIFO); `mode` holds type and permissions. */
export function mknod(path: Path, mode: number, major = 0, minor = 0): void {
  check('mknod', declared('mknod')(text(path), mode, makeDevice(major, minor)), path)
}

/** Writes everything of the file system behind an open file to the disk, on a worker thread: it may take seconds. */
export function syncFileSystem(fd: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  declared('syncfs').async(fd, (error: unknown, result: unknown) => {
    if (error) reject(error)
    else if (result === 0) resolve()
    else reject(failure('syncfs', constants.errno.EIO))
  })
  return promise
}

/** Sets access and modification time of an open file. */
export function setFileTimes(fd: number, time: Timespec): void {
  check('futimens', declared('futimens')(fd, timePair(time)))
}

/** Sets access and modification time of a name, of the symbolic link itself if it is one. */
export function setPathTimes(path: Path, time: Timespec): void {
  const result = declared('utimensat')(AT_FDCWD, text(path), timePair(time), AT_SYMLINK_NOFOLLOW)
  check('utimensat', result, path)
}

export function setXattr(path: Path, name: string, value: Buffer): void {
  check('lsetxattr', declared('lsetxattr')(text(path), text(name), value, value.length, 0), path)
}

/** The value of an extended attribute, or undefined if the name has none or its file system knows none. */
export function getXattr(path: Path, name: string): Buffer | undefined {
  const value = sized((buffer, size) => declared('lgetxattr')(text(path), text(name), buffer, size))
  if (typeof value !== 'number') return value
  if (value === constants.errno.ENODATA || value === constants.errno.EOPNOTSUPP) return undefined
  throw failure('lgetxattr', value, path)
}

/** The names of the extended attributes of a name; none where the file system knows none. */
export function listXattrs(path: Path): string[] {
  const list = sized((buffer, size) => declared('llistxattr')(text(path), buffer, size))
  if (typeof list !== 'number') return list.toString('latin1').split('\0').slice(0, -1)
  if (list === constants.errno.EOPNOTSUPP) return []
  throw failure('llistxattr', list, path)
}

/** Whether an open file has any extended attribute: quicker than their names, which most files have none of. */
export function hasXattrs(fd: number): boolean {
  return Number(declared('flistxattr')(fd, null, 0)) > 0
}

export function removeXattr(path: Path, name: string): void {
  check('lremovexattr', declared('lremovexattr')(text(path), text(name)), path)
}

/**
 * Opens a path below a directory under the rules of openat2(2) (`resolve` is RESOLVE_*): the one way to open a name in a
 * tree that somebody else may be changing. Always close-on-exec. Answers the descriptor; the caller closes it.
 */
export function openBelow(directory: number, path: Path, flags: number, resolve: number): number {
  const how = Buffer.alloc(24)
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0)
  how.writeBigUInt64LE(BigInt(resolve), 16)
  return check('openat2', declared('openat2')(SYS_OPENAT2, directory, text(path), how, how.length), path)
}

/** A pipe that holds `bytes` (the kernel may give less), both ends close-on-exec: `[read, write]`. The caller closes them. */
export function makePipe(bytes: number): [number, number] {
  const ends = new Int32Array(2)
  check('pipe2', declared('pipe2')(ends, O_CLOEXEC))
  const [read = -1, write = -1] = ends
  // More than the limit for users is refused: then it stays as it is.
  declared('fcntl')(write, F_SETPIPE_SZ, bytes)
  return [read, write]
}

/**
 * Puts the calling thread, and it alone, into a new network namespace. Whoever calls goes back by `enterNetwork` in
 * the same turn of the loop, before anything else can open a socket there.
 */
export function unshareNetwork(): void {
  check('unshare', declared('unshare')(CLONE_NEWNET))
}

/** Puts the calling thread into the network namespace behind an open file. */
export function enterNetwork(fd: number): void {
  check('setns', declared('setns')(fd, CLONE_NEWNET))
}

/** A socket for rtnetlink(7) in the thread's network namespace, where it stays. The caller closes it. */
export function openRouteSocket(): number {
  return check('socket', declared('socket')(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE))
}

/** The same for nftables and conntrack. */
export function openNetfilterSocket(): number {
  return check('socket', declared('socket')(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER))
}

/** Sends on a worker thread: the kernel does all that a netlink message asks for before send(2) returns. */
export async function sendBytes(fd: number, bytes: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  declared('send').async(fd, bytes, bytes.length, 0, (error: unknown, result: unknown) => {
    if (error) reject(error)
    else resolve(result)
  })
  // The worker's errno is lost on the way; a netlink message that cannot even be sent says EPERM or ENOBUFS.
  if (Number(await promise) < 0) throw failure('send', constants.errno.ENOBUFS)
}

export function sendBytesNow(fd: number, bytes: Buffer): void {
  check('send', declared('send')(fd, bytes, bytes.length, 0))
}

/** The next datagram, into `buffer`; its length. Waits for it. */
export function receiveBytes(fd: number, buffer: Buffer): number {
  return check('recv', declared('recv')(fd, buffer, buffer.length, 0))
}

/** The same without waiting: undefined if there is none. */
export function receiveBytesNow(fd: number, buffer: Buffer): number | undefined {
  const length = Number(declared('recv')(fd, buffer, buffer.length, MSG_DONTWAIT))
  if (length < 0 && libc().errno() === constants.errno.EAGAIN) return undefined
  return check('recv', length)
}

/** The kernel's number for a device, as `stat` shows it in `rdev`. */
export function makeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)]
  return (low & 0xffn) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | ((high & ~0xfffn) << 32n)
}

function check(syscall: string, result: unknown, path?: Path): number {
  const value = Number(result)
  if (value < 0) throw failure(syscall, libc().errno(), path)
  return value
}

/** The name of an error's number: `ENOENT`. */
export function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno ${errno}`
}

function failure(syscall: string, errno: number, path?: Path): NodeJS.ErrnoException {
  const code = errnoName(errno)
  const shown = path === undefined ? undefined : path.toString()
  const error: NodeJS.ErrnoException = new Error(
    `${code}: ${syscall} failed${shown === undefined ? '' : `, '${shown}'`}`,
  )
  error.code = code
  error.errno = -errno
  error.syscall = syscall
  if (shown !== undefined) error.path = shown
  return error
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]))

/** A NUL-terminated copy; a name with a NUL inside would mean another file. */
function text(value: Path): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(`${value}\0`) : Buffer.concat([value, zero])
  if (bytes.indexOf(0) !== bytes.length - 1) throw failure('path', constants.errno.EINVAL, value)
  return bytes
}

const zero = Buffer.alloc(1)

const times = Buffer.alloc(32)

function timePair(time: Timespec): Buffer {
  const high = Math.floor(time.seconds / 2 ** 32)
  for (const offset of [0, 16]) {
    times.writeUInt32LE(time.seconds - high * 2 ** 32, offset)
    times.writeInt32LE(high, offset + 4)
    times.writeUInt32LE(time.nanoseconds, offset + 8)
    times.writeUInt32LE(0, offset + 12)
  }
  return times
}

/** Calls with a buffer that is large enough; the errno as a number if it fails. */
function sized(call: (buffer: Buffer, size: number) => unknown): Buffer | number {
  for (let size = 256; ; size = 65536) {
    const buffer = Buffer.alloc(size)
    const length = Number(call(buffer, size))
    if (length >= 0) return buffer.subarray(0, length)
    const errno = libc().errno()
    if (errno !== constants.errno.ERANGE || size === 65536) return errno
  }
}
