import { createAdaptorServer } from "@hono/node-server"
import type { Http2Bindings, HttpBindings, ServerType } from "@hono/node-server"
import type { AppBindings, HttpApp } from "./app.ts"

/** The sockets of the HTTP API. Bounded in time and size, so that slow and greedy clients cost little. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 120_000
const KEEP_ALIVE_MS = 65_000
const CHECK_MS = 5000
const HEADERS_SIZE_MAX = 16 << 10
const CONNECTIONS_MAX = 2000

export class HttpListener {
  readonly #servers: ServerType[] = []
  readonly #app: HttpApp

  constructor(app: HttpApp) {
    this.#app = app
  }

  /** Resolves with the port. Rejects with the system's error. Port 0 takes a free one. */
  listen(host: string, port: number): Promise<number> {
    const server = createAdaptorServer({
      fetch: (request, env) => this.#app.fetch(request, peerOf(env)),
      overrideGlobalObjects: false,
      serverOptions: {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: CHECK_MS,
        maxHeaderSize: HEADERS_SIZE_MAX,
      },
    })
    server.maxConnections = CONNECTIONS_MAX
    return new Promise((resolve, reject) => {
      server.once("error", reject)
      server.listen({ host, port, ipv6Only: host.includes(":") }, () => {
        server.off("error", reject)
        // What goes wrong later concerns one client, not the listener.
        server.on("error", () => {})
        this.#servers.push(server)
        const address = server.address()
        if (address === null || typeof address === "string")
          reject(new Error("an HTTP server has an address and a port"))
        else resolve(address.port)
      })
    })
  }

  /** Ends at once what is under way. */
  async close(): Promise<void> {
    const servers = this.#servers.splice(0)
    await Promise.all(
      servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            if ("closeAllConnections" in server) server.closeAllConnections()
          }),
      ),
    )
  }
}

function peerOf({ incoming }: HttpBindings | Http2Bindings): AppBindings["Bindings"] {
  const { remoteAddress } = incoming.socket
  return { peer: remoteAddress ?? null }
}
