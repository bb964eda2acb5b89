import { chmodSync, lstatSync, unlinkSync } from "node:fs"
import { connect } from "node:net"
import type { Server } from "node:net"
import { dirname } from "node:path"

/**
 * Servers on a path in the file system (Unix sockets): what a dead process has left is removed, a
 * living one is left alone, and the file is never open to more users than its mode says.
 */

/** The message says in one line what to do about it. */
export class UnixPathError extends Error {
  override readonly name = "UnixPathError"
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

const CONNECT_TIMEOUT_MS = 2000
/** What the systems have for a path is 104 to 108 bytes with the final zero. */
const PATH_SIZE_MAX = 103
const OWNER_ONLY = 0o600

/** Resolves when the server listens. Rejects with UnixPathError. The file is gone when the server is closed. */
export async function listenOnUnixPath(server: Server, path: string, mode: number): Promise<void> {
  if (Buffer.byteLength(path) > PATH_SIZE_MAX)
    throw new UnixPathError(
      "ENAMETOOLONG",
      `the path of the Unix socket ${path} is longer than ${String(PATH_SIZE_MAX)} bytes`,
    )
  await removeStale(path)
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(bindFailure(path, error))
    server.once("error", failed)
    // The file is made within listen(): until chmod() nobody else may connect.
    withUmask(0o777 & ~OWNER_ONLY, () =>
      server.listen({ path }, () => {
        server.off("error", failed)
        resolve()
      }),
    )
  })
  try {
    chmodSync(path, mode)
  } catch (error) {
    server.close()
    throw bindFailure(path, error)
  }
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket())
    throw new UnixPathError(
      "EADDRINUSE",
      `${path} is there and is no socket: remove it or choose another path for the Unix socket`,
    )
  const code = await tryToConnect(path)
  if (code !== "ECONNREFUSED")
    throw new UnixPathError(
      "EADDRINUSE",
      code === "EACCES"
        ? `no permission to ask who listens on the Unix socket ${path}`
        : `another program listens on the Unix socket ${path}: stop it or choose another path`,
    )
  unlinkSync(path)
}

/** The code of the error, or null if somebody answers. */
function tryToConnect(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.setTimeout(CONNECT_TIMEOUT_MS)
    const end = (code: string | null): void => {
      resolve(code)
      socket.destroy()
    }
    socket.on("connect", () => end(null))
    socket.on("timeout", () => end("ETIMEDOUT"))
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? "EIO"))
  })
}

/** A worker thread has no umask of its own and must not change it. */
function withUmask(mask: number, action: () => void): void {
  let before: number | null = null
  try {
    before = process.umask(mask)
  } catch {
    // The mode is set afterwards in any case.
  }
  try {
    action()
  } finally {
    if (before !== null) process.umask(before)
  }
}

function bindFailure(path: string, error: unknown): UnixPathError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "EIO"
  // The runtime calls that a lack of permission.
  if (lstatSync(dirname(path), { throwIfNoEntry: false }) === undefined)
    return new UnixPathError("ENOENT", `the directory of the Unix socket ${path} does not exist`)
  switch (code) {
    case "EACCES":
    case "EPERM":
      return new UnixPathError(code, `no permission to make the Unix socket ${path}`)
    default:
      return new UnixPathError(code, `cannot listen on the Unix socket ${path}: ${code}`)
  }
}
