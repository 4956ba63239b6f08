/** The ports that a container is to publish and those it only names, by the request and the image. Pure. */
import { parseAddress } from '../../shared/address.ts'
import { KagoError } from '../../shared/errors.ts'
import type { ContainerOptions, CreateBody, PublishedPort } from '../../shared/protocol/containers.ts'

type PortOptions = Pick<ContainerOptions, 'publish' | 'publishAll' | 'expose'>

export const noPorts: PortOptions = { publish: [], publishAll: false, expose: [] }

/** @throws invalid_argument */
export function resolvePorts(
  {
    publish = [],
    publishAll = false,
    expose = [],
    network = '',
  }: Partial<PortOptions & Pick<CreateBody, 'network'>>,
  imagePorts: Record<string, object>,
): PortOptions {
  refusePublishing(network, publish)
  for (const port of publish) checkPort(port)
  const named = [...Object.keys(imagePorts), ...expose].map(readExposed)
  const exposed = [...new Set(named.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`))]
  const others = publishAll
    ? exposed.map(readExposed).filter((port) => !publish.some((one) => isSamePort(one, port)))
    : []
  return { publish: [...publish, ...others], publishAll, expose: exposed }
}

/** @throws invalid_argument */
export function checkPort({ hostAddress, hostPort, hostPortEnd, containerPort }: PublishedPort): void {
  if (containerPort === 0) throw new KagoError('invalid_argument', 'a container has no port 0')
  if (hostAddress !== undefined && parseAddress(hostAddress) === undefined) {
    throw new KagoError('invalid_argument', `not an address of the host: ${JSON.stringify(hostAddress)}`, {
      hint: 'write -p 127.0.0.1:8080:80 or -p [::1]:8080:80',
    })
  }
  if (hostPortEnd !== undefined && (hostPort === undefined || hostPortEnd < hostPort)) {
    throw new KagoError('invalid_argument', `not a range of ports: ${hostPort ?? ''}-${hostPortEnd}`)
  }
}

/** @throws invalid_argument where there is nothing that ports could lead to. */
export function refusePublishing(network: string, publish: readonly PublishedPort[]): void {
  const [port] = publish
  if (port === undefined || (network !== 'none' && !network.startsWith('container:'))) return
  throw new KagoError(
    'invalid_argument',
    `port ${port.containerPort} cannot be published with --network ${network}`,
    {
      hint:
        network === 'none'
          ? 'leave out -p, or use another network'
          : 'publish it of the container whose network it is: kago update --publish-add',
    },
  )
}

export function isSamePort(
  a: { containerPort: number; protocol: string },
  b: { containerPort: number; protocol: string },
): boolean {
  return a.containerPort === b.containerPort && a.protocol === b.protocol
}

/** `80/tcp`, as images write it; without a protocol it is TCP. */
export function readExposed(text: string): Pick<PublishedPort, 'containerPort' | 'protocol'> {
  const [number = '', name = 'tcp', ...more] = text.split('/')
  const protocol = (['tcp', 'udp', 'sctp'] as const).find((known) => known === name.toLowerCase())
  const containerPort = /^\d{1,5}$/.test(number) ? Number(number) : 0
  if (containerPort > 0 && containerPort < 65536 && protocol !== undefined && more.length === 0) {
    return { containerPort, protocol }
  }
  throw new KagoError('invalid_argument', `not a port: ${JSON.stringify(text)}`, {
    hint: 'write it as 80, 80/tcp or 53/udp',
  })
}
