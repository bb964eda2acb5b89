/** Commands about connections, channels and consumers. */
import type { CommandSpec } from "../command.ts"
import { CliError, EXIT } from "../exit-codes.ts"
import { listCommand } from "../list.ts"
import { segment } from "../session.ts"
import type { Session } from "../session.ts"
import { fieldsOf } from "../text.ts"

const REASON = {
  name: "reason",
  doc: "What the client is told (default: Closed via sluicectl)",
  isOptional: true,
}
const DEFAULT_REASON = "Closed via sluicectl"

/** As a header: other characters cannot stand there. */
function reasonHeader(session: Session): Record<string, string> {
  const reason = session.values.optional("reason") ?? DEFAULT_REASON
  return { "X-Reason": reason.replaceAll(/[^\x20-\x7e]/g, "?") }
}

async function closeConnection(session: Session): Promise<void> {
  await session.say(`Closing connection {name} ...`)
  const { status } = await session.api.request("DELETE", session.path("/api/connections/{name}"), {
    headers: reasonHeader(session),
    accepts: [404],
  })
  if (status === 404)
    throw new CliError(EXIT.data, session.sentence("there is no connection '{name}'"))
}

const LIMIT_OPTIONS = [
  { flags: "--limit <count>", min: 1, doc: "Close no more than so many" },
  {
    flags: "--per-connection-delay <ms>",
    min: 0,
    doc: "Wait so many milliseconds after each, so that clients do not come back all at once",
  },
  { flags: "--global", doc: "Accepted: without --vhost those of every virtual host are closed" },
]

/** In the order of the list. One that goes by itself meanwhile is not closed, and no error. */
async function closeAll(session: Session, path: string): Promise<void> {
  const limit = session.values.number("--limit") ?? Infinity
  const delayMs = session.values.number("--per-connection-delay") ?? 0
  const names: string[] = []
  for await (const items of session.api.pages(path))
    for (const item of items) names.push(String(fieldsOf(item)["name"]))
  const headers = reasonHeader(session)
  await session.say("Closing connections ...")
  await session.output.list(["closed_connections"], closing())

  async function* closing(): AsyncGenerator<string[][]> {
    for (const name of names.slice(0, limit)) {
      const { status } = await session.api.request("DELETE", `/api/connections/${segment(name)}`, {
        headers,
        accepts: [404],
      })
      if (status !== 404) yield [[name]]
      if (delayMs > 0) await session.sleep(delayMs)
    }
  }
}

function allOf(session: Session): string {
  const hasVhost = session.globals.optional("vhost") !== undefined
  return hasVhost
    ? session.path("/api/vhosts/{vhost}/connections?columns=name")
    : "/api/connections?columns=name"
}

const CONNECTION_COLUMNS = [
  "pid",
  "name",
  "user",
  "vhost",
  "state",
  "host",
  "port",
  "peer_host",
  "peer_port",
  "ssl",
  "protocol",
  "auth_mechanism",
  "channels",
  "channel_max",
  "frame_max",
  "timeout",
  "client_properties",
  "user_provided_name",
  "connected_at",
  "recv_oct",
  "send_oct",
  "send_pend",
  "recv_cnt",
  "send_cnt",
  "node",
  "type",
  "ssl_protocol",
  "ssl_cipher",
]

const CHANNEL_COLUMNS = [
  "name",
  "number",
  "user",
  "vhost",
  "state",
  "transactional",
  "confirm",
  "consumer_count",
  "messages_unacknowledged",
  "messages_unconfirmed",
  "prefetch_count",
  "global_prefetch_count",
  "node",
  "message_stats",
]

export const CONNECTION_COMMANDS: readonly CommandSpec[] = [
  listCommand({
    name: "list_connections",
    group: "Connections",
    summary: "Lists connections; those of one virtual host with --vhost",
    usesVhost: true,
    list: {
      path: "/api/connections",
      vhostPath: "/api/vhosts/{vhost}/connections",
      heading: "connections",
      columns: CONNECTION_COLUMNS.map((name) => ({ name })),
      defaults: ["user", "peer_host", "peer_port", "state"],
    },
  }),
  listCommand({
    name: "list_channels",
    group: "Connections",
    summary: "Lists channels; those of one virtual host with --vhost",
    usesVhost: true,
    list: {
      path: "/api/channels",
      vhostPath: "/api/vhosts/{vhost}/channels",
      heading: "channels",
      columns: [
        ...CHANNEL_COLUMNS.map((name) => ({ name })),
        { name: "pid", field: "name", doc: "The name: channels are no processes" },
        { name: "connection", field: "connection_details.name" },
      ],
      defaults: ["pid", "user", "consumer_count", "messages_unacknowledged"],
    },
  }),
  listCommand({
    name: "list_consumers",
    group: "Connections",
    summary: "Lists the consumers of a virtual host",
    usesVhost: true,
    list: {
      path: "/api/consumers/{vhost}",
      heading: "consumers in vhost {vhost}",
      columns: [
        { name: "queue_name", field: "queue.name" },
        { name: "channel_pid", field: "channel_details.name" },
        { name: "consumer_tag" },
        { name: "ack_required" },
        { name: "prefetch_count" },
        { name: "active" },
        { name: "activity_status" },
        { name: "exclusive" },
        { name: "priority" },
        { name: "unacked" },
        { name: "arguments" },
      ],
      defaults: [
        "queue_name",
        "channel_pid",
        "consumer_tag",
        "ack_required",
        "prefetch_count",
        "active",
        "arguments",
      ],
    },
  }),
  {
    name: "close_connection",
    group: "Connections",
    summary: "Closes a connection",
    arguments: [{ name: "name", doc: "Its name, as list_connections name shows it" }, REASON],
    calls: ["DELETE /api/connections/{name}"],
    run: closeConnection,
  },
  {
    name: "close_all_connections",
    group: "Connections",
    summary: "Closes all connections; those of one virtual host with --vhost",
    arguments: [REASON],
    options: LIMIT_OPTIONS,
    usesVhost: true,
    calls: ["GET /api/connections", "DELETE /api/connections/<name>"],
    run: (session) => closeAll(session, allOf(session)),
  },
  {
    name: "close_all_user_connections",
    group: "Connections",
    summary: "Closes all connections of a user",
    arguments: [{ name: "user", doc: "Name of the user" }, REASON],
    options: LIMIT_OPTIONS.slice(0, 2),
    calls: ["GET /api/connections/username/{user}", "DELETE /api/connections/<name>"],
    run: (session) =>
      closeAll(session, session.path("/api/connections/username/{user}?columns=name")),
  },
]
