import { Type } from "./schema.ts"
import type { TSchema } from "./schema.ts"
import { VERSION } from "../config/version.ts"
import type { Route } from "./route.ts"

/** The OpenAPI 3.1 document of a route table. A TypeBox schema is a JSON Schema, so it goes in as it is. */

const ERROR: TSchema = Type.Object({
  error: Type.String(),
  reason: Type.String(),
})

const ERRORS: Readonly<Record<number, string>> = {
  400: "The input cannot be accepted",
  401: "Not logged in, or without the tag or permission",
  404: "There is no such object, or the user cannot see its vhost",
}

export const ACCESS_DOC: Readonly<Record<Route["access"], string>> = {
  open: "Needs no login.",
  management: "For every user with a management tag.",
  monitoring: "For the tags monitoring and administrator.",
  policymaker: "For the tags policymaker and administrator.",
  administrator: "For the tag administrator.",
}

type Json = Record<string, unknown>

export function openApiDocument(routes: readonly Route[]): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = openApiPath(route.path)
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Sluice management API",
      version: VERSION,
      description: "Compatible with RabbitMQ's management API.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: {
      securitySchemes: { basic: { type: "http", scheme: "basic" } },
      schemas: { Error: ERROR },
    },
  }
}

/** `/api/queues/{vhost}/{name}` */
export function openApiPath(path: string): string {
  return path.replaceAll(/:(\w+)/g, "{$1}")
}

function operation(route: Route): Json {
  const responses: Record<string, Json> = {}
  for (const [status, { doc, schema, contentType }] of Object.entries(route.responses))
    responses[status] = { description: doc, ...content(schema, contentType) }
  for (const [status, description] of Object.entries(ERRORS))
    responses[status] ??= { description, ...content(reference("Error")) }
  const body = route.hasRawBody ? Type.Record(Type.String(), Type.Unknown()) : route.body
  return {
    operationId: operationId(route),
    tags: [route.group],
    summary: route.summary,
    description: ACCESS_DOC[route.access],
    security: route.access === "open" ? [] : [{ basic: [] }],
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(body === null ? {} : { requestBody: { required: false, ...content(body) } }),
    responses,
  }
}

function content(schema: TSchema | Json | undefined, type = "application/json"): Json {
  return schema === undefined ? {} : { content: { [type]: { schema } } }
}

function reference(name: string): Json {
  return { $ref: `#/components/schemas/${name}` }
}

function operationId({ method, path }: Route): string {
  const words = path.replace("/api/", "").split(/[/:\-.]+/)
  return (
    method.toLowerCase() +
    words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join("")
  )
}

function pathParameters({ path }: Route): Json[] {
  return Array.from(path.matchAll(/:(\w+)/g), ([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }))
}

function queryParameters({ query }: Route): Json[] {
  return Object.entries(query.properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: false,
    schema,
  }))
}
