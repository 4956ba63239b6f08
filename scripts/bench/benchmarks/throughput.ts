/** How fast a container's network is: iperf3 from a container to this machine, and from here to a published port. */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { runQuietly } from '../command.ts'
import { type Benchmark, inRounds, row, sample, type Target, withoutVariants } from '../measure.ts'
import { isInstalled } from '../probe.ts'

const amount = '8G'
const port = '5201'
/** An address of this machine that is not loopback's: what goes to it takes the way of a neighbour's packets. */
const address = '10.254.99.1'
/** The image has no iperf3; this machine's is lent. */
const lent = ['/usr:/usr:ro', '/usr/lib:/lib:ro', '/usr/lib64:/lib64:ro']
/** 0.95 of Docker's throughput. */
const targets: Target[] = [{ engine: 'kago', of: 'wall', most: 1.05, against: 'docker' }]

export const throughput: Benchmark = {
  name: 'throughput',
  about: `${amount} by iperf3, from a container and to a published port`,
  async run(bench) {
    if (!isInstalled('iperf3')) return []
    const out = row(`${amount} container → host`, targets)
    const into = row(`${amount} host → published port`, targets)
    await runQuietly(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo'])
    const server = spawn('iperf3', ['-s', '-p', '5301', '-B', address], { stdio: 'ignore' })
    try {
      await inRounds(bench, withoutVariants(bench.engines), [out, into], async ({ verbs }, keep, round) => {
        if (verbs.serveOnBridge === undefined) return
        const id = `bench-iperf-${round}`
        const serve = ['/usr/bin/iperf3', '-s', '-p', port]
        await runQuietly(verbs.serveOnBridge(id, serve, { ports: [`${port}:${port}`], mounts: lent }))
        try {
          await sleep(300)
          const send = (to: string) => ['iperf3', '-c', address, '-p', to, '-n', amount]
          keep(
            out,
            await sample(bench.meter, () => runQuietly(verbs.exec(id, ['/usr/bin/env', ...send('5301')]))),
          )
          keep(into, await sample(bench.meter, () => runQuietly(send(port))))
        } finally {
          await runQuietly(verbs.removeAll([id]))
        }
      })
    } finally {
      server.kill()
    }
    return [out, into]
  },
}
