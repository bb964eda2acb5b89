/**
 * A broker in memory with its HTTP API, asked without sockets. Every response is compared with the
 * OpenAPI document: its status must be there, its body must fit the schema.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { TSchema } from "typebox"
import { Value } from "typebox/value"
import { Type } from "typebox"
import type { Vhost } from "../../src/broker/vhost.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import { InternalErrors } from "../support/internal-errors.ts"
import { WireClient, type HandshakeOptions } from "../support/wire-client.ts"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Of the JSON body; an empty object without one. */
  readonly body: Json
}

/** Loosely typed on purpose: the schema has been checked. */
export interface Json {
  readonly [key: string]: Json
}

export interface RequestOptions {
  readonly body?: unknown
  /** `name:password`, or null for none. Default guest:guest. */
  readonly user?: string | null
  readonly headers?: Readonly<Record<string, string>>
}

export interface HttpTest {
  readonly running: RunningBroker
  readonly vhost: Vhost
  /** `GET /api/queues`. Paths are as on the wire: quoted. */
  readonly ask: (line: string, options?: RequestOptions) => Promise<Answer>
  /** As ask(), with the status that is expected. */
  readonly expect: (status: number, line: string, options?: RequestOptions) => Promise<Answer>
  /** An open AMQP connection with channel 1. */
  readonly client: (options?: HandshakeOptions) => Promise<WireClient>
}

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: TSchema }>> }>
  >
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const ERROR = Type.Object({ error: Type.String(), reason: Type.String() })
/** Answers that every operation may give without saying so. */
const COMMON = new Set([403, 405, 413, 415, 429, 500, 503])

export function httpTest(
  name: string,
  body: (http: HttpTest) => Promise<void>,
  options: BrokerStartOptions = {},
): void {
  test(name, async () => {
    const logger = new InternalErrors(options.logger)
    const running = await startBroker({
      ...options,
      logger,
      amqp: { host: "127.0.0.1", port: 0 },
      http: { host: "127.0.0.1", port: 0 },
    })
    const clients: WireClient[] = []
    const { http: server } = running
    assert.ok(server !== null)
    const { app } = server
    const documented = await app.request("/api/openapi.json")
    const document: Document = JSON.parse(await documented.text())
    const ask = async (line: string, request: RequestOptions = {}): Promise<Answer> => {
      const [method = "", path = ""] = line.split(" ")
      const { user = "guest:guest", body: content } = request
      const headers: Record<string, string> = { ...request.headers }
      if (user !== null) headers["authorization"] = `Basic ${btoa(user)}`
      if (content !== undefined) headers["content-type"] ??= "application/json"
      const response = await app.request(path, {
        method,
        headers,
        ...(content === undefined ? {} : { body: encode(content) }),
      })
      const text = await response.text()
      checkAgainst(document, method, path, response.status, text)
      const isJson = text !== "" && response.headers.get("content-type") === "application/json"
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: isJson ? JSON.parse(text) : {},
      }
    }
    try {
      await body({
        running,
        get vhost() {
          const vhost = running.broker.vhosts.get("/")
          assert.ok(vhost !== undefined)
          return vhost
        },
        ask,
        async expect(status, line, request) {
          const answer = await ask(line, request)
          assert.equal(answer.status, status, `${line}: ${answer.text}`)
          return answer
        },
        async client(handshake) {
          const client = await WireClient.open(running.amqpPort, handshake)
          clients.push(client)
          await client.openChannel(1)
          return client
        },
      })
      logger.assertNone()
    } finally {
      for (const client of clients) client.destroy()
      await running.close()
    }
  })
}

function encode(content: unknown): string {
  return typeof content === "string" ? content : JSON.stringify(content)
}

function checkAgainst(
  document: Document,
  method: string,
  path: string,
  status: number,
  text: string,
): void {
  if (method === "HEAD" || method === "OPTIONS") return
  if (status >= 400 && !text.includes('"status":"failed"'))
    assert.ok(Value.Check(ERROR, JSON.parse(text)), `${method} ${path}: ${text}`)
  const operation = operationOf(document, method, path)
  if (operation === null || COMMON.has(status)) return
  const response = operation.responses[String(status)]
  assert.ok(response !== undefined, `${method} ${path} answers ${String(status)}: ${text}`)
  const schema = response.content?.["application/json"]?.schema
  // Text and pages have no schema.
  if (schema === undefined && response.content !== undefined) return
  if (schema === undefined) {
    assert.equal(text, "", `${method} ${path} has a body`)
    return
  }
  if (status >= 400 || path.includes("columns=")) return
  const value: unknown = JSON.parse(text)
  const errors = Value.Errors(schema, value).slice(0, 3)
  assert.deepEqual(errors, [], `${method} ${path}: ${text.slice(0, 500)}`)
}

/** The path with the fewest parameters that fits. */
function operationOf(document: Document, method: string, path: string): Operation | null {
  const segments = (path.split("?")[0] ?? "").replace(/\/$/, "").split("/")
  let found: Operation | null = null
  let least = Infinity
  for (const [template, operations] of Object.entries(document.paths)) {
    const parts = template.split("/")
    if (parts.length !== segments.length) continue
    if (!parts.every((part, i) => part.startsWith("{") || part === segments[i])) continue
    const parameters = parts.filter((part) => part.startsWith("{")).length
    if (parameters >= least) continue
    least = parameters
    found = operations[method.toLowerCase()] ?? null
  }
  return found
}

/** A user with a password of the same name. */
export async function addUser(
  http: HttpTest,
  name: string,
  tags: readonly string[],
  vhostName: string | null = null,
): Promise<string> {
  const { administration } = http.running
  await administration.putUser(name, { password: name, tags })
  if (vhostName !== null)
    await administration.setPermissions(name, vhostName, {
      configure: ".*",
      write: ".*",
      read: ".*",
    })
  return `${name}:${name}`
}

export function rows(answer: Answer): readonly Json[] {
  assert.ok(Array.isArray(answer.body), answer.text)
  return answer.body
}

/** A field that holds text. */
export function textOf(row: Json | undefined, field: string): string {
  const value: unknown = row?.[field]
  assert.ok(typeof value === "string", `${field} is no text`)
  return value
}
