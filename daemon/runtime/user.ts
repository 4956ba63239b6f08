/** Who the container's process is: `name[:group]` looked up in the image's passwd and group files, given as text. */
import { KagoError } from '../../shared/errors.ts'

export interface ResolvedUser {
  uid: number
  gid: number
  /** Without `gid`, ascending, each once. */
  additionalGids: number[]
  home: string
}

export interface UserRequest {
  /** `uid`, `name`, `uid:gid`, `name:group`, …; empty is root. */
  user: string
  /** --group-add: names or numbers. */
  groupAdd?: readonly string[]
  /** Contents of /etc/passwd and /etc/group of the image; empty when it has none. */
  passwd: string
  group: string
}

/** Larger ids wrap around in 32 bits, and 2^32-1 means "no change" to the kernel (CVE-2024-40635). */
const largestId = 2 ** 31 - 1

/**
 * As Docker: a number needs no entry in passwd, and then gid 0 and home / are taken; a name does. Without a group the
 * user is in all groups that list him; with one, only in that. Lines that do not parse are passed over.
 */
export function resolveUser({ user, groupAdd = [], passwd, group }: UserRequest): ResolvedUser {
  const [userPart = '', groupPart, ...rest] = user.split(':')
  if (rest.length > 0)
    throw new KagoError('invalid_argument', `user ${JSON.stringify(user)} has more than one colon`)
  const account = findAccount(userPart, passwd)
  const groups = parseGroups(group)
  const primary = groupPart ? findGroup(groupPart, groups) : account.gid
  const listed =
    groupPart || account.name === undefined
      ? []
      : groups.filter(({ members }) => members.includes(account.name ?? ''))
  const additional = new Set([
    ...listed.map(({ gid }) => gid),
    ...groupAdd.map((name) => findGroup(name, groups)),
  ])
  additional.delete(primary)
  return {
    uid: account.uid,
    gid: primary,
    additionalGids: [...additional].sort((a, b) => a - b),
    home: account.home,
  }
}

interface Account {
  name?: string
  uid: number
  gid: number
  home: string
}

function findAccount(user: string, passwd: string): Account {
  const accounts = passwd.split('\n').flatMap(parseAccount)
  if (user === '') return accounts.find(({ uid }) => uid === 0) ?? { name: 'root', uid: 0, gid: 0, home: '/' }
  const named = accounts.find(({ name }) => name === user)
  if (named) return named
  const uid = parseId(user, 'user')
  if (uid !== undefined) return accounts.find((account) => account.uid === uid) ?? { uid, gid: 0, home: '/' }
  if (user === 'root' && accounts.length === 0) return { name: 'root', uid: 0, gid: 0, home: '/' }
  throw new KagoError(
    'invalid_argument',
    `there is no user ${JSON.stringify(user)} in the image's /etc/passwd`,
    {
      hint: 'use a number, or a name that the image has',
      details: { exitCode: 126 },
    },
  )
}

function parseAccount(line: string): Account[] {
  const [name, , uid, gid, , home] = line.split(':')
  if (!name || !isId(uid) || !isId(gid)) return []
  return [{ name, uid: Number(uid), gid: Number(gid), home: home || '/' }]
}

interface Group {
  name: string
  gid: number
  members: string[]
}

function parseGroups(text: string): Group[] {
  return text.split('\n').flatMap((line): Group[] => {
    const [name, , gid, members] = line.split(':')
    return name && isId(gid) ? [{ name, gid: Number(gid), members: (members ?? '').split(',') }] : []
  })
}

function findGroup(group: string, groups: Group[]): number {
  const named = groups.find(({ name }) => name === group)
  if (named) return named.gid
  const gid = parseId(group, 'group')
  if (gid !== undefined) return gid
  throw new KagoError(
    'invalid_argument',
    `there is no group ${JSON.stringify(group)} in the image's /etc/group`,
    {
      hint: 'use a number, or a name that the image has',
      details: { exitCode: 126 },
    },
  )
}

/** Nothing when it is not a number at all; an error when it is one that no id can have. */
function parseId(text: string, what: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined
  if (isId(text)) return Number(text)
  throw new KagoError('invalid_argument', `${what} id ${text} is out of range`, {
    hint: `use a number from 0 to ${largestId}`,
  })
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= largestId
}
