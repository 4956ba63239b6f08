/** What the network does to an exchange, as errors a person understands. */
import { KagoError } from '../../shared/errors.ts'
import { Transient } from './retry.ts'

/** The failure that an exchange without an answer is; what is an error of kago's already stays as it is. */
export function networkFailure(error: unknown, url: URL): KagoError | Transient {
  if (error instanceof Transient) return error
  if (error instanceof KagoError) return error.code === 'timed_out' ? new Transient(error) : error
  const { code, name, message } = facts(error)
  const { host } = url
  const cause = error
  if (name === 'AbortError') return new KagoError('cancelled', 'cancelled', { cause })
  if (code === forbiddenAddress) return forbiddenDestination(url)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const hint = 'check the name, and that this machine can resolve names'
    const unknown = new KagoError('unavailable', `cannot find the host ${host}`, { hint, cause })
    return code === 'EAI_AGAIN' ? new Transient(unknown, { attempts: 3 }) : unknown
  }
  if (code === 'ECONNREFUSED') {
    const hint = 'check the name and the port'
    // Perhaps it is being restarted; but nobody wants to wait long to be told of a wrong port.
    return new Transient(new KagoError('unavailable', `nothing answers at ${host}`, { hint, cause }), {
      attempts: 3,
    })
  }
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return new KagoError('unavailable', `there is no way to ${host} from this machine`, {
      hint: 'check the network',
      cause,
    })
  if (name === 'TimeoutError' || /TIMEOUT|TIMEDOUT/.test(code)) {
    const hint = 'check the network, or try later'
    return new Transient(new KagoError('timed_out', `${host} does not answer`, { hint, cause }), {
      attempts: 2,
    })
  }
  if (isPlainHttp(code, message))
    return new KagoError('unavailable', `${host} does not speak TLS`, {
      hint: `if it is meant to be without, add ${JSON.stringify(host)} to insecureRegistries in kagod's configuration`,
      cause,
    })
  if (isCertificateProblem(code))
    return new KagoError(
      'unavailable',
      `the certificate of ${host} is not trusted: ${certificateReason(code)}`,
      {
        hint: `put its authority's certificate into kagod's certsDir as ${host}/ca.crt`,
        details: { reason: code },
        cause,
      },
    )
  return new Transient(
    new KagoError('unavailable', `the connection to ${host} broke`, {
      hint: 'try again',
      ...(code !== '' && { details: { reason: code } }),
      cause,
    }),
  )
}

/** The code of the error that a name's lookup fails with when all of its addresses are out of bounds. */
export const forbiddenAddress = 'KAGO_FORBIDDEN_ADDRESS'

export function forbiddenDestination(url: URL): KagoError {
  return new KagoError('permission_denied', `a registry sent kago to ${url.host}, where it may not go`, {
    hint: 'redirects to link-local, metadata and loopback addresses are refused',
  })
}

function facts(error: unknown): { code: string; name: string; message: string } {
  if (!(error instanceof Error)) return { code: '', name: '', message: '' }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // Happy eyeballs throw all addresses' failures at once.
  if (error instanceof AggregateError && code === '') return facts(error.errors[0])
  return { code, name: error.name, message: error.message }
}

function isPlainHttp(code: string, message: string): boolean {
  return (
    /^ERR_SSL_(WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_LAYER)/.test(code) ||
    (code === 'EPROTO' && /wrong version number|http request|packet length too long/.test(message))
  )
}

function isCertificateProblem(code: string): boolean {
  return /CERT|UNABLE_TO_(GET|VERIFY)|ALTNAME|SELF_SIGNED/.test(code)
}

function certificateReason(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'it has expired'
  if (code === 'CERT_NOT_YET_VALID') return 'it is not valid yet'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'it is for another host'
  if (/SELF_SIGNED/.test(code)) return 'it is signed by nobody this machine knows'
  return 'its authority is not known to this machine'
}
