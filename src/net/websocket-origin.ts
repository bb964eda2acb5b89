/**
 * Which web pages may open a WebSocket. A browser lets any page connect to any host and says which page it
 * was; without a look at that, a page of a stranger could talk to the broker on its visitor's machine, where
 * everybody knows the default password. Programs that are no browser send no origin and are let in.
 */

/** Pages of the host that they connect to, whatever the port. */
export const SAME_HOST = "same-host"

export interface OriginFacts {
  /** The header Origin; undefined if there is none. */
  readonly origin: string | undefined
  /** The header Host: what the browser believes to have connected to. */
  readonly host: string | undefined
  /** The connection comes from this machine. */
  readonly isLocal: boolean
}

/** `allowed` holds `*`, `same-host` and origins such as `https://app.example.com`. */
export function isAllowedOrigin(facts: OriginFacts, allowed: readonly string[]): boolean {
  const { origin } = facts
  if (origin === undefined || allowed.includes("*")) return true
  if (!URL.canParse(origin)) return false // Such as `null`: a sandboxed page or a file.
  const page = new URL(origin)
  return allowed.includes(page.origin) || (allowed.includes(SAME_HOST) && isSameHost(page, facts))
}

/**
 * From this machine, the name must be one of this machine as well: else a stranger's name that was made to
 * point here would be the same host.
 */
function isSameHost(page: URL, { host, isLocal }: OriginFacts): boolean {
  if (host === undefined || !URL.canParse(`http://${host}`)) return false
  const { hostname } = new URL(`http://${host}`)
  if (isLocalName(page.hostname) && isLocalName(hostname)) return true
  return page.hostname === hostname && !isLocal
}

function isLocalName(hostname: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}
