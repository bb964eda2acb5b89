/** Commands about the broker as a whole: what it is, how it does, its log and its configuration. */
import type { CommandSpec, OptionSpec } from "../command.ts"
import { CliError, EXIT } from "../exit-codes.ts"
import { segment } from "../session.ts"
import type { Session } from "../session.ts"
import { fieldsOf, printable, valueAt } from "../text.ts"
import { followLog, logTail } from "../log.ts"
import { awaitStartup, stopBroker, waitFor } from "../process.ts"

async function overview(session: Session): Promise<Record<string, unknown>> {
  return fieldsOf(await session.api.get("/api/overview"))
}

/** Label and field of the overview, as lavinmqctl has them. */
const STATUS = [
  ["Version", "sluice_version"],
  ["Node", "node"],
  ["Uptime", "uptime"],
  ["Connections", "object_totals.connections"],
  ["Channels", "object_totals.channels"],
  ["Consumers", "object_totals.consumers"],
  ["Exchanges", "object_totals.exchanges"],
  ["Queues", "object_totals.queues"],
  ["Bindings", "object_totals.bindings"],
  ["Messages", "queue_totals.messages"],
  ["Messages_ready", "queue_totals.messages_ready"],
  ["Messages_unacked", "queue_totals.messages_unacknowledged"],
] as const

async function status(session: Session): Promise<void> {
  const found = await overview(session)
  const shown = STATUS.map(([label, field]) => [label, valueAt(found, field) ?? null])
  await session.output.record(Object.fromEntries(shown))
}

async function clusterStatus(session: Session): Promise<void> {
  const nodes = await session.api.get("/api/nodes")
  const first = fieldsOf(Array.isArray(nodes) ? nodes[0] : null)
  const { cluster_name: clusterName, sluice_version: version } = await overview(session)
  await session.output.record({
    this_node: first["name"],
    version,
    cluster_name: clusterName,
    running_nodes: Array.isArray(nodes) ? nodes.map((one) => valueAt(one, "name")) : [],
    followers: [],
  })
}

async function ping(session: Session): Promise<void> {
  await session.say("Will ping the broker ...")
  await session.api.get("/api/whoami")
  await session.output.text("Ping succeeded")
}

async function serverVersion(session: Session): Promise<void> {
  const { sluice_version: version } = await overview(session)
  await session.output.text(String(version))
}

const LISTENER_COLUMNS = ["protocol", "ip_address", "port"]

async function listeners(session: Session): Promise<void> {
  const found = (await overview(session))["listeners"]
  const rows = (Array.isArray(found) ? found : []).map((one) =>
    LISTENER_COLUMNS.map(
      (name) => valueAt(one, name) ?? (name === "ip_address" ? valueAt(one, "path") : null),
    ),
  )
  await session.say("Listing listeners ...")
  await session.output.list(LISTENER_COLUMNS, once(rows))
}

async function* once<T>(item: T): AsyncGenerator<T> {
  yield item
}

async function memoryBreakdown(session: Session): Promise<void> {
  const { node: name } = await overview(session)
  const memory = fieldsOf(await session.api.get(`/api/nodes/${segment(String(name))}/memory`))
  await session.output.record(fieldsOf(memory["memory"] ?? memory))
}

async function environment(session: Session): Promise<void> {
  await session.say("Application environment ...")
  await session.output.record(fieldsOf(await session.api.get("/api/config/effective")))
}

/** All that somebody who helps wants to see; never a secret. */
const REPORT = [
  ["Overview", "/api/overview"],
  ["Nodes", "/api/nodes"],
  ["Configuration", "/api/config/effective"],
  ["Alarms", "/api/health/checks/alarms"],
  ["Virtual hosts", "/api/vhosts"],
  ["Connections", "/api/connections"],
  ["Channels", "/api/channels"],
  ["Exchanges", "/api/exchanges"],
  ["Queues", "/api/queues"],
  ["Consumers", "/api/consumers"],
  ["Bindings", "/api/bindings"],
  ["Policies", "/api/policies"],
  ["Permissions", "/api/permissions"],
] as const
const REPORT_ROWS = 1000

async function report(session: Session): Promise<void> {
  const { sink } = session.output
  let isFirst = true
  if (session.output.isJson) await sink.write("{")
  for (const [title, path] of REPORT) {
    const { status: code, body } = await session.api.request(
      "GET",
      `${path}?page=1&page_size=${String(REPORT_ROWS)}`,
      { accepts: [400, 401, 404, 503] },
    )
    const text = JSON.stringify(body ?? { status: code }, null, session.output.isJson ? 0 : 2)
    if (session.output.isJson)
      await sink.write(`${isFirst ? "" : ","}${JSON.stringify(title)}:${text}`)
    else await sink.write(`${title}\n${"=".repeat(title.length)}\n${text}\n\n`)
    isFirst = false
  }
  if (session.output.isJson) await sink.write("}\n")
}

async function gcCollect(session: Session): Promise<void> {
  await session.say("Collecting garbage ...")
  await session.api.request("POST", "/api/nodes/gc_collect")
  await session.output.record(fieldsOf(await session.api.get("/api/nodes/gc_stats")))
}

async function setLogLevel(session: Session): Promise<void> {
  await session.say(`Setting log level to "{level}" ...`)
  const body = { level: session.values.text("level") }
  await session.api.request("PUT", "/api/logs/level", { body })
}

async function listFlags(session: Session): Promise<void> {
  const flags = await session.api.get("/api/feature-flags")
  const columns = ["name", "state"]
  const rows = (Array.isArray(flags) ? flags : []).map((flag) =>
    columns.map((name) => valueAt(flag, name)),
  )
  await session.say("Listing feature flags ...")
  await session.output.list(columns, once(rows))
}

async function enableFlag(session: Session): Promise<void> {
  const flag = session.values.text("flag")
  await session.say(`Enabling feature flag "{flag}" ...`)
  if (flag === "all") return // They are.
  await session.api.request("PUT", session.path("/api/feature-flags/{flag}/enable"))
}

const LEVELS = ["debug", "info", "warning", "warn", "error", "fatal", "none", "trace"]
const NAME_OF_CLUSTER = { name: "name", doc: "The new name" }
const LINES: OptionSpec = {
  flags: "-N, --number <lines>",
  min: 1,
  doc: "How many lines (default 50)",
}

export const SERVER_COMMANDS: readonly CommandSpec[] = [
  {
    name: "status",
    group: "Server",
    summary: "Prints version, uptime, and how many connections, queues and messages there are",
    calls: ["GET /api/overview"],
    run: status,
  },
  {
    name: "cluster_status",
    group: "Server",
    summary: "Prints the name of the cluster, its node and its version",
    calls: ["GET /api/nodes", "GET /api/overview"],
    run: clusterStatus,
  },
  {
    name: "set_cluster_name",
    aliases: ["rename_cluster"],
    group: "Server",
    summary: "Names the cluster",
    arguments: [NAME_OF_CLUSTER],
    change: {
      method: "PUT",
      path: "/api/cluster-name",
      body: ({ values }) => ({ name: values.text("name") }),
      saying: `Setting cluster name to "{name}" ...`,
    },
  },
  {
    name: "ping",
    group: "Server",
    summary: "Ends well if the broker answers",
    calls: ["GET /api/whoami"],
    run: ping,
  },
  {
    name: "await_startup",
    group: "Server",
    summary: "Waits until the broker answers, for --timeout seconds at most",
    calls: ["GET /api/whoami"],
    run: awaitStartup,
  },
  {
    name: "wait",
    group: "Server",
    summary: "Waits until there is a process with the number in a file, and the broker answers",
    arguments: [{ name: "pidfile", doc: "The file", isOptional: true }],
    options: [{ flags: "--pid <pid>", min: 1, doc: "Instead of the file: the number" }],
    calls: ["GET /api/whoami"],
    run: waitFor,
  },
  {
    name: "stop",
    aliases: ["shutdown"],
    group: "Server",
    summary: "Stops the broker and waits for its end; over the control socket only",
    arguments: [{ name: "pidfile", doc: "Accepted and not needed", isOptional: true }],
    options: [
      { flags: "--no-wait", doc: "Do not wait for its end" },
      { flags: "--wait", doc: "Accepted: this is the default" },
    ],
    calls: ["GET /api/nodes"],
    run: stopBroker,
  },
  {
    name: "stop_app",
    group: "Server",
    summary: "Accepted for scripts and without effect: broker and runtime are one",
    isNoOp: true,
  },
  {
    name: "start_app",
    group: "Server",
    summary: "Accepted for scripts and without effect: a broker that runs is started",
    isNoOp: true,
  },
  {
    name: "environment",
    group: "Server",
    summary: "Prints the configuration in effect, without secrets",
    calls: ["GET /api/config/effective"],
    run: environment,
  },
  {
    name: "report",
    group: "Server",
    summary: `Prints what somebody who helps wants to see; of lists the first ${String(REPORT_ROWS)} rows`,
    calls: REPORT.map(([, path]) => `GET ${path}`),
    run: report,
  },
  {
    name: "server_version",
    group: "Server",
    summary: "Prints the version of the broker",
    calls: ["GET /api/overview"],
    run: serverVersion,
  },
  {
    name: "listeners",
    group: "Server",
    summary: "Lists where the broker listens, and for what",
    calls: ["GET /api/overview"],
    run: listeners,
  },
  {
    name: "memory_breakdown",
    group: "Server",
    summary: "Prints what the memory of the broker is used for, in bytes",
    calls: ["GET /api/nodes/<node>/memory"],
    run: memoryBreakdown,
  },
  {
    name: "gc_collect",
    group: "Server",
    summary: "Collects garbage and prints figures of the heap, where the broker offers it",
    calls: ["POST /api/nodes/gc_collect", "GET /api/nodes/gc_stats"],
    run: gcCollect,
  },
  {
    name: "set_log_level",
    group: "Server",
    summary: "Sets the least severe log entries that are written, until the next restart",
    arguments: [{ name: "level", doc: "The level", choices: LEVELS }],
    calls: ["PUT /api/logs/level"],
    run: setLogLevel,
  },
  {
    name: "log_tail",
    group: "Server",
    summary: "Prints the latest log entries",
    options: [LINES],
    calls: ["GET /api/logs"],
    run: logTail,
  },
  {
    name: "log_tail_stream",
    group: "Server",
    summary: "Prints log entries as they come, until interrupted",
    options: [{ flags: "-d, --duration <seconds>", min: 1, doc: "End after so many seconds" }],
    calls: ["GET /api/livelog"],
    run: followLog,
  },
  {
    name: "list_feature_flags",
    group: "Server",
    summary: "Lists RabbitMQ's feature flags that are served",
    calls: ["GET /api/feature-flags"],
    run: listFlags,
  },
  {
    name: "enable_feature_flag",
    group: "Server",
    summary: "Accepted for scripts: all feature flags are enabled",
    arguments: [{ name: "flag", doc: "Name of the flag, or all" }],
    calls: ["PUT /api/feature-flags/{flag}/enable"],
    run: enableFlag,
  },
]

/** What a failed check says, in one line. */
function failureOf(body: unknown): string {
  const { reason, status: word, ...details } = fieldsOf(body)
  const more = Object.keys(details).length === 0 ? "" : ` ${JSON.stringify(details)}`
  return printable(`check failed: ${String(reason ?? word)}${more}`)
}

async function check(session: Session, path: string): Promise<void> {
  const { status: code, body } = await session.api.request("GET", path, { accepts: [503] })
  if (code === 503) throw new CliError(EXIT.unavailable, failureOf(body))
  await session.output.record({ status: "ok", ...fieldsOf(body) })
}

/** Every port that the broker says it listens on takes a connection. */
async function checkPorts(session: Session): Promise<void> {
  const found = (await overview(session))["listeners"]
  for (const one of Array.isArray(found) ? found : [])
    if (valueAt(one, "port") !== undefined)
      await session.api.get(`/api/health/checks/port-listener/${String(valueAt(one, "port"))}`)
  await session.output.record({ status: "ok" })
}

function checkCommand(
  name: string,
  summary: string,
  path: string,
  aliases: readonly string[] = [],
): CommandSpec {
  return {
    name,
    aliases,
    group: "Health",
    summary,
    calls: [`GET ${path}`],
    run: (session) => check(session, session.path(path)),
  }
}

const CHECKS = "/api/health/checks"
const UNITS = ["days", "weeks", "months", "years"]

export const HEALTH_COMMANDS: readonly CommandSpec[] = [
  checkCommand(
    "check_running",
    "The broker runs and serves clients",
    `${CHECKS}/ready-to-serve-clients`,
  ),
  checkCommand("check_alarms", "No alarm is in effect", `${CHECKS}/alarms`),
  checkCommand(
    "check_local_alarms",
    "No alarm is in effect on this node",
    `${CHECKS}/local-alarms`,
  ),
  checkCommand(
    "check_virtual_hosts",
    "All virtual hosts run and can be written",
    `${CHECKS}/virtual-hosts`,
  ),
  checkCommand(
    "check_if_node_is_quorum_critical",
    "The node may stop",
    `${CHECKS}/node-is-quorum-critical`,
  ),
  checkCommand(
    "check_if_any_deprecated_features_are_used",
    "None of RabbitMQ's deprecated features is",
    "/api/deprecated-features/used",
  ),
  {
    name: "check_port_connectivity",
    group: "Health",
    summary: "Something listens on every port that the broker names",
    calls: ["GET /api/overview", "GET /api/health/checks/port-listener/<port>"],
    run: checkPorts,
  },
  {
    ...checkCommand(
      "check_port_listener",
      "The broker listens on a port",
      `${CHECKS}/port-listener/{port}`,
    ),
    arguments: [{ name: "port", doc: "The port" }],
  },
  {
    ...checkCommand(
      "check_protocol_listener",
      "The broker listens for a protocol",
      `${CHECKS}/protocol-listener/{protocol}`,
    ),
    arguments: [{ name: "protocol", doc: "Such as amqp, amqps, http, https" }],
  },
  {
    name: "check_certificate_expiration",
    group: "Health",
    summary: "No certificate expires within a time",
    options: [
      { flags: "--within <number>", min: 1, doc: "How long (default 4)" },
      { flags: "--unit <unit>", choices: UNITS, doc: "Of what (default weeks)" },
    ],
    calls: ["GET /api/health/checks/certificate-expiration/<within>/<unit>"],
    run(session) {
      const { values } = session
      const within = String(values.number("--within") ?? 4)
      const unit = values.optional("--unit") ?? "weeks"
      return check(session, `${CHECKS}/certificate-expiration/${within}/${unit}`)
    },
  },
]
