import { UnixPathError } from "../net/unix-path.ts"
import { StartError } from "./start-error.ts"

/** Why an address cannot be listened on, in words that name the flags to use. */

export interface ListenFlags {
  readonly port: string
  readonly bind: string
}

/** Throws StartError. */
export async function listenOnAll(
  host: string | readonly string[],
  port: number,
  flags: ListenFlags,
  listen: (address: string) => Promise<void>,
): Promise<void> {
  const hosts = typeof host === "string" ? [host] : host
  for (const [index, address] of hosts.entries()) {
    try {
      await listen(address)
    } catch (error) {
      // Machines without IPv6 are common: its loopback is given up if it is not the only address.
      const code = errorCode(error)
      const isMissingFamily = code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT"
      if (isMissingFamily && address === "::1" && index > 0) continue
      throw new StartError(listenFailure(address, port, code, flags), { cause: error })
    }
  }
}

/** Throws StartError. */
export async function listenOnPath(listen: () => Promise<void>): Promise<void> {
  try {
    await listen()
  } catch (error) {
    if (error instanceof UnixPathError) throw new StartError(error.message, { cause: error })
    throw error
  }
}

/** Of a socket that was handed over. Throws StartError. */
export async function listenOnFd<T>(fd: number, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen()
  } catch (error) {
    const reason = `cannot listen on the socket that was handed over as file descriptor ${fd}`
    throw new StartError(`${reason}: ${errorCode(error)}`, { cause: error })
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error)
}

function listenFailure(address: string, port: number, code: string, flags: ListenFlags): string {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} on ${address} is already in use: stop the other program or choose a port with ${flags.port}`
    case "EACCES":
      return `no permission to listen on port ${port} of ${address}: choose a port above 1023`
    case "EADDRNOTAVAIL":
      return `${address} is no address of this machine: see ${flags.bind}`
    default:
      return `cannot listen on ${address} port ${port}: ${code}`
  }
}
