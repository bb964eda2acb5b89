import { DESTINATION_QUEUE } from "../broker/exchange/destination.ts"
import { isPredeclaredExchange } from "../broker/exchange/predeclared.ts"
import { GLOBAL_COMPONENT } from "../broker/parameters.ts"
import { formatPolicy } from "../broker/policy/policy-list.ts"
import type { Vhost } from "../broker/vhost.ts"
import { Type } from "./schema.ts"
import type { Api } from "./api.ts"
import { importDefinitions } from "./definitions-import.ts"
import { DEFINITIONS } from "./definitions-schema.ts"
import { badRequest, HttpError } from "./errors.ts"
import { tableToJson } from "./json-tables.ts"
import { DONE, NO_CONTENT, route } from "./route.ts"
import type { ApiRequest, Reply, Route } from "./route.ts"
import { Slices } from "./slices.ts"
import { clusterName } from "./system.ts"
import { describeUser } from "./users.ts"
import { bindingsFrom } from "./vhost-items.ts"
import { vhostMetadata } from "./vhosts.ts"
import { findVhost } from "./visibility.ts"

/**
 * Definitions: everything that is declared, as a file that RabbitMQ, LavinMQ and Sluice can read. Not
 * what belongs to a connection (exclusive queues), nor messages.
 */
const COMPATIBLE_VERSION = "4.1.0"
const IMPORT_BYTES_MAX = 128 << 20
/** A form is taken apart at once, JSON in slices. */
const FORM_BYTES_MAX = 8 << 20
const PIECE_SIZE = 32 << 10

type Rows = Iterable<object>

function* exchangeRows(vhosts: readonly Vhost[]): Generator<Record<string, unknown>> {
  for (const vhost of vhosts)
    for (const exchange of vhost.exchanges.values())
      if (!isPredeclaredExchange(exchange.name))
        yield {
          name: exchange.name,
          vhost: vhost.name,
          type: exchange.type,
          durable: exchange.durable,
          auto_delete: exchange.autoDelete,
          internal: exchange.internal,
          arguments: tableToJson(exchange.arguments),
        }
}

function* queueRows(vhosts: readonly Vhost[]): Generator<Record<string, unknown>> {
  for (const vhost of vhosts)
    for (const queue of vhost.queues.values())
      if (!queue.exclusive)
        yield {
          name: queue.name,
          vhost: vhost.name,
          durable: queue.durable,
          auto_delete: queue.autoDelete,
          arguments: tableToJson(queue.arguments),
        }
}

function* bindingRows(vhosts: readonly Vhost[]): Generator<Record<string, unknown>> {
  for (const vhost of vhosts)
    for (const exchange of vhost.exchanges.values())
      for (const { destination, routingKey, arguments: args } of bindingsFrom(exchange)) {
        const isQueue = destination.kind === DESTINATION_QUEUE
        if (isQueue && vhost.queues.get(destination.name)?.exclusive === true) continue
        yield {
          source: exchange.name,
          vhost: vhost.name,
          destination: destination.name,
          destination_type: isQueue ? "queue" : "exchange",
          routing_key: routingKey,
          arguments: tableToJson(args),
        }
      }
}

function* policyRows(vhosts: readonly Vhost[]): Generator<Record<string, unknown>> {
  for (const vhost of vhosts)
    for (const policy of vhost.policies.list()) yield formatPolicy(policy, vhost.name)
}

/** With the operator policies and limits, which RabbitMQ keeps as parameters. */
function* parameterRows(vhosts: readonly Vhost[]): Generator<Record<string, unknown>> {
  for (const vhost of vhosts) {
    for (const { component, name, value } of vhost.parameters.list())
      yield { component, name, vhost: vhost.name, value }
    for (const policy of vhost.operatorPolicies.list()) {
      const { name, pattern, definition, priority, ...rest } = formatPolicy(policy, vhost.name)
      yield {
        component: "operator_policy",
        name,
        vhost: vhost.name,
        value: { pattern, definition, priority, "apply-to": rest["apply-to"] },
      }
    }
    const limits = vhost.limits.toJSON()
    if (Object.keys(limits).length > 0)
      yield { component: "vhost-limits", name: "limits", vhost: vhost.name, value: limits }
  }
}

function vhostSections(vhosts: readonly Vhost[]): [string, Rows][] {
  return [
    ["parameters", parameterRows(vhosts)],
    ["policies", policyRows(vhosts)],
    ["exchanges", exchangeRows(vhosts)],
    ["queues", queueRows(vhosts)],
    ["bindings", bindingRows(vhosts)],
  ]
}

function brokerSections(api: Api): [string, Rows][] {
  const { administration, broker } = api
  return [
    ["users", administration.listUsers().map(describeUser)],
    [
      "vhosts",
      administration.listVhosts().map((vhost) => ({
        name: vhost.name,
        description: vhost.description,
        tags: vhost.tags,
        metadata: vhostMetadata(vhost),
      })),
    ],
    ["permissions", administration.listPermissions()],
    ["topic_permissions", administration.listTopicPermissions()],
    [
      "global_parameters",
      broker.globalParameters.list(GLOBAL_COMPONENT).map(({ name, value }) => ({ name, value })),
    ],
    ...vhostSections([...broker.vhosts.values()]),
  ]
}

async function* text(
  api: Api,
  head: Readonly<Record<string, unknown>>,
  sections: readonly (readonly [string, Rows])[],
): AsyncGenerator<string> {
  const slices = new Slices(api.broker.clock)
  let piece = JSON.stringify(head).slice(0, -1)
  for (const [name, rows] of sections) {
    piece += `,\n"${name}":[`
    let isFirst = true
    for (const row of rows) {
      if (slices.isOver()) await slices.next()
      piece += isFirst ? JSON.stringify(row) : `,${JSON.stringify(row)}`
      isFirst = false
      if (piece.length < PIECE_SIZE) continue
      yield piece
      piece = ""
    }
    piece += "]"
  }
  yield `${piece}}\n`
}

function versions(api: Api, format: "cluster" | "single_virtual_host"): Record<string, unknown> {
  return {
    rabbit_version: COMPATIBLE_VERSION,
    rabbitmq_version: COMPATIBLE_VERSION,
    product_name: "Sluice",
    product_version: api.node.version,
    sluice_version: api.node.version,
    rabbitmq_definition_format: format,
  }
}

const DOWNLOAD = Type.Object({
  download: Type.Optional(Type.String({ description: "Name of the file for a browser to save" })),
})

function reply(body: AsyncIterable<string>, download: string | undefined): Reply {
  if (download === undefined) return { status: 200, text: body }
  const name = download.replaceAll(/[^\w.-]/g, "_")
  const headers = { "Content-Disposition": `attachment; filename=${name}` }
  return { status: 200, text: body, headers }
}

/** The file: the body itself, or the form field `file`. */
async function fileOf(request: ApiRequest): Promise<Buffer> {
  const { body } = request
  if (!Buffer.isBuffer(body)) throw badRequest("Request body required")
  const contentType = request.header("content-type") ?? ""
  if (!contentType.toLowerCase().startsWith("multipart/form-data")) return body
  if (body.length > FORM_BYTES_MAX)
    throw new HttpError(413, "payload_too_large", "the form is too large: send the file as JSON")
  const headers = { "Content-Type": contentType }
  let file: unknown
  try {
    const form = await new Response(new Uint8Array(body), { headers }).formData()
    file = form.get("file")
  } catch {
    throw badRequest("the form cannot be read") // Whatever is wrong with it, the client has made it.
  }
  if (typeof file === "string") return Buffer.from(file)
  if (!(file instanceof Blob)) throw badRequest("the form has no field 'file'")
  return Buffer.from(await file.arrayBuffer())
}

const administrator = { access: "administrator" } as const
const importing = {
  ...administrator,
  method: "POST",
  group: "Definitions",
  hasRawBody: true,
  bodyMaxBytes: IMPORT_BYTES_MAX,
  responses: DONE,
} as const

export const DEFINITION_ROUTES: readonly Route[] = [
  route({
    ...administrator,
    method: "GET",
    path: "/api/definitions",
    group: "Definitions",
    summary: "Everything that is declared",
    query: DOWNLOAD,
    responses: { 200: { doc: "The definitions", schema: DEFINITIONS } },
    handle(api, { query }) {
      const head = { ...versions(api, "cluster"), original_cluster_name: clusterName(api) }
      return reply(text(api, head, brokerSections(api)), query.download)
    },
  }),
  ...["/api/definitions", "/api/definitions/upload"].map((path) =>
    route({
      ...importing,
      path,
      summary: "Imports definitions, as JSON or as the form field `file`",
      async handle(api, request) {
        await importDefinitions(api, await fileOf(request))
        return NO_CONTENT
      },
    }),
  ),
  route({
    ...administrator,
    method: "GET",
    path: "/api/definitions/:vhost",
    group: "Definitions",
    summary: "Everything that is declared in a vhost",
    query: DOWNLOAD,
    responses: { 200: { doc: "The definitions", schema: DEFINITIONS } },
    handle(api, { user, params, query }) {
      const vhost = findVhost(api.broker, user, params.vhost)
      const head = {
        ...versions(api, "single_virtual_host"),
        original_vhost_name: vhost.name,
        metadata: vhostMetadata(api.administration.getVhost(vhost.name)),
      }
      return reply(text(api, head, vhostSections([vhost])), query.download)
    },
  }),
  ...(["/api/definitions/:vhost", "/api/definitions/:vhost/upload"] as const).map((path) =>
    route({
      ...importing,
      path,
      summary: "Imports definitions into a vhost, whatever vhost their entries name",
      async handle(api, request) {
        const vhost = findVhost(api.broker, request.user, request.params.vhost)
        await importDefinitions(api, await fileOf(request), { onlyVhost: vhost })
        return NO_CONTENT
      },
    }),
  ),
]
