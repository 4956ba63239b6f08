/** The process of an exec: the container's own, with what was asked for changed. Pure. */
import type { Process, RuntimeSpec } from '../../shared/oci/runtime-spec.ts'
import type { ExecBody } from '../../shared/protocol/containers.ts'
import type { HostFacts } from '../runtime/spec.ts'
import { capabilitySets } from '../runtime/spec/capabilities.ts'
import { checkWorkingDirectory } from '../runtime/spec/process.ts'

interface ExecUser {
  uid: number
  gid: number
  additionalGids: number[]
  home?: string
}

/** @throws invalid_argument */
export function execProcess(spec: RuntimeSpec, body: ExecBody, user: ExecUser, host: HostFacts): Process {
  const held = body.privileged === true ? host.capabilities : (spec.process.capabilities?.bounding ?? [])
  return {
    ...spec.process,
    terminal: body.terminal ?? false,
    user: {
      uid: user.uid,
      gid: user.gid,
      ...(user.additionalGids.length > 0 && { additionalGids: user.additionalGids }),
    },
    args: body.command,
    env: execEnvironment(spec.process.env, body, user.home),
    cwd: checkWorkingDirectory(body.workingDir ?? spec.process.cwd),
    capabilities: capabilitySets(held, user.uid),
  }
}

function execEnvironment(base: readonly string[], body: ExecBody, home: string | undefined): string[] {
  const variables = new Map<string, string>()
  const set = (entry: string) => variables.set(entry.split('=', 1)[0] ?? '', entry)
  for (const entry of base) set(entry)
  if (body.user !== undefined && home !== undefined) set(`HOME=${home}`)
  if (body.terminal === true) set('TERM=xterm')
  for (const entry of body.env ?? []) set(entry)
  return [...variables.values()].filter((entry) => entry.includes('='))
}
