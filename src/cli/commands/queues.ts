/** Commands about queues. */
import type { CommandSpec, OptionSpec } from "../command.ts"
import { CliError, EXIT } from "../exit-codes.ts"
import { parseObject } from "../json.ts"
import { listCommand } from "../list.ts"
import type { Session } from "../session.ts"
import { fieldsOf, valueAt } from "../text.ts"

const NAME = { name: "name", doc: "Name of the queue" }

/** Flag, argument of the queue, and how its value is read. */
const QUEUE_ARGUMENTS = [
  ["expires", "x-expires", "number", "Delete the queue after so many milliseconds without use"],
  ["max-length", "x-max-length", "number", "Keep no more than so many messages"],
  [
    "max-length-bytes",
    "x-max-length-bytes",
    "number",
    "Keep no more than so many bytes of messages",
  ],
  ["message-ttl", "x-message-ttl", "number", "Messages expire after so many milliseconds"],
  ["delivery-limit", "x-delivery-limit", "number", "Give a message up after so many deliveries"],
  ["dead-letter-exchange", "x-dead-letter-exchange", "text", "Where messages go that are given up"],
  [
    "dead-letter-routing-key",
    "x-dead-letter-routing-key",
    "text",
    "With which routing key they go",
  ],
  ["type", "x-queue-type", "text", "classic, quorum or stream"],
] as const

const CREATE_OPTIONS: readonly OptionSpec[] = [
  { flags: "--auto-delete", doc: "Delete the queue when its last consumer goes" },
  { flags: "--durable", doc: "The queue and its persistent messages survive a restart" },
  ...QUEUE_ARGUMENTS.map(([flag, , kind, doc]) => ({
    flags: `--${flag} <${kind}>`,
    doc,
    ...(kind === "number" && { min: 0 }),
  })),
  {
    flags: "--reject-on-overflow",
    doc: "Refuse messages when the queue is full, instead of dropping the oldest",
  },
  { flags: "--stream-queue", doc: "Make a stream (durable)" },
  { flags: "--arguments <json>", doc: `More arguments, as {"x-max-priority":5}` },
]

function declarationOf({ values }: Session): Record<string, unknown> {
  const isStream = values.isOn("--stream-queue")
  const args: Record<string, unknown> = {}
  for (const [flag, name, kind] of QUEUE_ARGUMENTS) {
    const value = kind === "number" ? values.number(`--${flag}`) : values.optional(`--${flag}`)
    if (value !== undefined) args[name] = value
  }
  if (values.isOn("--reject-on-overflow")) args["x-overflow"] = "reject-publish"
  if (isStream) args["x-queue-type"] = "stream"
  const more = values.optional("--arguments")
  if (more !== undefined) Object.assign(args, parseObject(more, "the arguments"))
  return {
    durable: values.isOn("--durable") || isStream,
    auto_delete: values.isOn("--auto-delete"),
    arguments: args,
  }
}

async function deleteQueue(session: Session): Promise<void> {
  const { values } = session
  const query = new URLSearchParams()
  if (values.isOn("--if-empty")) query.set("if-empty", "true")
  if (values.isOn("--if-unused")) query.set("if-unused", "true")
  await session.say(`Deleting queue "{name}" in vhost "{vhost}" ...`)
  const path = session.path("/api/queues/{vhost}/{name}")
  await session.api.request("DELETE", query.size === 0 ? path : `${path}?${query.toString()}`)
}

const DIAGNOSIS = [
  ["queue", "name"],
  ["vhost", "vhost"],
  ["type", "type"],
  ["state", "state"],
  ["messages ready", "messages_ready"],
  ["messages unacknowledged", "messages_unacknowledged"],
  ["consumers", "consumers"],
  ["single active consumer", "single_active_consumer_tag"],
  ["exclusive consumer", "exclusive_consumer_tag"],
  ["policy", "policy"],
  ["operator policy", "operator_policy"],
  ["delivery", "delivery.state"],
  ["reason", "delivery.reason"],
] as const

async function diagnose(session: Session): Promise<void> {
  const queue = await queueOf(session)
  if (session.output.isJson) {
    const { consumer_details: consumers, delivery } = queue
    const shown = DIAGNOSIS.map(([, field]) => [field, valueAt(queue, field) ?? null])
    await session.output.record({ ...Object.fromEntries(shown.slice(0, -2)), delivery, consumers })
    return
  }
  const shown: [string, unknown][] = []
  for (const [label, field] of DIAGNOSIS) {
    const value = valueAt(queue, field)
    if (value !== null && value !== undefined && value !== "") shown.push([label, value])
  }
  const consumers = Array.isArray(queue["consumer_details"]) ? queue["consumer_details"] : []
  for (const item of consumers.slice(0, CONSUMERS_SHOWN)) {
    const consumer = fieldsOf(item)
    shown.push([
      `consumer ${String(consumer["consumer_tag"])}`,
      `${consumer["active"] === true ? "active" : "waiting"}, prefetch ${String(consumer["prefetch_count"])}, ` +
        `unacknowledged ${String(consumer["unacked"])}, of ${String(valueAt(consumer, "channel_details.connection_name"))}`,
    ])
  }
  if (consumers.length > CONSUMERS_SHOWN)
    shown.push(["more consumers", consumers.length - CONSUMERS_SHOWN])
  await session.output.record(Object.fromEntries(shown))
}

const CONSUMERS_SHOWN = 50
const DEAD_STATES: ReadonlySet<string> = new Set(["closed", "stopped", "crashed", "down", "error"])

async function queueOf(session: Session): Promise<Record<string, unknown>> {
  const queue = await session.api.find(session.path("/api/queues/{vhost}/{name}"))
  if (queue === null)
    throw new CliError(EXIT.data, session.sentence(`there is no queue '{name}' in vhost '{vhost}'`))
  return fieldsOf(queue)
}

const STATES = ["pause", "resume", "restart"] as const
const SAYING = { pause: "Pausing", resume: "Resuming", restart: "Restarting" } as const
const SUMMARY = {
  pause: "Stops a queue from delivering; it goes on taking messages",
  resume: "Lets a paused queue deliver again",
  restart: "Closes a queue and opens it again from its files",
} as const

const QUEUE_COLUMNS = [
  "name",
  "vhost",
  "durable",
  "auto_delete",
  "arguments",
  "policy",
  "operator_policy",
  "effective_policy_definition",
  "exclusive",
  "exclusive_consumer_tag",
  "single_active_consumer_tag",
  "messages",
  "messages_ready",
  "messages_unacknowledged",
  "messages_persistent",
  "message_bytes",
  "message_bytes_ready",
  "message_bytes_unacknowledged",
  "consumers",
  "memory",
  "state",
  "type",
  "node",
  "message_stats",
]

const ALIASES = [
  {
    name: "owner_pid",
    field: "owner_pid_details.name",
    doc: "Connection that an exclusive queue belongs to",
  },
  { name: "pid", field: "name", doc: "The name: queues are no processes" },
  {
    name: "publish_rate",
    field: "message_stats.publish_details.rate",
    doc: "Messages in per second",
  },
  {
    name: "deliver_rate",
    field: "message_stats.deliver_get_details.rate",
    doc: "Messages out per second",
  },
  { name: "ack_rate", field: "message_stats.ack_details.rate", doc: "Acknowledgements per second" },
]

const SELECTION: readonly OptionSpec[] = [
  { flags: "--online", doc: "Accepted: queues of a running node are online" },
  { flags: "--offline", doc: "Accepted, as --online" },
  { flags: "--local", doc: "Accepted: there is one node" },
]

export const QUEUE_COMMANDS: readonly CommandSpec[] = [
  listCommand({
    name: "list_queues",
    group: "Queues",
    summary: "Lists the queues of a virtual host",
    usesVhost: true,
    options: SELECTION,
    list: {
      path: "/api/queues/{vhost}",
      heading: "queues for vhost {vhost}",
      columns: [...QUEUE_COLUMNS.map((name) => ({ name })), ...ALIASES],
      defaults: ["name", "messages"],
    },
  }),
  listCommand({
    name: "list_unresponsive_queues",
    group: "Queues",
    summary: "Lists queues that were closed after an error or stopped",
    usesVhost: true,
    options: [...SELECTION, { flags: "--all", doc: "Accepted" }],
    list: {
      path: "/api/queues/{vhost}",
      heading: "unresponsive queues for vhost {vhost}",
      columns: [{ name: "name" }, { name: "state" }],
      defaults: ["name", "state"],
      needs: ["state"],
      rows: (items) => items.filter((item) => DEAD_STATES.has(String(valueAt(item, "state")))),
    },
  }),
  {
    name: "create_queue",
    aliases: ["declare_queue"],
    group: "Queues",
    summary: "Declares a queue",
    arguments: [NAME],
    options: CREATE_OPTIONS,
    usesVhost: true,
    change: {
      method: "PUT",
      path: "/api/queues/{vhost}/{name}",
      body: declarationOf,
      saying: `Creating queue "{name}" in vhost "{vhost}" ...`,
    },
  },
  {
    name: "delete_queue",
    group: "Queues",
    summary: "Deletes a queue with its messages",
    arguments: [NAME],
    options: [
      { flags: "-e, --if-empty", doc: "Only if it has no message" },
      { flags: "-u, --if-unused", doc: "Only if it has no consumer" },
    ],
    usesVhost: true,
    calls: ["DELETE /api/queues/{vhost}/{name}"],
    run: deleteQueue,
  },
  {
    name: "purge_queue",
    group: "Queues",
    summary: "Deletes the messages of a queue that nobody holds unacknowledged",
    arguments: [NAME],
    usesVhost: true,
    change: {
      method: "DELETE",
      path: "/api/queues/{vhost}/{name}/contents",
      saying: `Purging queue "{name}" in vhost "{vhost}" ...`,
    },
  },
  ...STATES.map((verb): CommandSpec => ({
    name: `${verb}_queue`,
    group: "Queues",
    summary: SUMMARY[verb],
    arguments: [NAME],
    usesVhost: true,
    change: {
      method: "PUT",
      path: `/api/queues/{vhost}/{name}/${verb}`,
      saying: `${SAYING[verb]} queue "{name}" in vhost "{vhost}" ...`,
    },
  })),
  {
    name: "diagnose",
    aliases: ["explain"],
    group: "Queues",
    summary: "Says why a queue delivers nothing, or that it does",
    arguments: [NAME],
    usesVhost: true,
    calls: ["GET /api/queues/{vhost}/{name}"],
    run: diagnose,
  },
]
