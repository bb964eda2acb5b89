import { Type } from "./schema.ts"
import type { Static, TObject, TProperties, TSchema } from "./schema.ts"
import type { User } from "../auth/users.ts"
import type { Api } from "./api.ts"

/**
 * One line of the route table: all that router, checks and the OpenAPI document need to know of an
 * endpoint, beside its handler. The table is routes.ts.
 */
export type Method = "GET" | "PUT" | "POST" | "DELETE"

/**
 * Which tag a user needs. `management` is any of administrator, monitoring, policymaker and management;
 * `open` needs no login at all.
 */
export type AccessLevel = "open" | "management" | "monitoring" | "policymaker" | "administrator"

export interface Reply {
  readonly status: number
  /** As JSON. Absent: an empty body. */
  readonly body?: unknown
  /** Instead of `body`: the JSON text in pieces. */
  readonly text?: AsyncIterable<string>
  readonly headers?: Readonly<Record<string, string>>
}

export interface ApiRequest<Name extends string = string, Query = unknown, Body = unknown> {
  readonly params: Readonly<Record<Name, string>>
  readonly query: Query
  readonly body: Body
  readonly user: User
  /** Null for a Unix socket. */
  readonly remoteAddress: string | null
  /** The path as it came, for Location headers. */
  readonly path: string
  /** It came over TLS. */
  readonly isEncrypted: boolean
  header(name: string): string | undefined
}

export interface ResponseDoc {
  readonly doc: string
  readonly schema?: TSchema
  /** Default application/json. */
  readonly contentType?: string
}

export interface Route {
  readonly method: Method
  /** `/api/queues/:vhost/:name` */
  readonly path: string
  readonly summary: string
  /** Under what the document lists it. */
  readonly group: string
  readonly access: AccessLevel
  /** A vhost in the path must exist and be accessible to the user. Default true. */
  readonly checksVhost: boolean
  readonly query: TObject
  readonly body: TSchema | null
  readonly bodyMaxBytes: number
  /** The handler reads the body itself, from the bytes: it may be too large to be parsed at once. */
  readonly hasRawBody: boolean
  /** The success replies. */
  readonly responses: Readonly<Record<number, ResponseDoc>>
  handle(this: void, api: Api, request: ApiRequest): Reply | Promise<Reply>
}

type ParamNames<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamNames<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never

interface RouteSpec<Path extends string, Query extends TProperties, Body extends TSchema> {
  readonly method: Method
  readonly path: Path
  readonly summary: string
  readonly group: string
  /** Default management. */
  readonly access?: AccessLevel
  readonly checksVhost?: boolean
  readonly query?: TObject<Query>
  readonly body?: Body
  readonly bodyMaxBytes?: number
  readonly hasRawBody?: boolean
  readonly responses: Readonly<Record<number, ResponseDoc>>
  handle(
    this: void,
    api: Api,
    request: ApiRequest<ParamNames<Path>, Static<TObject<Query>>, Static<Body>>,
  ): Reply | Promise<Reply>
}

const NO_QUERY: TObject = Type.Object({})
const BODY_MAX_BYTES = 1 << 20

export function route<
  const Path extends string,
  Query extends TProperties = TProperties,
  Body extends TSchema = TSchema,
>(spec: RouteSpec<Path, Query, Body>): Route {
  return {
    method: spec.method,
    path: spec.path,
    summary: spec.summary,
    group: spec.group,
    access: spec.access ?? "management",
    checksVhost: spec.checksVhost ?? true,
    query: spec.query ?? NO_QUERY,
    body: spec.body ?? null,
    bodyMaxBytes: spec.bodyMaxBytes ?? BODY_MAX_BYTES,
    hasRawBody: spec.hasRawBody ?? false,
    responses: spec.responses,
    // Method syntax: the table holds requests of every shape, the app validates before it calls.
    handle: spec.handle,
  }
}

export const CREATED: Reply = { status: 201 }
export const NO_CONTENT: Reply = { status: 204 }

/** 201 for what is new, 204 for what was there. */
export function created(isNew: boolean): Reply {
  return isNew ? CREATED : NO_CONTENT
}

export function ok(body: unknown): Reply {
  return { status: 200, body }
}

/** The success replies of most changes. */
export const CREATED_OR_UPDATED: Readonly<Record<number, ResponseDoc>> = {
  201: { doc: "Created" },
  204: { doc: "It was there; updated where that applies" },
}
export const DONE: Readonly<Record<number, ResponseDoc>> = { 204: { doc: "Done" } }
