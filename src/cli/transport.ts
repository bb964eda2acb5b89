/**
 * One HTTP request over a Unix socket, TCP or TLS, and its response as a stream. The door of the command line
 * tool to the network. What requests mean, and where they go, is decided elsewhere (client.ts, target.ts).
 */
import type { IncomingMessage, request as httpRequest, RequestOptions } from "node:http"

export interface HttpCall {
  readonly method: string
  /** With query, escaped. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
  /** Without a byte for so long the request fails. */
  readonly idleTimeoutMs: number
}

export type Endpoint =
  | { readonly kind: "unix"; readonly path: string }
  | {
      readonly kind: "tcp"
      readonly isSecure: boolean
      readonly host: string
      readonly port: number
      readonly certificates: Buffer | null
      readonly isInsecure: boolean
    }

/**
 * Rejects with the system's error, which has a `code`; ETIMEDOUT if nothing was heard in time. The modules
 * are not imported: importing one loads all that it offers, such as fetch, which takes as long as the rest.
 */
export function send(endpoint: Endpoint, call: HttpCall): Promise<IncomingMessage> {
  const options: RequestOptions = {
    method: call.method,
    path: call.path,
    headers: call.headers,
    timeout: call.idleTimeoutMs,
  }
  const http = process.getBuiltinModule("node:http")
  if (endpoint.kind === "unix") {
    options.socketPath = endpoint.path
    return exchange(http.request, options, call)
  }
  options.host = endpoint.host
  options.port = endpoint.port
  if (!endpoint.isSecure) return exchange(http.request, options, call)
  const { certificates, isInsecure } = endpoint
  const secure = {
    ...options,
    rejectUnauthorized: !isInsecure,
    ...(certificates !== null && { ca: certificates }),
  }
  return exchange(process.getBuiltinModule("node:https").request, secure, call)
}

function exchange(
  request: typeof httpRequest,
  options: RequestOptions,
  call: HttpCall,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(options, resolve)
    outgoing.on("error", reject)
    outgoing.on("timeout", () => {
      outgoing.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" }))
    })
    outgoing.end(call.body ?? undefined)
  })
}
