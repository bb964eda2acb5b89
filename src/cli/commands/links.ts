/** Commands about shovels and federation, which are kept as parameters. */
import type { CommandSpec, OptionSpec } from "../command.ts"
import { CliError, EXIT, usageError } from "../exit-codes.ts"
import { listCommand } from "../list.ts"
import type { Session } from "../session.ts"
import { fieldsOf } from "../text.ts"

const NAME = { name: "name", doc: "Name of the shovel" }
const UPSTREAM = { name: "name", doc: "Name of the upstream" }
const ACK_MODES = ["on-confirm", "on-publish", "no-ack"]

const SHOVEL_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--src-uri <uri>",
    doc: "Where messages come from, as amqp://user:password@host/vhost; required",
  },
  { flags: "--dest-uri <uri>", doc: "Where they go to; required" },
  { flags: "--src-queue <name>", doc: "The queue that they are taken from" },
  { flags: "--src-exchange <name>", doc: "Or the exchange to which a queue is bound for that" },
  { flags: "--src-exchange-key <key>", doc: "With which routing key it is bound" },
  { flags: "--dest-queue <name>", doc: "The queue that they are published to" },
  { flags: "--dest-exchange <name>", doc: "Or the exchange" },
  { flags: "--dest-exchange-key <key>", doc: "With which routing key" },
  {
    flags: "--src-prefetch-count <count>",
    min: 0,
    doc: "Messages under way at a time (default 1000)",
  },
  {
    flags: "--src-delete-after <when>",
    doc: "never, queue-length, or after how many messages the shovel ends (default never)",
  },
  {
    flags: "--ack-mode <mode>",
    choices: ACK_MODES,
    doc: "When they are settled (default on-confirm)",
  },
  { flags: "--reconnect-delay <seconds>", min: 0, doc: "Before connecting again (default 5)" },
  {
    flags: "--dest-signing-secret <secret>",
    doc: "Signs what is posted to a destination of HTTP",
  },
]

const FEDERATION_OPTIONS: readonly OptionSpec[] = [
  { flags: "--uri <uri>", doc: "The upstream, as amqp://user:password@host/vhost; required" },
  { flags: "--expires <ms>", min: 1, doc: "Delete the upstream's queue after so long without use" },
  { flags: "--message-ttl <ms>", min: 0, doc: "How long messages stay in it" },
  { flags: "--max-hops <count>", min: 1, doc: "Over how many links a message goes (default 1)" },
  { flags: "--prefetch-count <count>", min: 0, doc: "Messages under way at a time (default 1000)" },
  { flags: "--reconnect-delay <seconds>", min: 0, doc: "Before connecting again" },
  {
    flags: "--ack-mode <mode>",
    choices: ACK_MODES,
    doc: "When messages are settled (default on-confirm)",
  },
  { flags: "--consumer-tag <tag>", doc: "Tag of the link's consumer" },
  { flags: "--exchange <name>", doc: "Name of the exchange upstream, if it is another one" },
  { flags: "--queue <name>", doc: "Name of the queue upstream, if it is another one" },
]

const SHOVEL_DEFAULTS = {
  "src-prefetch-count": 1000,
  "src-delete-after": "never",
  "ack-mode": "on-confirm",
  "reconnect-delay": 5,
}

/** The options that are given, under their names; numbers where the table says so. */
function valueOf(
  { values }: Session,
  options: readonly OptionSpec[],
  required: readonly string[],
  defaults: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const value: Record<string, unknown> = { ...defaults }
  for (const { flags, min } of options) {
    const flag = flags.split(" ")[0] ?? ""
    const given = min === undefined ? values.optional(flag) : values.number(flag)
    if (given !== undefined) value[flag.slice(2)] = given
    else if (required.includes(flag)) throw usageError(`${flag} is missing`)
  }
  const after = value["src-delete-after"]
  if (typeof after === "string" && /^\d{1,15}$/.test(after))
    value["src-delete-after"] = Number(after)
  return { value }
}

const SHOVEL_VERBS = [
  ["pause", "Pausing", "Pauses a shovel, also over restarts of the broker"],
  ["resume", "Resuming", "Lets a paused shovel go on"],
  ["restart", "Restarting", "Lets a shovel connect anew"],
] as const

const SHOVEL_COLUMNS = [
  "name",
  "vhost",
  "state",
  "error",
  "message_count",
  "src_uri",
  "dest_uri",
  "forwarded",
  "confirmed",
  "returned",
  "rejected",
  "message_rate",
  "pending",
  "remaining",
  "lag",
  "reconnects",
  "next_attempt_in",
  "blocked_status",
]

const SHOVEL_COMMANDS: readonly CommandSpec[] = [
  listCommand({
    name: "list_shovels",
    aliases: ["shovel_status"],
    group: "Shovels",
    summary: "Lists the shovels of a virtual host and how they do",
    usesVhost: true,
    list: {
      path: "/api/shovels/{vhost}",
      heading: "shovels in vhost {vhost}",
      columns: SHOVEL_COLUMNS.map((name) => ({ name })),
      defaults: ["name", "vhost", "state"],
    },
  }),
  {
    name: "add_shovel",
    group: "Shovels",
    summary: "Sets up a shovel, which moves messages from one place to another",
    arguments: [NAME],
    options: SHOVEL_OPTIONS,
    usesVhost: true,
    change: {
      method: "PUT",
      path: "/api/parameters/shovel/{vhost}/{name}",
      body: (session) =>
        valueOf(session, SHOVEL_OPTIONS, ["--src-uri", "--dest-uri"], SHOVEL_DEFAULTS),
      saying: `Adding shovel "{name}" in vhost "{vhost}" ...`,
    },
  },
  {
    name: "delete_shovel",
    group: "Shovels",
    summary: "Ends a shovel and removes it",
    arguments: [NAME],
    usesVhost: true,
    change: {
      method: "DELETE",
      path: "/api/parameters/shovel/{vhost}/{name}",
      saying: `Deleting shovel "{name}" in vhost "{vhost}" ...`,
    },
  },
  ...SHOVEL_VERBS.map(([verb, saying, summary]): CommandSpec => ({
    name: `${verb}_shovel`,
    group: "Shovels",
    summary,
    arguments: [NAME],
    usesVhost: true,
    change: {
      method: "PUT",
      path: `/api/shovels/{vhost}/{name}/${verb}`,
      saying: `${saying} shovel "{name}" in vhost "{vhost}" ...`,
    },
  })),
]

const LINK_COLUMNS = [
  "id",
  "upstream",
  "vhost",
  "type",
  "resource",
  "status",
  "uri",
  "error",
  "timestamp",
  "policy",
  "forwarded",
  "confirmed",
  "returned",
  "reconnects",
  "next_attempt_in",
]

async function restartLink(session: Session): Promise<void> {
  const id = session.values.text("link-id")
  const links = await session.api.get("/api/federation-links?columns=id,vhost,node")
  const link = (Array.isArray(links) ? links : []).map(fieldsOf).find((each) => each["id"] === id)
  if (link === undefined) throw new CliError(EXIT.data, `there is no federation link "${id}"`)
  await session.say(`Restarting federation link "${id}" ...`)
  const place = [link["vhost"], id, link["node"]].map((part) => encodeURIComponent(String(part)))
  await session.api.request("DELETE", `/api/federation-links/vhost/${place.join("/")}/restart`)
}

const FEDERATION_COMMANDS: readonly CommandSpec[] = [
  listCommand({
    name: "list_federations",
    group: "Federation",
    summary: "Lists the upstreams of a virtual host",
    usesVhost: true,
    list: {
      path: "/api/parameters/federation-upstream/{vhost}",
      heading: "federation upstreams in vhost {vhost}",
      columns: ["name", "component", "vhost", "value"].map((name) => ({ name })),
      defaults: ["name", "component"],
    },
  }),
  listCommand({
    name: "federation_status",
    group: "Federation",
    summary: "Lists the links of a virtual host and how they do",
    usesVhost: true,
    list: {
      path: "/api/federation-links/{vhost}",
      heading: "federation links in vhost {vhost}",
      columns: LINK_COLUMNS.map((name) => ({ name })),
      defaults: ["id", "upstream", "type", "resource", "status", "error"],
    },
  }),
  {
    name: "restart_federation_link",
    group: "Federation",
    summary: "Lets a link connect anew",
    details: "The id of the link is what federation_status shows in the column of that name.",
    arguments: [{ name: "link-id", doc: "Of the link, as federation_status shows it" }],
    calls: [
      "GET /api/federation-links",
      "DELETE /api/federation-links/vhost/{vhost}/{id}/{node}/restart",
    ],
    run: restartLink,
  },
  {
    name: "add_federation",
    group: "Federation",
    summary: "Sets up an upstream",
    arguments: [UPSTREAM],
    options: FEDERATION_OPTIONS,
    usesVhost: true,
    change: {
      method: "PUT",
      path: "/api/parameters/federation-upstream/{vhost}/{name}",
      body: (session) => valueOf(session, FEDERATION_OPTIONS, ["--uri"]),
      saying: `Adding federation upstream "{name}" in vhost "{vhost}" ...`,
    },
  },
  {
    name: "delete_federation",
    group: "Federation",
    summary: "Removes an upstream with its links",
    arguments: [UPSTREAM],
    usesVhost: true,
    change: {
      method: "DELETE",
      path: "/api/parameters/federation-upstream/{vhost}/{name}",
      saying: `Deleting federation upstream "{name}" in vhost "{vhost}" ...`,
    },
  },
]

export const LINK_COMMANDS: readonly CommandSpec[] = [...SHOVEL_COMMANDS, ...FEDERATION_COMMANDS]
