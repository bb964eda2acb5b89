/**
 * Listening sockets that systemd has opened and handed over (socket activation): which file descriptor is
 * for what, by the names of the socket units.
 */

const FIRST_FD = 3
const COUNT_MAX = 1024
const NOT_NAMED = "unknown"

/** File descriptors by name, in order; empty if nothing was handed to this process. */
export function activatedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): ReadonlyMap<string, readonly number[]> {
  const sockets = new Map<string, number[]>()
  // The variables of a parent, which is what other process ids are about, are not ours.
  if (env["LISTEN_PID"] !== String(pid)) return sockets
  const count = Number(env["LISTEN_FDS"] ?? "0")
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX) return sockets
  const names = (env["LISTEN_FDNAMES"] ?? "").split(":")
  for (let i = 0; i < count; i++) {
    const name = names[i] ?? ""
    const fds = sockets.get(name === "" ? NOT_NAMED : name) ?? []
    sockets.set(name === "" ? NOT_NAMED : name, [...fds, FIRST_FD + i])
  }
  return sockets
}
