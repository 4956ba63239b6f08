import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { updateEtcFiles, writeEtcFiles } from '../../../../daemon/network/etc-files.ts'
import type { NameOptions } from '../../../../daemon/network/etc-text.ts'

const endpoint = (digit: number) => ({
  addresses: [`10.64.${digit}.2`],
  gateways: [`10.64.${digit}.1`],
  hasNames: true,
})
const before: NameOptions = {
  network: 'own',
  hostname: 'box',
  endpoints: [endpoint(1)],
  extraHosts: [],
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  hostResolvConf: '/etc/resolv.conf',
}
const after = { ...before, endpoints: [endpoint(2)] }

let directory: string
const read = (name: string) => readFileSync(join(directory, name), 'utf8')

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'etc-files-'))
  writeEtcFiles(directory, before)
  return () => {
    rmSync(directory, { recursive: true })
  }
})

describe("the files of a container's names", () => {
  it('say who it is and whom it asks', () => {
    expect(read('hostname')).toBe('box\n')
    expect(read('hosts')).toContain('10.64.1.2\tbox\n')
    expect(read('resolv.conf')).toContain('nameserver 10.64.1.1\n')
  })

  it('follow a change of networks in place', async () => {
    const { ino } = statSync(join(directory, 'hosts'))
    await updateEtcFiles(directory, before, after)
    expect(statSync(join(directory, 'hosts')).ino).toBe(ino)
    expect(read('hosts')).toContain('10.64.2.2\tbox\n')
    expect(read('hosts')).not.toContain('10.64.1.2')
    expect(read('resolv.conf')).toContain('nameserver 10.64.2.1\n')
  })

  it('keep what the container wrote into them', async () => {
    appendFileSync(join(directory, 'hosts'), '1.2.3.4 mine')
    appendFileSync(join(directory, 'resolv.conf'), 'nameserver 9.9.9.9\n')
    const resolvConf = read('resolv.conf')
    await updateEtcFiles(directory, before, after)
    expect(read('hosts')).toMatch(/\n1\.2\.3\.4 mine\n10\.64\.2\.2\tbox\n$/)
    expect(read('hosts')).not.toContain('10.64.1.2')
    expect(read('resolv.conf')).toBe(resolvConf)
  })

  it('are left alone when they have become too large to be meant', async () => {
    truncateSync(join(directory, 'hosts'), 2 ** 40)
    await updateEtcFiles(directory, before, after)
    expect(statSync(join(directory, 'hosts')).size).toBe(2 ** 40)
  })
})
