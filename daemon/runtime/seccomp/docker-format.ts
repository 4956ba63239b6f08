/** A profile in Docker's JSON form (--security-opt seccomp=FILE) as the OCI spec's seccomp section. */
import { KagoError } from '../../../shared/errors.ts'
import type { Seccomp, SeccompArgument, SeccompSyscall } from '../../../shared/oci/runtime-spec.ts'
import { architectureOf } from './architectures.ts'
import { type FilterFacts, isKernelAtLeast } from './facts.ts'

const actions = ['KILL', 'KILL_PROCESS', 'KILL_THREAD', 'TRAP', 'ERRNO', 'TRACE', 'ALLOW', 'LOG', 'NOTIFY']
const operators = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ']

/**
 * Understands both of Docker's forms: `architectures` or `archMap`, `name` or `names`, with `includes` and `excludes` by
 * capability (`caps`), processor (`arches`) and kernel (`minKernel`). A rule whose condition does not hold is left out.
 * Sub-architectures of an archMap are taken only when `facts.with32Bit` asks for them.
 */
export function convertDockerProfile(profile: Record<string, unknown>, facts: FilterFacts): Seccomp {
  const syscalls = optionalList(profile, 'syscalls').map((entry, index) =>
    record(entry, `syscalls[${index}]`),
  )
  const applying = syscalls.filter((entry) => holds(entry, facts))
  return {
    defaultAction: action(profile['defaultAction'], 'defaultAction'),
    ...(profile['defaultErrnoRet'] !== undefined && {
      defaultErrnoRet: number(profile['defaultErrnoRet'], 'defaultErrnoRet'),
    }),
    architectures: architectureList(profile, facts),
    ...(profile['flags'] !== undefined && { flags: strings(profile['flags'], 'flags') }),
    syscalls: applying.map(convertRule),
  }
}

function architectureList(profile: Record<string, unknown>, facts: FilterFacts): string[] {
  if (profile['architectures'] !== undefined && profile['architectures'] !== null) {
    const listed = strings(profile['architectures'], 'architectures')
    if (listed.length > 0) return listed
  }
  const { native } = architectureOf(facts)
  const entry = optionalList(profile, 'archMap')
    .map((item) => record(item, 'archMap'))
    .find((item) => item['architecture'] === native)
  const subs =
    facts.with32Bit && entry?.['subArchitectures'] ? strings(entry['subArchitectures'], 'archMap') : []
  return [native, ...subs]
}

function holds(entry: Record<string, unknown>, facts: FilterFacts): boolean {
  const includes = record(entry['includes'] ?? {}, 'includes')
  const excludes = record(entry['excludes'] ?? {}, 'excludes')
  const { docker } = architectureOf(facts)
  const includedCaps = strings(includes['caps'] ?? [], 'includes.caps')
  const includedArches = strings(includes['arches'] ?? [], 'includes.arches')
  return (
    includedCaps.every((name) => facts.capabilities.includes(name)) &&
    (includedArches.length === 0 || includedArches.includes(docker)) &&
    (includes['minKernel'] === undefined || isNotOlder(includes['minKernel'], facts)) &&
    !strings(excludes['caps'] ?? [], 'excludes.caps').some((name) => facts.capabilities.includes(name)) &&
    !strings(excludes['arches'] ?? [], 'excludes.arches').includes(docker) &&
    (excludes['minKernel'] === undefined || !isNotOlder(excludes['minKernel'], facts))
  )
}

function isNotOlder(minKernel: unknown, facts: FilterFacts): boolean {
  const [, major, minor] =
    (typeof minKernel === 'string' && /^(\d+)\.(\d+)$/.exec(minKernel)) || refuse('minKernel')
  return isKernelAtLeast(facts.kernelVersion, Number(major), Number(minor))
}

function convertRule(entry: Record<string, unknown>): SeccompSyscall {
  const named = entry['name'] === undefined || entry['name'] === '' ? [] : [entry['name']]
  const args = optionalList(entry, 'args').map((item) => convertArgument(record(item, 'args')))
  const names = strings([...optionalList(entry, 'names'), ...named], 'names')
  if (names.length === 0) refuse('names')
  return {
    names,
    action: action(entry['action'], 'action'),
    ...(entry['errnoRet'] !== undefined && { errnoRet: number(entry['errnoRet'], 'errnoRet') }),
    ...(args.length > 0 && { args }),
  }
}

function convertArgument(item: Record<string, unknown>): SeccompArgument {
  const op = item['op']
  if (typeof op !== 'string' || !operators.some((name) => op === `SCMP_CMP_${name}`)) refuse('args.op')
  return {
    index: number(item['index'], 'args.index'),
    value: number(item['value'], 'args.value'),
    ...(item['valueTwo'] !== undefined && { valueTwo: number(item['valueTwo'], 'args.valueTwo') }),
    op: String(op),
  }
}

function action(value: unknown, field: string): string {
  if (typeof value === 'string' && actions.some((name) => value === `SCMP_ACT_${name}`)) return value
  return refuse(field)
}

function optionalList(object: Record<string, unknown>, field: string): unknown[] {
  const value = object[field]
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : refuse(field)
}

function strings(value: unknown, field: string): string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : refuse(field)
}

function number(value: unknown, field: string): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : refuse(field)
}

function record(value: unknown, field: string): Record<string, unknown> {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isRecord ? Object.fromEntries(Object.entries(value)) : refuse(field)
}

function refuse(field: string): never {
  throw new KagoError('invalid_argument', `the seccomp profile is not valid: ${field}`, {
    hint: 'it must be a JSON object in the form of Docker’s default profile',
  })
}
