/**
 * Whether a peer is on this machine. For the rule that the default user, whose password everybody
 * knows, may log in from here only.
 */

/** The address as the socket or PROXY header gives it; null stands for a Unix socket. */
export function isLoopback(address: string | null): boolean {
  if (address === null || address === "::1") return true
  const mapped = /^::ffff:(.+)$/i.exec(address)?.[1] ?? address
  // The mapped form may also be written in hexadecimal groups: ::ffff:7f00:1.
  return /^127(\.\d{1,3}){3}$/.test(mapped) || /^7f[0-9a-f]{2}:[0-9a-f]{1,4}$/i.test(mapped)
}
