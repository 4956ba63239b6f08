/** What an image runs on. OCI image spec, image-index.md; values are Go's GOOS and GOARCH. */
import { KagoError } from '../errors.ts'

export interface Platform {
  os: string
  architecture: string
  variant?: string
  'os.version'?: string
}

/** What people, kernels and Node call them, and what Go does. */
const architectures: Record<string, { architecture: string; variant?: string }> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  x64: { architecture: 'amd64' },
  i386: { architecture: '386' },
  i686: { architecture: '386' },
  x86: { architecture: '386' },
  ia32: { architecture: '386' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
}

/** The variant that is meant when none is written. */
const defaultVariants: Record<string, string> = { arm: 'v7', arm64: 'v8', amd64: 'v1' }

/** What of a descriptor matters to the choice. */
interface Offered {
  platform?: Platform
  annotations?: Record<string, string>
}

const partPattern = /^[a-z0-9_.-]{1,100}$/i

/**
 * `linux/arm/v7`, `linux/amd64`, or only an architecture.
 * @throws invalid_argument
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/')
  if (parts.length > 3 || !parts.every((part) => partPattern.test(part)))
    throw new KagoError('invalid_argument', `not a platform: ${JSON.stringify(text.slice(0, 100))}`, {
      hint: 'a platform is OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT: linux/amd64, linux/arm/v7',
    })
  const [first = '', second, variant] = parts
  return normalisePlatform(
    second === undefined
      ? { os: 'linux', architecture: first }
      : { os: first, architecture: second, ...(variant !== undefined && { variant }) },
  )
}

/** The same platform in the words of the specification, with a variant only where it is not the usual one. */
export function normalisePlatform(platform: Platform): Platform {
  const lower = platform.architecture.toLowerCase()
  const alias = Object.hasOwn(architectures, lower) ? architectures[lower] : undefined
  const architecture = alias?.architecture ?? lower
  const written = platform.variant?.toLowerCase().replace(/^(?=\d)/, 'v')
  const variant = written || alias?.variant || (architecture === 'arm' ? 'v7' : undefined)
  const isUsual = architecture !== 'arm' && variant === defaultVariant(architecture)
  return {
    os: platform.os.toLowerCase(),
    architecture,
    ...(variant !== undefined && !isUsual && { variant }),
    ...(platform['os.version'] !== undefined && { 'os.version': platform['os.version'] }),
  }
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`
}

/** Whether what is offered runs on what is wanted: the same, or an earlier variant of the same architecture. */
export function runsOn(offered: Platform, wanted: Platform): boolean {
  return distance(offered, wanted) !== undefined
}

/**
 * The entry of an index that suits a platform best: the same variant, else the nearest earlier one, else an entry that does
 * not say what it is for. Attestations (`unknown/unknown`) are never chosen. `what` names the image in the error.
 * @throws not_found, listing what is offered.
 */
export function choosePlatform<Offer extends Offered>(
  descriptors: Offer[],
  wanted: Platform,
  what = 'the image',
): Offer {
  const offers = descriptors.filter((descriptor) => !isAttestation(descriptor))
  let best: { descriptor: Offer; distance: number } | undefined
  for (const descriptor of offers) {
    const away = descriptor.platform && distance(descriptor.platform, wanted)
    if (away !== undefined && (best === undefined || away < best.distance))
      best = { descriptor, distance: away }
  }
  const chosen = best?.descriptor ?? offers.find(({ platform }) => platform === undefined)
  if (chosen !== undefined) return chosen
  throw new KagoError(
    'not_found',
    `${what} is not made for ${formatPlatform(normalisePlatform(wanted))}`,
    hintOf(offers),
  )
}

/** How many variants earlier the offered platform is; undefined when it does not run there. */
function distance(offered: Platform, wanted: Platform): number | undefined {
  const [from, to] = [normalisePlatform(offered), normalisePlatform(wanted)]
  if (from.os !== to.os || from.architecture !== to.architecture) return undefined
  const [offeredLevel, wantedLevel] = [level(from), level(to)]
  if (offeredLevel === undefined || wantedLevel === undefined) {
    return from.variant === to.variant ? 0 : undefined
  }
  return offeredLevel <= wantedLevel ? wantedLevel - offeredLevel : undefined
}

function level({ architecture, variant }: Platform): number | undefined {
  const text = variant ?? defaultVariant(architecture) ?? 'v0'
  return /^v\d{1,3}(?:\.\d{1,3})?$/.test(text) ? Number(text.slice(1)) : undefined
}

function defaultVariant(architecture: string): string | undefined {
  return Object.hasOwn(defaultVariants, architecture) ? defaultVariants[architecture] : undefined
}

function isAttestation({ platform, annotations }: Offered): boolean {
  if (platform?.os === 'unknown' || platform?.architecture === 'unknown') return true
  return annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
}

const offersShown = 30

function hintOf(offers: Offered[]): { hint: string } {
  const names = [
    ...new Set(
      offers.flatMap(({ platform }) => (platform ? [formatPlatform(normalisePlatform(platform))] : [])),
    ),
  ].map((name) => name.replace(/[^\x20-\x7e]/g, '?'))
  if (names.length === 0) return { hint: 'its index lists no image' }
  const more = names.length > offersShown ? ` and ${names.length - offersShown} more` : ''
  return { hint: `it is offered for ${names.slice(0, offersShown).join(', ')}${more}` }
}
