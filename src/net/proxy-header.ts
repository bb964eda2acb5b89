import type { Socket } from "node:net"
import { parseProxyHeader } from "./proxy-protocol.ts"
import type { ProxyVerdict } from "./proxy-protocol.ts"

/**
 * Reads the PROXY header of a paused socket; what was received behind it, or instead of it, is put back.
 * `done` is called once, unless the socket is closed before (who bounds the time does that).
 */
export function readProxyHeader(socket: Socket, done: (verdict: ProxyVerdict) => void): void {
  let received: Buffer = Buffer.alloc(0)
  const look = (): void => {
    for (let bytes = readFrom(socket); bytes !== null; bytes = readFrom(socket))
      received = received.length === 0 ? bytes : Buffer.concat([received, bytes])
    if (received.length === 0) return
    const verdict = parseProxyHeader(received)
    if (verdict.kind === "incomplete") return
    socket.off("readable", look)
    socket.off("end", end)
    const rest = received.subarray(verdict.kind === "header" ? verdict.size : 0)
    if (rest.length > 0 && verdict.kind !== "invalid") socket.unshift(rest)
    done(verdict)
  }
  const end = (): void => {
    socket.off("readable", look)
    // Whoever only looks whether the port is open leaves no trace.
    if (received.length > 0) done({ kind: "incomplete" })
    else socket.destroy()
  }
  socket.on("readable", look)
  socket.once("end", end)
}

function readFrom(socket: Socket): Buffer | null {
  const bytes: unknown = socket.read()
  return bytes instanceof Buffer ? bytes : null
}
