/** Commands about exchanges and bindings. */
import type { CommandSpec } from "../command.ts"
import { parseObject } from "../json.ts"
import { listCommand } from "../list.ts"
import type { Session } from "../session.ts"

const NAME = { name: "name", doc: "Name of the exchange" }

function declarationOf({ values }: Session): Record<string, unknown> {
  const args: Record<string, unknown> = {}
  const alternate = values.optional("--alternate-exchange")
  if (alternate !== undefined) args["alternate-exchange"] = alternate
  const type = values.text("type")
  const isDelayed = values.isOn("--delayed")
  if (isDelayed) args["x-delayed-type"] = type
  const more = values.optional("--arguments")
  if (more !== undefined) Object.assign(args, parseObject(more, "the arguments"))
  return {
    type: isDelayed ? "x-delayed-message" : type,
    durable: values.isOn("--durable"),
    auto_delete: values.isOn("--auto-delete"),
    internal: values.isOn("--internal"),
    arguments: args,
  }
}

const SOURCE_AND_DESTINATION = [
  { name: "source", doc: "Name of the exchange that messages come from" },
  { name: "destination", doc: "Name of the queue, or exchange" },
  { name: "routing-key", doc: "The routing key (default: empty)", isOptional: true },
]

const BINDING_OPTIONS = [
  { flags: "--to-exchange", doc: "The destination is an exchange" },
  { flags: "--arguments <json>", doc: `Arguments, as {"x-match":"all"}` },
]

function bindingPath(session: Session): string {
  const kind = session.values.isOn("--to-exchange") ? "e" : "q"
  return session.path(`/api/bindings/{vhost}/e/{source}/${kind}/{destination}`)
}

async function bind(session: Session): Promise<void> {
  const more = session.values.optional("--arguments")
  const body = {
    routing_key: session.values.optional("routing-key") ?? "",
    arguments: more === undefined ? {} : parseObject(more, "the arguments"),
  }
  await session.say(`Binding "{destination}" to exchange "{source}" in vhost "{vhost}" ...`)
  await session.api.request("POST", bindingPath(session), { body })
}

async function unbind(session: Session): Promise<void> {
  const key = session.values.optional("properties-key") ?? "~"
  await session.say(`Unbinding "{destination}" from exchange "{source}" in vhost "{vhost}" ...`)
  await session.api.request("DELETE", `${bindingPath(session)}/${encodeURIComponent(key)}`)
}

const EXCHANGE_COLUMNS = [
  "name",
  "vhost",
  "type",
  "durable",
  "auto_delete",
  "internal",
  "arguments",
  "policy",
  "operator_policy",
  "effective_policy_definition",
  "message_stats",
]

export const EXCHANGE_COMMANDS: readonly CommandSpec[] = [
  listCommand({
    name: "list_exchanges",
    group: "Exchanges and bindings",
    summary: "Lists the exchanges of a virtual host",
    usesVhost: true,
    list: {
      path: "/api/exchanges/{vhost}",
      heading: "exchanges for vhost {vhost}",
      columns: EXCHANGE_COLUMNS.map((name) => ({ name })),
      defaults: ["name", "type"],
    },
  }),
  {
    name: "create_exchange",
    aliases: ["declare_exchange"],
    group: "Exchanges and bindings",
    summary: "Declares an exchange",
    arguments: [
      { name: "type", doc: "As direct, fanout, topic, headers, x-consistent-hash" },
      NAME,
    ],
    options: [
      { flags: "--auto-delete", doc: "Delete the exchange when its last binding goes" },
      { flags: "--durable", doc: "The exchange survives a restart" },
      { flags: "--internal", doc: "Clients cannot publish to it" },
      { flags: "--delayed", doc: "It holds messages back for the time in their header x-delay" },
      { flags: "--alternate-exchange <name>", doc: "Where messages go that have no destination" },
      { flags: "--arguments <json>", doc: "More arguments" },
    ],
    usesVhost: true,
    change: {
      method: "PUT",
      path: "/api/exchanges/{vhost}/{name}",
      body: declarationOf,
      saying: `Creating exchange "{name}" in vhost "{vhost}" ...`,
    },
  },
  {
    name: "delete_exchange",
    group: "Exchanges and bindings",
    summary: "Deletes an exchange with its bindings",
    arguments: [NAME],
    usesVhost: true,
    change: {
      method: "DELETE",
      path: "/api/exchanges/{vhost}/{name}",
      saying: `Deleting exchange "{name}" in vhost "{vhost}" ...`,
    },
  },
  listCommand({
    name: "list_bindings",
    group: "Exchanges and bindings",
    summary: "Lists the bindings of a virtual host",
    usesVhost: true,
    list: {
      path: "/api/bindings/{vhost}",
      heading: "bindings for vhost {vhost}",
      columns: [
        { name: "source_name", field: "source" },
        { name: "destination_name", field: "destination" },
        { name: "destination_kind", field: "destination_type" },
        { name: "routing_key" },
        { name: "arguments" },
        { name: "vhost" },
        { name: "properties_key", doc: "Names the binding to delete_binding" },
      ],
      defaults: ["source_name", "destination_name", "destination_kind", "routing_key", "arguments"],
    },
  }),
  {
    name: "create_binding",
    aliases: ["declare_binding"],
    group: "Exchanges and bindings",
    summary: "Binds a queue or exchange to an exchange",
    arguments: SOURCE_AND_DESTINATION,
    options: BINDING_OPTIONS,
    usesVhost: true,
    calls: ["POST /api/bindings/{vhost}/e/{source}/q/{destination}"],
    run: bind,
  },
  {
    name: "delete_binding",
    group: "Exchanges and bindings",
    summary: "Removes a binding",
    arguments: [
      ...SOURCE_AND_DESTINATION.slice(0, 2),
      {
        name: "properties-key",
        doc: "As list_bindings shows it: the routing key, escaped, or ~ if it is empty",
        isOptional: true,
      },
    ],
    options: BINDING_OPTIONS.slice(0, 1),
    usesVhost: true,
    calls: ["DELETE /api/bindings/{vhost}/e/{source}/q/{destination}/<properties key>"],
    run: unbind,
  },
]
