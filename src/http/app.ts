import { Hono } from "hono"
import type { Context } from "hono"
import type { TSchema } from "typebox"
import { Value } from "typebox/value"
import { AuthError } from "../auth/errors.ts"
import type { User } from "../auth/users.ts"
import { Refusal } from "../broker/errors.ts"
import type { Clock } from "../util/clock.ts"
import type { Logger } from "../util/logger.ts"
import type { Api } from "./api.ts"
import { Login } from "./credentials.ts"
import { badRequest, HttpError, REFUSAL_STATUS } from "./errors.ts"
import { checkContentType, parseJsonObject, readBody } from "./request-body.ts"
import type { ApiRequest, Reply, Route } from "./route.ts"
import { ROUTES } from "./routes.ts"
import { findVhost, requireTag } from "./visibility.ts"

/**
 * The route table as an HTTP application: finds the route, logs in, checks tags and vhost, validates,
 * calls the handler, and turns replies and errors into responses. Knows no socket (listener.ts) and no
 * endpoint (routes.ts).
 */
export interface AppBindings {
  Bindings: {
    /** Address of the client; null for a Unix socket. */
    readonly peer?: string | null
  }
}

export type HttpApp = Hono<AppBindings>

const HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-cache",
  "Content-Type": "application/json",
  "X-Content-Type-Options": "nosniff",
}

export function createApp(
  api: Api,
  clock: Clock,
  log: Logger,
  routes: readonly Route[] = ROUTES,
): HttpApp {
  const app: HttpApp = new Hono<AppBindings>({ strict: false })
  const login = new Login(api.administration, clock)
  const methods = new Map<string, Set<string>>()
  for (const route of routes) {
    app.on(route.method, route.path, (context) => serve(api, login, log, route, context))
    const known = methods.get(route.path) ?? new Set(["OPTIONS"])
    methods.set(route.path, known.add(route.method))
    if (route.method === "GET") known.add("HEAD")
  }
  for (const [path, allowed] of methods) {
    const allow = [...allowed].toSorted().join(", ")
    app.all(path, (context) => {
      if (context.req.method === "OPTIONS") return new Response(null, { headers: { Allow: allow } })
      return errorResponse(
        new HttpError(405, "method_not_allowed", "Method Not Allowed", { Allow: allow }),
      )
    })
  }
  app.notFound(() => errorResponse(new HttpError(404, "not_found", "Object Not Found")))
  app.onError((error) => toErrorResponse(error, log))
  return app
}

async function serve(
  api: Api,
  login: Login,
  log: Logger,
  route: Route,
  context: Context<AppBindings>,
): Promise<Response> {
  const remoteAddress = peerOf(context)
  let user: User | null = null
  let status = 500
  try {
    checkSite(route, context.req.header("sec-fetch-site"))
    if (route.access !== "open") {
      user = await login.authenticate(context.req.header("authorization"), remoteAddress)
      requireTag(user, route.access)
    }
    const request = await readRequest(api, route, context, user, remoteAddress)
    const reply = await route.handle(api, request)
    status = reply.status
    return toResponse(reply)
  } catch (error) {
    const response = toErrorResponse(error, log)
    status = response.status
    return response
  } finally {
    if (route.method !== "GET" && user !== null)
      log.info(
        {
          user: user.name,
          peer: remoteAddress,
          method: route.method,
          path: context.req.path,
          status,
        },
        "management request",
      )
  }
}

/** Browsers remember the password, also for the forms of other pages; they say where a request is from. */
function checkSite(route: Route, site: string | undefined): void {
  if (route.method !== "GET" && (site === "cross-site" || site === "same-site"))
    throw new HttpError(403, "forbidden", "changes are not accepted from the pages of other sites")
}

/** Without a socket, in tests, requests come from this machine. */
function peerOf(context: Context<AppBindings>): string | null {
  // Without a socket there are no bindings either.
  const bindings: AppBindings["Bindings"] | undefined = context.env
  return bindings?.peer === undefined ? "127.0.0.1" : bindings.peer
}

/** Of routes without login: they get nobody's data. */
const NOBODY: User = {
  name: "",
  tags: [],
  permissions: new Map(),
  topicPermissions: new Map(),
  passwordHash: "",
  hashingAlgorithm: null,
  isDeleted: false,
}

async function readRequest(
  api: Api,
  route: Route,
  context: Context<AppBindings>,
  user: User | null,
  remoteAddress: string | null,
): Promise<ApiRequest> {
  const { req } = context
  const params = pathParams(route.path, new URL(req.url).pathname)
  const vhostName = params["vhost"]
  if (vhostName !== undefined && route.checksVhost && user !== null)
    findVhost(api.broker, user, vhostName)
  const query = validated("query", route.query, req.query())
  let body: unknown = {}
  if (route.body !== null || route.hasRawBody) {
    if (!route.hasRawBody) checkContentType(req.header("content-type"))
    const bytes = await readBody(req.raw, route.bodyMaxBytes)
    body = bytes
    if (!route.hasRawBody && route.body !== null)
      body = validated("body", route.body, parseJsonObject(bytes))
  }
  return {
    params,
    query,
    body,
    user: user ?? NOBODY,
    remoteAddress,
    path: new URL(req.url).pathname,
    header: (name) => req.header(name),
  }
}

/** Each segment is decoded once; `+` stays. The router has matched them already. */
function pathParams(pattern: string, path: string): Record<string, string> {
  const segments = path.split("/")
  const params: Record<string, string> = {}
  for (const [index, name] of pattern.split("/").entries())
    if (name.startsWith(":")) params[name.slice(1)] = decodeSegment(segments[index] ?? "")
  return params
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    // No UTF-8 behind the percent signs.
    throw badRequest(`the path has a segment that cannot be decoded: ${segment}`)
  }
}

/** With the loose types that RabbitMQ takes, such as "true" for true. */
function validated(part: string, schema: TSchema, value: Record<string, unknown>): unknown {
  const converted: unknown = Value.Convert(schema, value)
  if (Value.Check(schema, converted)) return converted
  const [first] = Value.Errors(schema, converted)
  const field = (first?.instancePath ?? "").slice(1)
  const reason = first?.message ?? "is not valid"
  throw badRequest(field === "" ? `${part} ${reason}` : `${part} field ${field} ${reason}`)
}

function toResponse(reply: Reply): Response {
  const headers = { ...HEADERS, ...reply.headers }
  const { status, body, text } = reply
  if (text !== undefined) return new Response(streamOf(text), { status, headers })
  if (body === undefined) {
    const { "Content-Type": _, ...others } = headers
    return new Response(null, { status, headers: others })
  }
  return new Response(JSON.stringify(body), { status, headers })
}

/** The next piece is made when the one before was taken, so a slow client holds one piece only. */
function streamOf(text: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const pieces = text[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done === true) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await pieces.return?.()
    },
  })
}

function toErrorResponse(error: unknown, log: Logger): Response {
  if (error instanceof HttpError) return errorResponse(error)
  if (error instanceof Refusal) {
    const [status, code] = REFUSAL_STATUS[error.kind]
    return errorResponse(new HttpError(status, code, error.message))
  }
  if (error instanceof AuthError) return errorResponse(badRequest(error.message))
  log.error({ err: error }, "internal error in the HTTP API")
  return errorResponse(new HttpError(500, "internal_server_error", "Internal Server Error"))
}

function errorResponse({ status, code, message, headers }: HttpError): Response {
  return new Response(JSON.stringify({ error: code, reason: message }), {
    status,
    headers: { ...HEADERS, ...headers },
  })
}
