import type { Logger } from "../util/logger.ts"
import { isSecretName, REDACTED, redact, redactText } from "../util/redact.ts"
import type { Api } from "./api.ts"
import { badRequest } from "./errors.ts"
import { COUNT, OPTIONAL_TEXT, TABLE, TEXT } from "./rates-schema.ts"
import { ok, route } from "./route.ts"
import type { ApiRequest, Route } from "./route.ts"
import { Type } from "./schema.ts"
import { Slices } from "./slices.ts"

/**
 * Who changed what: a record of every administrative request, whatever became of it, and the way to
 * look them up. Where the records are kept is server/audit-log.ts.
 */
export interface AuditRecord {
  /** Milliseconds since 1970; one more than the record before if that had the same. */
  readonly id: number
  /** ISO 8601. */
  readonly time: string
  readonly user: string
  /** An address, or what it is instead: `local socket`, `control socket`, `signal`. */
  readonly peer: string
  /** `PUT /api/queues/:vhost/:name`, or `reload`. */
  readonly action: string
  readonly vhost?: string
  /** What was changed. */
  readonly object?: string
  /** What was asked for, without secrets. */
  readonly changes?: Readonly<Record<string, unknown>>
  /** The HTTP status. */
  readonly status: number
  /** Why it was refused. */
  readonly error?: string
}

export interface AuditTrail {
  /** Never throws: a change is not undone because it cannot be recorded. */
  record(entry: Omit<AuditRecord, "id" | "time">): void
  /** JSON texts, the newest first. Reads files piece by piece as it is walked. */
  newestFirst(): Iterable<string>
}

/** They change nothing that belongs to an operator. */
const NO_CHANGES: ReadonlySet<string> = new Set([
  "/api/exchanges/:vhost/:name/publish",
  "/api/queues/:vhost/:name/stream",
  "/api/auth/hash_password",
  "/api/auth/check",
])

export interface AuditedRequest {
  readonly route: Route
  readonly path: string
  readonly userName: string
  readonly peer: string
  /** Null if it was refused before it was read. */
  readonly request: ApiRequest | null
  readonly status: number
  readonly error: string | null
}

/** Records the request and writes a line to the log, unless it could change nothing. */
export function auditRequest(trail: AuditTrail, log: Logger, audited: AuditedRequest): void {
  const { route: asked, path, userName, peer, request, status, error } = audited
  if (asked.method === "GET" || NO_CHANGES.has(asked.path)) return
  const { vhost, object } = subjectOf(asked.path, path)
  const changes = changesOf(request)
  const entry = {
    user: userName,
    peer,
    action: `${asked.method} ${asked.path}`,
    ...(vhost === undefined ? {} : { vhost }),
    ...(object === "" ? {} : { object: cut(redactText(object)) }),
    ...(changes === null ? {} : { changes }),
    status,
    ...(error === null ? {} : { error: cut(redactText(error)) }),
  }
  trail.record(entry)
  log.info(entry, "management request")
}

/** From the path as it came: the request may have been refused before it was read. */
function subjectOf(pattern: string, path: string): { vhost: string | undefined; object: string } {
  const segments = path.split("/")
  const names: string[] = []
  let vhost: string | undefined
  for (const [index, name] of pattern.split("/").entries()) {
    if (!name.startsWith(":")) continue
    const value = decoded(segments[index] ?? "")
    if (name === ":vhost") vhost = value
    else names.push(value)
  }
  return { vhost, object: names.join("/") }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

const TEXT_SIZE_MAX = 300
const CHANGES_SIZE_MAX = 4096

function cut(text: string): string {
  return text.length > TEXT_SIZE_MAX ? `${text.slice(0, TEXT_SIZE_MAX)}…` : text
}

/** Query and body, each field cut to a readable size. */
function changesOf(request: ApiRequest | null): Record<string, unknown> | null {
  if (request === null) return null
  const { body } = request
  if (body instanceof Uint8Array) return { bytes: body.length }
  // A field may be called __proto__.
  const fields = new Map<string, unknown>()
  for (const source of [request.query, body]) {
    if (typeof source !== "object" || source === null) continue
    for (const [name, value] of Object.entries(source))
      if (value !== undefined) fields.set(name, isSecretName(name) ? REDACTED : shown(value))
  }
  if (fields.size === 0) return null
  const changes = Object.fromEntries(fields)
  const size = JSON.stringify(changes).length
  return size > CHANGES_SIZE_MAX
    ? { fields: Object.keys(changes).slice(0, 50), bytes: size }
    : changes
}

function shown(value: unknown): unknown {
  const safe = redact(value)
  const text = typeof safe === "string" ? safe : JSON.stringify(safe)
  return text.length > TEXT_SIZE_MAX ? cut(text) : safe
}

// ---- looking them up

const PAGE_MAX = 1000

const QUERY = Type.Object({
  user: Type.Optional(Type.String({ description: "Only what this user did" })),
  object: Type.Optional(
    Type.String({ description: "Only what has this text in its action, vhost or object" }),
  ),
  since: Type.Optional(
    Type.String({ description: "Only from this time on: ISO 8601, or milliseconds since 1970" }),
  ),
  before: Type.Optional(
    Type.Integer({ minimum: 0, description: "Only records with a lower id: the `next` of a page" }),
  ),
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX, default: 100 })),
})

const RECORD = Type.Object({
  id: COUNT,
  time: TEXT,
  user: TEXT,
  peer: TEXT,
  action: TEXT,
  vhost: Type.Optional(TEXT),
  object: Type.Optional(TEXT),
  changes: Type.Optional(TABLE),
  status: COUNT,
  error: Type.Optional(OPTIONAL_TEXT),
})

interface Filter {
  readonly user: string | undefined
  readonly object: string | undefined
  readonly sinceMs: number
  readonly before: number
}

function parseTime(text: string | undefined): number {
  if (text === undefined || text === "") return 0
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isNaN(ms)) throw badRequest(`since is no time: ${text}`)
  return ms
}

/** Null for what is no record, such as the rest of a torn write. */
function parseRecord(text: string): AuditRecord | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== "object" || value === null) return null
    const isRecord = "id" in value && typeof value.id === "number" && "time" in value
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This process writes the file.
    return isRecord ? (value as AuditRecord) : null
  } catch {
    return null
  }
}

function matches(record: AuditRecord, { user, object }: Filter): boolean {
  if (user !== undefined && record.user !== user) return false
  if (object === undefined) return true
  const where = `${record.action} ${record.vhost ?? ""}/${record.object ?? ""}`
  return where.includes(object)
}

async function search(
  api: Api,
  filter: Filter,
  count: number,
): Promise<{ items: AuditRecord[]; next: number | null }> {
  const items: AuditRecord[] = []
  const slices = new Slices(api.broker.clock)
  let lastId = filter.before
  for (const text of api.audit.newestFirst()) {
    if (slices.isOver()) await slices.next()
    const record = parseRecord(text)
    // Files may be rotated while they are read: what was seen does not come again.
    if (record === null || record.id >= lastId) continue
    if (record.id < filter.sinceMs) break
    lastId = record.id
    if (!matches(record, filter)) continue
    items.push(record)
    if (items.length === count) return { items, next: record.id }
  }
  return { items, next: null }
}

export const AUDIT_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/api/audit",
    group: "Broker",
    summary: "Administrative changes: who, from where, what, with which result; the newest first",
    access: "administrator",
    query: QUERY,
    responses: {
      200: {
        doc: "Records, and the `before` of the next page",
        schema: Type.Object({
          items: Type.Array(RECORD),
          next: Type.Union([COUNT, Type.Null()]),
        }),
      },
    },
    async handle(api, { query }) {
      const { user, object, since, before = Infinity, count = 100 } = query
      const filter = { user, object, sinceMs: parseTime(since), before }
      return ok(await search(api, filter, count))
    },
  }),
]
