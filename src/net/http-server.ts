import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http"
import { createHttpsServer } from "./https-server.ts"
import type { TlsContexts } from "./tls-contexts.ts"

/**
 * HTTP servers of the runtime, plain or behind TLS. Its modules are taken as objects: an import statement
 * would also load the WebSocket client and all of `fetch` that belong to it, which no server needs.
 */
export type RequestListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void

export interface Encrypting {
  readonly contexts: TlsContexts
  /** A client that may not go on was cut off. */
  readonly onRefused: (peer: string, reason: string) => void
}

export function createHttpServer(
  options: ServerOptions,
  listener: RequestListener,
  encrypting: Encrypting | null,
): Server {
  if (encrypting === null)
    return process.getBuiltinModule("node:http").createServer(options, listener)
  return createHttpsServer(options, listener, encrypting.contexts, encrypting.onRefused)
}
