import { Hono } from "hono"
import type { Context, HonoRequest } from "hono"
import type { TObject, TSchema } from "./schema.ts"
import { fit, SchemaMismatch } from "./schema.ts"
import { DIRECT_USER } from "../auth/direct-user.ts"
import { AuthError } from "../auth/errors.ts"
import type { User } from "../auth/users.ts"
import { Refusal } from "../broker/errors.ts"
import type { Logger } from "../util/logger.ts"
import type { Api } from "./api.ts"
import { auditRequest } from "./audit.ts"
import { authenticate } from "./credentials.ts"
import { DOCS_HEADERS, docsFiles } from "./docs-page.ts"
import type { StaticFile } from "./docs-page.ts"
import { badRequest, HttpError, notFound, readingError, REFUSAL_STATUS } from "./errors.ts"
import { checkContentType, parseJsonObject, readBody } from "./request-body.ts"
import type { ApiRequest, Reply, Route } from "./route.ts"
import { sessionToken } from "./sessions.ts"
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
    /** It came over the control socket, whose file only the broker's own user can open. */
    readonly isControl?: boolean
  }
}

export type HttpApp = Hono<AppBindings>

const HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Content-Type": "application/json",
  "X-Content-Type-Options": "nosniff",
}

export function createApp(api: Api, log: Logger, routes: readonly Route[] = ROUTES): HttpApp {
  const app: HttpApp = new Hono<AppBindings>({ strict: false })
  const methods = new Map<string, Set<string>>()
  for (const route of routes) {
    app.on(route.method, route.path, (context) => serve(api, log, route, context))
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
  addDocs(app, routes, api.node.version)
  app.notFound(() => errorResponse(notFound()))
  app.onError((error) => toErrorResponse(error, log))
  return app
}

/** Made when somebody asks, and then kept. */
function addDocs(app: HttpApp, routes: readonly Route[], version: string): void {
  let files: ReadonlyMap<string, StaticFile> | null = null
  app.get("/docs/:file?", (context) => {
    files ??= docsFiles(routes, version)
    const file = files.get(context.req.param("file") ?? "")
    if (file === undefined) return context.notFound()
    // The page names its files relative to it.
    if (new URL(context.req.url).pathname === "/docs") return context.redirect("/docs/", 301)
    return new Response(file.text, {
      headers: { ...DOCS_HEADERS, "Content-Type": file.contentType },
    })
  })
}

async function serve(
  api: Api,
  log: Logger,
  route: Route,
  context: Context<AppBindings>,
): Promise<Response> {
  const remoteAddress = peerOf(context)
  let user: User | null = null
  let status = 500
  let request: ApiRequest | null = null
  let refusal: string | null = null
  try {
    checkSite(route, context.req.header("sec-fetch-site"))
    if (route.access !== "open") {
      user = controlUser(context) ?? sessionUser(api, context)
      user ??= await authenticate(api.broker.logins, context.req.header("authorization"), {
        address: remoteAddress,
        host: context.req.header("host"),
      })
      requireTag(user, route.access)
    }
    request = await readRequest(api, route, context, user, remoteAddress)
    const reply = await route.handle(api, request)
    status = reply.status
    return toResponse(reply)
  } catch (error) {
    const response = toErrorResponse(route.method === "GET" ? readingError(error) : error, log)
    status = response.status
    refusal = error instanceof Error ? error.message : "internal error"
    if (isScript(context)) response.headers.delete("WWW-Authenticate")
    return response
  } finally {
    if (user !== null)
      auditRequest(api.audit, log, {
        route,
        path: context.req.path,
        userName: user.name,
        peer: shownPeer(context, remoteAddress),
        request,
        status,
        error: refusal,
      })
  }
}

/** A password that is given goes before the right to use the control socket, to find out whether it is right. */
function controlUser({ req, env }: Context<AppBindings>): User | null {
  // Without a socket there are no bindings.
  const bindings: AppBindings["Bindings"] | undefined = env
  if (bindings?.isControl !== true || req.header("authorization") !== undefined) return null
  return DIRECT_USER
}

/** Null without a session that still holds; a password that is given goes before it. */
function sessionUser(api: Api, { req }: Context<AppBindings>): User | null {
  if (req.header("authorization") !== undefined) return null
  const token = sessionToken((name) => req.header(name))
  return token === null ? null : api.sessions.userOf(token)
}

/** The pages of the UI have a login form: the browser must not ask for the password by itself. */
function isScript({ req }: Context<AppBindings>): boolean {
  const mode = req.header("sec-fetch-mode") ?? "navigate"
  return mode !== "navigate" || req.header("x-requested-with") !== undefined
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

/** For the audit log. */
function shownPeer(context: Context<AppBindings>, remoteAddress: string | null): string {
  const bindings: AppBindings["Bindings"] | undefined = context.env
  if (bindings?.isControl === true) return "control socket"
  return remoteAddress ?? "local socket"
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
  const query = readQuery(route.query, req)
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
    isEncrypted: new URL(req.url).protocol === "https:",
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

/** A parameter that the schema has as an array may be repeated; of others the first counts. */
export function readQuery(schema: TObject, req: HonoRequest): unknown {
  const query: Record<string, unknown> = req.query()
  for (const [name, { type }] of Object.entries<{ readonly type?: unknown }>(schema.properties))
    if (type === "array" && query[name] !== undefined) query[name] = req.queries(name)
  return validated("query", schema, query)
}

function validated(part: string, schema: TSchema, value: Record<string, unknown>): unknown {
  try {
    return fit(schema, value)
  } catch (error) {
    if (error instanceof SchemaMismatch) throw badRequest(`${part}: ${error.message}`)
    throw error
  }
}

export function toResponse(reply: Reply): Response {
  const headers = { ...HEADERS, ...reply.headers }
  const { status, body, text } = reply
  if (text !== undefined) return new Response(streamOf(text), { status, headers })
  if (body === undefined) {
    const { "Content-Type": _, ...others } = headers
    return new Response(null, { status, headers: others })
  }
  return new Response(JSON.stringify(body), { status, headers })
}

/**
 * The next piece is made when it is asked for, so a slow client holds none that it has not begun to take,
 * and a HEAD request makes none.
 */
function streamOf(text: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const pieces = text[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await pieces.next()
        if (done === true) controller.close()
        else controller.enqueue(encoder.encode(value))
      },
      async cancel() {
        await pieces.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

export function toErrorResponse(error: unknown, log: Logger): Response {
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
