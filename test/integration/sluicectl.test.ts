/**
 * sluicectl against a broker process: every verb over the control socket, some over HTTP with credentials,
 * formats, exit codes, and the commands that read a stopped data directory.
 */
import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { connect } from "amqplib"
import type { ChannelModel } from "amqplib"
import { callsOf } from "../../src/cli/command.ts"
import { runProgram } from "../../src/cli/program.ts"
import { COMMANDS } from "../../src/cli/table.ts"
import { fieldsOf } from "../../src/cli/text.ts"
import { BrokerProcess, RunningProcess } from "../support/broker-process.ts"
import { eventually } from "../support/eventually.ts"

interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The words of all command lines, and pairs of them. */
const used = new Set<string>()

let root = ""
let data = ""
let broker: BrokerProcess
let client: ChannelModel
let httpPort = 0

before(async () => {
  root = mkdtempSync(join(tmpdir(), "sluicectl-test-"))
  data = join(root, "data")
  broker = await BrokerProcess.start({ dataDirectory: data, flags: ["--http-port", "0"] })
  httpPort = Number((await broker.waitForOutput(/Management on http:\/\/\S*?:(\d+)/))[1])
  client = await connect(broker.url)
  client.on("error", () => {})
})

after(async () => {
  await broker.stop("SIGKILL")
  rmSync(root, { recursive: true, force: true })
})

function environment(): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: root,
    XDG_CONFIG_HOME: join(root, "config"),
    SLUICE_DATADIR: data,
    NODE_OPTIONS: "",
  }
}

/** As a program; the verb is the first word. */
function spawned(args: readonly string[], input = ""): Outcome {
  used.add(args[0] ?? "")
  return spawnSync(process.execPath, ["src/bin/sluicectl.ts", ...args], {
    encoding: "utf8",
    timeout: 30_000,
    killSignal: "SIGKILL",
    input,
    env: environment(),
  })
}

/** In this process, which is much faster. */
async function ctl(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  for (const [i, word] of args.entries()) used.add(word).add(args.slice(i, i + 2).join(" "))
  let stdout = ""
  let stderr = ""
  const status = await runProgram({
    argv: args,
    env: { ...environment(), ...env },
    sink: {
      isTerminal: false,
      write: async (text) => {
        stdout += typeof text === "string" ? text : Buffer.from(text).toString("utf8")
      },
    },
    onError: (text) => {
      stderr += text
    },
  })
  return { status, stdout, stderr }
}

/** Asserts success; returns what it says. */
async function ok(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await ctl(args)
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`)
  assert.equal(stderr, "")
  return stdout
}

async function refused(
  exitCode: number,
  pattern: RegExp,
  ...args: readonly string[]
): Promise<void> {
  const { status, stderr } = await ctl(args)
  assert.match(stderr, pattern, args.join(" "))
  assert.equal(status, exitCode, `${args.join(" ")}: ${stderr}`)
}

async function json(...args: readonly string[]): Promise<unknown> {
  return JSON.parse(await ok(...args, "--format", "json"))
}

async function rowsOf(...args: readonly string[]): Promise<Record<string, unknown>[]> {
  const rows = await json(...args)
  assert.ok(Array.isArray(rows))
  return rows.map(fieldsOf)
}

test("users, and the traps around them", async () => {
  assert.match(await ok("add_user", "bob", "secret", "--tags", "monitoring"), /^Adding user "bob"/)
  await refused(65, /there is a user 'bob' already/, "add_user", "bob", "other")
  assert.equal(await ok("authenticate_user", "-q", "bob", "secret"), "Success\n")
  await refused(77, /not authenticated/, "authenticate_user", "bob", "other")
  await refused(65, /there is no user 'nobody'/, "change_password", "nobody", "x")
  assert.doesNotMatch(await ok("list_users"), /nobody/)
  await ok("change_password", "bob", "other")
  assert.equal(await ok("authenticate_user", "-q", "bob", "other"), "Success\n")
  const piped = spawned(["change_password", "bob"], "from stdin\n")
  assert.equal(piped.status, 0, piped.stderr)
  assert.equal(await ok("authenticate_user", "-q", "bob", "from stdin"), "Success\n")
  await ok("set_user_tags", "bob", "management,policymaker", "monitoring")
  assert.deepEqual(await json("list_users"), [
    { name: "guest", tags: ["administrator"] },
    { name: "bob", tags: ["management", "policymaker", "monitoring"] },
  ])
  await ok("clear_password", "bob")
  await refused(77, /not authenticated/, "authenticate_user", "bob", "from stdin")
  const hash = (await ok("hash_password", "pre-hashed")).trim()
  await ok("add_user", "hashed", hash, "--pre-hashed-password")
  assert.equal(await ok("authenticate_user", "hashed", "pre-hashed", "-q"), "Success\n")
  await ok("delete_user", "hashed")
  await refused(65, /no user 'hashed'/, "delete_user", "hashed")
  await refused(65, /reserved for the control socket/, "add_user", "__direct", "x")
  await ok("set_user_limits", "bob", '{"max-connections":7}')
  assert.deepEqual(await json("list_user_limits"), [
    { user: "bob", limits: { "max-connections": 7 } },
  ])
  await refused(65, /max-queues/, "set_user_limits", "bob", '{"max-queues":7}')
  await ok("clear_user_limits", "bob", "max-connections")
  assert.deepEqual(await json("list_user_limits"), [])
})

test("permissions", async () => {
  await ok("set_permissions", "bob", "^a", "^b", "^c")
  assert.equal(
    await ok("list_permissions", "-q"),
    "user\tconfigure\twrite\tread\nguest\t.*\t.*\t.*\nbob\t^a\t^b\t^c\n",
  )
  await ok("set_permissions_globally", "bob", ".*", "", "x")
  assert.deepEqual(await json("list_user_permissions", "bob"), [
    { vhost: "/", configure: ".*", write: "", read: "x" },
  ])
  await ok("set_topic_permissions", "bob", "amq.topic", "^k", "^l")
  assert.deepEqual(await json("list_topic_permissions"), [
    { user: "bob", exchange: "amq.topic", write: "^k", read: "^l" },
  ])
  assert.match(await ok("list_user_topic_permissions", "bob"), /amq\.topic/)
  await ok("clear_topic_permissions", "bob", "amq.topic")
  await ok("clear_topic_permissions", "bob")
  assert.deepEqual(await json("list_topic_permissions"), [])
  await ok("clear_permissions", "bob")
  assert.deepEqual(await json("list_user_permissions", "bob"), [])
  await refused(65, /'\(' *is|regular|pattern|expression/i, "set_permissions", "bob", "(", "", "")
})

test("virtual hosts", async () => {
  await ok("add_vhost", "v1", "--description", "first", "--tags", "a,b")
  await ok("update_vhost_metadata", "v1", "--description", "second")
  await refused(65, /there is no vhost/, "update_vhost_metadata", "absent", "--description", "x")
  await ok("set_vhost_tags", "v1", "c")
  assert.deepEqual(await json("list_vhosts", "name", "description", "tags"), [
    { name: "/", description: "", tags: [] },
    { name: "v1", description: "second", tags: ["c"] },
  ])
  assert.match(await ok("list_vhosts"), /^Listing vhosts \.\.\.\nname\n\/\nv1\n$/)
  await ok("set_vhost_limits", "-p", "v1", '{"max-queues":5,"max-connections":9}')
  await refused(65, /max-connections or max-queues required/, "set_vhost_limits", "{}")
  assert.deepEqual(await json("list_vhost_limits", "-p", "v1"), [
    { vhost: "v1", limits: { "max-connections": 9, "max-queues": 5 } },
  ])
  await ok("clear_vhost_limits", "-p", "v1")
  assert.deepEqual(await json("list_vhost_limits"), [])
  await ok("restart_vhost", "-p", "v1")
  await ok("delete_vhost", "v1")
  await refused(65, /HTTP 404/, "delete_vhost", "v1")
})

test("queues, exchanges and bindings", async () => {
  const flags = ["--durable", "--expires", "90000000", "--message-ttl", "5000", "--max-length"]
  await ok("create_queue", "q1", ...flags, "10", "--reject-on-overflow")
  await ok("create_queue", "s1", "--stream-queue")
  assert.deepEqual(await json("list_queues", "name", "type", "arguments", "messages"), [
    {
      name: "q1",
      type: "classic",
      arguments: {
        "x-expires": 90_000_000,
        "x-max-length": 10,
        "x-message-ttl": 5000,
        "x-overflow": "reject-publish",
      },
      messages: 0,
    },
    { name: "s1", type: "stream", arguments: { "x-queue-type": "stream" }, messages: 0 },
  ])
  await ok("create_exchange", "topic", "e1", "--durable", "--internal")
  await ok("create_exchange", "direct", "e2", "--delayed", "--alternate-exchange", "e1")
  const exchanges = await ok("list_exchanges", "-q", "name", "type", "durable", "internal")
  assert.match(exchanges, /^e1\ttopic\ttrue\ttrue$/m)
  assert.match(exchanges, /^e2\tx-delayed-message\tfalse\tfalse$/m)
  await ok("create_binding", "amq.topic", "q1", "a.b")
  await ok("create_binding", "amq.topic", "e2", "--to-exchange")
  assert.match(await ok("list_bindings"), /^amq\.topic\tq1\tqueue\ta\.b\t\{\}$/m)
  assert.match(await ok("list_bindings"), /^amq\.topic\te2\texchange\t\t\{\}$/m)
  await ok("delete_binding", "amq.topic", "q1", "a.b")
  await ok("delete_binding", "amq.topic", "e2", "--to-exchange")
  assert.doesNotMatch(await ok("list_bindings"), /amq\.topic/)

  const channel = await client.createChannel()
  for (let i = 0; i < 3; i++) channel.sendToQueue("q1", Buffer.from("x"))
  await eventually(async () => assert.match(await ok("list_queues", "-q"), /^q1\t3$/m))
  assert.match(await ok("diagnose", "q1"), /^reason: there is no consumer$/m)
  await ok("pause_queue", "q1")
  assert.match(await ok("list_queues", "name", "state"), /^q1\tpaused$/m)
  assert.match(await ok("diagnose", "q1"), /paused/)
  await ok("resume_queue", "q1")
  await ok("restart_queue", "q1")
  await refused(65, /./, "delete_queue", "q1", "--if-empty")
  await ok("purge_queue", "q1")
  assert.match(await ok("list_queues", "-q"), /^q1\t0$/m)
  assert.deepEqual(await json("list_unresponsive_queues"), [])
  await ok("delete_queue", "q1", "-e", "-u")
  await ok("delete_queue", "s1")
  await ok("delete_exchange", "e1")
  await ok("delete_exchange", "e2")
  await refused(65, /there is no queue 'q1'/, "diagnose", "q1")
  await channel.close()
})

test("policies and parameters", async () => {
  await ok("set_policy", "p1", "^q", '{"max-length":5}', "--priority", "-3", "--apply-to", "queues")
  assert.deepEqual(await json("list_policies"), [
    {
      vhost: "/",
      name: "p1",
      pattern: "^q",
      "apply-to": "queues",
      definition: { "max-length": 5 },
      priority: -3,
    },
  ])
  await refused(64, /--apply-to/, "set_policy", "p2", "x", "{}", "--apply-to", "nothing")
  await refused(65, /JSON/, "set_policy", "p2", "x", "{")
  await ok("clear_policy", "p1")
  await ok("set_operator_policy", "o1", "^q", '{"expires":500000}')
  assert.match(await ok("list_operator_policies"), /o1/)
  await ok("clear_operator_policy", "o1")
  assert.deepEqual(await json("list_operator_policies"), [])
  await ok("set_parameter", "thing", "n1", '{"a":1}')
  assert.deepEqual(await json("list_parameters", "-p", "/"), [
    { component: "thing", name: "n1", vhost: "/", value: { a: 1 } },
  ])
  assert.deepEqual(await json("list_parameters", "-p", "other"), [])
  await ok("clear_parameter", "thing", "n1")
  await ok("set_global_parameter", "g1", "[1,2]")
  assert.match(await ok("list_global_parameters"), /^g1\t\[1,2\]$/m)
  await ok("clear_global_parameter", "g1")
})

test("connections, channels, consumers", async () => {
  const one = await connect(broker.url, { clientProperties: { connection_name: "one" } })
  one.on("error", () => {})
  const channel = await one.createChannel()
  await channel.assertQueue("work", { autoDelete: true })
  await channel.consume("work", () => {})
  const [found] = await rowsOf("list_connections", "name", "--sort", "name")
  assert.match(String(found?.["name"]), /->/)
  assert.match(await ok("list_connections"), /^user\tpeer_host\tpeer_port\tstate\nguest\t127/m)
  assert.match(await ok("list_channels"), /guest\t1\t0/)
  assert.match(await ok("list_consumers", "-q"), /^work\t/m)
  const rows = await rowsOf("list_connections", "name", "user_provided_name")
  const name = String(rows.find((row) => row["user_provided_name"] === "one")?.["name"])
  const closed = new Promise<Error>((resolve) => void one.once("close", resolve))
  assert.match(await ok("close_connection", name, "maintenance"), /^Closing connection/)
  assert.match((await closed).message, /maintenance/)
  await refused(65, /there is no connection/, "close_connection", "absent")
  assert.deepEqual(await json("close_all_user_connections", "nobody"), [])
  const second = await connect(broker.url)
  second.on("error", () => {})
  const slowly = ["--limit", "1", "--per-connection-delay", "1"]
  const [row] = await rowsOf("close_all_connections", ...slowly)
  assert.match(String(row?.["closed_connections"]), /->/)
  await ok("close_all_connections", "-p", "/", "away")
  await eventually(async () => assert.deepEqual(await json("list_connections"), []))
  client = await connect(broker.url)
  client.on("error", () => {})
})

test("shovels and federation are parameters", async () => {
  await refused(64, /--dest-uri is missing/, "add_shovel", "s", "--src-uri", "amqp://")
  const uris = ["--src-uri", "amqp://localhost", "--dest-uri", "amqp://localhost"]
  await ok("add_shovel", "s", ...uris, "--src-queue", "a", "--dest-queue", "b")
  const [shovel] = await rowsOf("list_parameters", "value")
  const value = fieldsOf(shovel?.["value"])
  assert.equal(value["src-prefetch-count"], 1000)
  assert.equal(value["ack-mode"], "on-confirm")
  const away = "amqp://guest:guest@127.0.0.1:1"
  await ok("add_shovel", "s", "--src-uri", away, "--dest-uri", away, "--src-queue", "a")
  await eventually(async () => {
    const [status] = await rowsOf("list_shovels", "state", "error", "next_attempt_in")
    assert.equal(status?.["state"], "Error")
    assert.match(String(status["error"]), /ECONNREFUSED/)
  })
  await ok("pause_shovel", "s")
  assert.match(await ok("shovel_status", "name", "state"), /^s\tPaused$/m)
  await refused(65, /cannot pause/, "pause_shovel", "s")
  await ok("resume_shovel", "s")
  await ok("restart_shovel", "s")
  await ok("delete_shovel", "s")
  await ok("add_federation", "up", "--uri", "amqp://localhost", "--max-hops", "2")
  assert.deepEqual(await json("list_federations"), [
    { name: "up", component: "federation-upstream" },
  ])
  await ok("delete_federation", "up")
  assert.deepEqual(await json("federation_status"), [])
  await refused(65, /there is no federation link/, "restart_federation_link", "absent")
  for (const verb of ["pause_shovel", "resume_shovel"])
    await refused(65, /Object Not Found|HTTP 404|Not Found/, verb, "absent")
})

test("messages are moved and sent back", async () => {
  const channel = await client.createChannel()
  await channel.assertQueue("from", { deadLetterExchange: "", deadLetterRoutingKey: "dead" })
  await channel.assertQueue("to")
  await channel.assertQueue("dead")
  for (let i = 0; i < 5; i++)
    channel.sendToQueue("from", Buffer.from(String(i)), { headers: { kind: i < 2 ? "a" : "b" } })
  await eventually(async () => assert.equal((await channel.checkQueue("from")).messageCount, 5))
  const flags = ["--dest-queue", "to", "--header", "kind=a"]
  const dry = fieldsOf(await json("move_messages", "from", ...flags, "--dry-run"))
  assert.deepEqual([dry["matched"], dry["moved"]], [2, 0])
  assert.match(await ok("move_messages", "from", ...flags), /^moved: 2$/m)
  await refused(64, /one of --dest-queue/, "move_messages", "from")
  await refused(64, /must be name=value/, "move_messages", "from", "--header", "x")
  for (let i = 0; i < 3; i++) {
    const message = await channel.get("from")
    assert.ok(message !== false)
    channel.reject(message, false)
  }
  await eventually(async () => assert.equal((await channel.checkQueue("dead")).messageCount, 3))
  const back = fieldsOf(await json("redrive", "dead", "--reason", "rejected", "--to", "queue"))
  assert.equal(back["moved"], 3)
  await eventually(async () => assert.equal((await channel.checkQueue("from")).messageCount, 3))
  assert.match(await ok("redrive", "dead", "--no-wait", "-q"), /^\S{22}$/m)
  for (const queue of ["from", "to", "dead"]) await channel.deleteQueue(queue)
  await channel.close()
})

test("the broker as a whole", async () => {
  const status = fieldsOf(await json("status"))
  assert.equal(typeof status["Version"], "string")
  assert.equal(status["Queues"], 0)
  assert.match(await ok("status"), /^Messages_unacked: 0$/m)
  assert.match(await ok("cluster_status"), /^this_node: sluice@/)
  await ok("set_cluster_name", "c1")
  assert.equal(fieldsOf(await json("cluster_status"))["cluster_name"], "c1")
  assert.equal(await ok("ping", "-q"), "Ping succeeded\n")
  assert.match(await ok("await_startup"), /has started/)
  const pidFile = join(root, "pid")
  writeFileSync(pidFile, `${String(broker.pid)}\n`)
  assert.match(await ok("wait", pidFile), /has started/)
  await ok("wait", "--pid", String(broker.pid))
  await refused(69, /not started in time/, "wait", "--pid", "2147483646", "--timeout", "1")
  assert.equal(await ok("stop_app"), "")
  assert.equal(await ok("start_app"), "")
  assert.match(await ok("environment"), /^main\.data_dir: /m)
  assert.doesNotMatch(await ok("environment"), /password_hash: [^\s]/)
  const report = fieldsOf(await json("report"))
  assert.ok(Array.isArray(fieldsOf(report["Exchanges"])["items"]))
  assert.match(await ok("report"), /^Overview\n========\n\{/)
  assert.match(await ok("server_version"), /^\d+\.\d+/)
  assert.match(
    await ok("listeners"),
    new RegExp(`^http\\t127\\.0\\.0\\.1\\t${String(httpPort)}$`, "m"),
  )
  assert.match(await ok("memory_breakdown"), /heap_used: \d+/)
  assert.match(await ok("gc_collect"), /heap_used: \d+/)
  assert.match(await ok("list_feature_flags"), /^quorum_queue\tenabled$/m)
  await ok("enable_feature_flag", "all")
  await ok("enable_feature_flag", "quorum_queue")
  await ok("set_log_level", "debug")
  await refused(64, /chatty/, "set_log_level", "chatty")
  assert.notEqual(await ok("log_tail", "-N", "3"), "")
  assert.ok((await ok("log_tail", "-N", "3")).trim().split("\n").length <= 3)
  assert.notEqual(await ok("log_tail_stream", "--duration", "1"), "")
})

test("health checks", async () => {
  for (const verb of [
    "check_running",
    "check_alarms",
    "check_local_alarms",
    "check_virtual_hosts",
    "check_port_connectivity",
    "check_if_node_is_quorum_critical",
    "check_if_any_deprecated_features_are_used",
    "check_certificate_expiration",
  ])
    assert.match(await ok(verb), /status: ok/)
  await ok("check_port_listener", String(broker.port))
  await refused(69, /No active listener/, "check_port_listener", "1")
  await ok("check_protocol_listener", "amqp")
  await refused(69, /No active listener/, "check_protocol_listener", "mqtt")
})

test("formats: table, text, json, csv; quiet, without headers, sorted, limited", async () => {
  await ok("create_queue", 'odd,"name\u001b[31m')
  await ok("create_queue", "zz")
  const csv = await ok("list_queues", "--format", "csv")
  assert.equal(csv, 'name,messages\r\n"odd,""name\u001b[31m",0\r\nzz,0\r\n')
  assert.equal((await ok("list_queues")).includes("\u001b"), false)
  assert.match(await ok("list_queues", "--format=text"), /^odd,"name\\x1b\[31m\t0$/m)
  assert.match(await ok("list_queues", "-f", "pretty_table"), /^zz +0$/m)
  assert.equal(await ok("list_queues", "-s", "--no-table-headers", "--match", "zz", "name"), "zz\n")
  assert.equal(
    await ok(
      "-q",
      "--no-table-headers",
      "list_queues",
      "name",
      "--sort",
      "name",
      "--reverse",
      "--limit",
      "1",
    ),
    "zz\n",
  )
  assert.deepEqual(await json("list_queues", "name,messages", "--match", "^z+$", "--regex"), [
    { name: "zz", messages: 0 },
  ])
  const watched = await ctl([
    "list_queues",
    "-q",
    "--watch",
    "1",
    "--watch-count",
    "2",
    "--match",
    "zz",
  ])
  assert.equal(watched.stdout, "name\tmessages\nzz\t0\nname\tmessages\nzz\t0\n")
  await refused(64, /columns are: name, /, "list_queues", "nonsense")
  await refused(64, /--format/, "list_queues", "--format", "xml")
  await ok("delete_queue", "zz")
  await ok("delete_queue", 'odd,"name\u001b[31m')
})

test("more rows than a page, in a stream", async () => {
  const channel = await client.createChannel()
  for (let i = 0; i < 1203; i++) await channel.assertQueue(`many-${String(i)}`, { exclusive: true })
  assert.equal((await rowsOf("list_queues", "name", "--match", "many-")).length, 1203)
  assert.equal(
    (await ok("list_queues", "-q", "--no-table-headers", "name")).split("\n").length,
    1204,
  )
  await client.close()
  client = await connect(broker.url)
  client.on("error", () => {})
})

test("command lines that make no sense", async () => {
  await refused(64, /there is no command 'list_queue'; did you mean list_queues/, "list_queue")
  await refused(64, /missing required argument 'user'/, "add_user")
  await refused(64, /unknown option '--nope'/, "status", "--nope")
  await refused(64, /too many arguments/, "status", "x")
  await refused(64, /a command is missing/)
  await refused(64, /no whole number/, "status", "--timeout", "soon")
  for (const command of COMMANDS.filter(({ isAbsent }) => isAbsent === true))
    assert.match(command.summary, /^Not available: /)
  await refused(69, /join_cluster has no counterpart/, "join_cluster", "rabbit@x", "--ram")
  assert.match(await ok("--help"), /^Without counterpart:$/m)
  assert.match(await ok("help", "list_queues"), /^Columns/m)
  assert.match(await ok("add_user", "--help"), /^Usage: sluicectl add_user <user> \[password\]/)
  assert.match(await ok("--version"), /^\d+\.\d+\.\d+/)
  assert.match(await ok("version"), /^\d+\.\d+\.\d+/)
  assert.match(await ok("--build-info"), /Node\.js/)
  for (const shell of ["bash", "zsh", "fish"])
    assert.match(await ok("completion", shell), /list_queues/)
})

test("the script for bash completes", async () => {
  const script = join(root, "completion.bash")
  writeFileSync(script, await ok("completion", "bash"))
  const complete = (words: readonly string[]): string[] => {
    const line = words.map((word) => `'${word}'`).join(" ")
    const { stdout, stderr } = spawnSync("bash", [
      "-c",
      `source ${script}; COMP_WORDS=(${line}); COMP_CWORD=${String(words.length - 1)}; _sluicectl; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ])
    assert.equal(stderr.toString(), "")
    return stdout.toString().trim().split("\n")
  }
  assert.deepEqual(complete(["sluicectl", "purge"]), ["purge_queue"])
  assert.ok(
    complete(["sluicectl", "-p", "v", "list_queues", "messages_"]).includes("messages_ready"),
  )
  assert.deepEqual(complete(["sluicectl", "store", ""]), ["check"])
  assert.deepEqual(complete(["sluicectl", "add_user", "--ta"]), ["--tags"])
})

test("over HTTP, with credentials", async () => {
  const url = `http://127.0.0.1:${String(httpPort)}`
  assert.match(
    await ok("status", "--uri", url, "--user", "guest", "--password", "guest"),
    /Version/,
  )
  assert.match(await ok("-H", url.replace("//", "//guest:guest@"), "status"), /Version/)
  const port = ["--hostname", "127.0.0.1", "--port", String(httpPort)]
  assert.match(await ok(...port, "status"), /Version/)
  const env = { SLUICECTL_HOST: url, SLUICECTL_PASSWORD: "guest", SLUICECTL_USER: "guest" }
  assert.equal((await ctl(["status"], env)).status, 0)
  const wrong = await ctl(["status"], { ...env, SLUICECTL_PASSWORD: "top-secret" })
  assert.equal(wrong.status, 77)
  assert.match(wrong.stderr, /wrong user or password/)
  assert.doesNotMatch(wrong.stderr, /top-secret/)
  await refused(64, /cannot be combined/, "status", "--uri", url, "--port", "1")
  await refused(
    69,
    /no broker at http:\/\/127\.0\.0\.1:1 /,
    "status",
    "-U",
    "http://u:hidden@127.0.0.1:1",
  )
  await refused(69, /control socket only/, "stop", "--uri", url)
  const absent = await ctl(["status"], { SLUICE_CONTROL_UNIX_PATH: join(root, "none.sock") })
  assert.equal(absent.status, 69)
  assert.match(absent.stderr, /none\.sock/)
  const searched = await ctl(["status"], { SLUICE_DATADIR: root })
  assert.equal(searched.status, 69)
  assert.match(searched.stderr, /\.\/data\/control\.sock, \/var\/lib\/sluice\/control\.sock/)
})

test("saved targets", async () => {
  const url = `http://guest:guest@127.0.0.1:${String(httpPort)}`
  await ok("context", "add", "prod", url)
  const file = join(root, "config", "sluice", "contexts.json")
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.match(await ok("--context", "prod", "status"), /Version/)
  await ok("context", "use", "prod")
  const rows = await json("context", "list")
  assert.deepEqual(rows, [
    {
      name: "prod",
      uri: `http://127.0.0.1:${String(httpPort)}`,
      user: "guest",
      has_password: true,
      current: true,
    },
  ])
  await refused(69, /control socket only/, "stop")
  await ok("context", "use")
  await ok("context", "remove", "prod")
  assert.deepEqual(await json("context", "list"), [])
  await refused(64, /there is no context/, "--context", "prod", "status")
})

test("the control socket: for the owner only, a hidden administrator, in the audit", async () => {
  const socket = join(data, "control.sock")
  assert.equal(statSync(socket).mode & 0o777, 0o600)
  assert.doesNotMatch(await ok("list_users"), /__direct/)
  await ok("add_vhost", "hidden")
  assert.deepEqual(await json("list_permissions", "-p", "hidden"), [])
  await ok("create_queue", "-p", "hidden", "works", "--durable")
  await ok("delete_vhost", "hidden")
})

test("definitions: export, import, and the dump of a stopped broker is the same", async () => {
  await ok("add_vhost", "defs", "--default-queue-type", "quorum")
  await ok("create_queue", "-p", "defs", "d1", "--durable", "--max-length", "9")
  await ok("create_queue", "-p", "defs", "gone", "--durable")
  await ok("create_exchange", "-p", "defs", "headers", "h1", "--durable")
  await ok("create_binding", "-p", "defs", "h1", "d1", "--arguments", '{"x-match":"any","n":1}')
  await ok("create_binding", "-p", "defs", "amq.topic", "d1", "a.#")
  await ok("create_binding", "-p", "defs", "amq.topic", "h1", "b", "--to-exchange")
  await ok("delete_queue", "-p", "defs", "gone")
  await ok("set_permissions", "-p", "defs", "bob", "a", "b", "c")
  await ok("set_topic_permissions", "-p", "defs", "bob", "amq.topic", "x", "y")
  await ok("set_policy", "-p", "defs", "pol", ".*", '{"message-ttl":1000}')
  await ok("set_operator_policy", "-p", "defs", "op", ".*", '{"max-length":1}')
  await ok("set_vhost_limits", "-p", "defs", '{"max-queues":50}')
  await ok("set_user_limits", "bob", '{"max-channels":5}')
  await ok("set_global_parameter", "g", '{"x":[1]}')
  const file = join(root, "definitions.json")
  await ok("export_definitions", file)
  const exported: unknown = JSON.parse(readFileSync(file, "utf8"))
  assert.deepEqual(JSON.parse(await ok("export_definitions")), exported)
  assert.match(await ok("import_definitions", file, "--skip-if-unchanged"), /in effect already/)
  await ok("import_definitions", file)
  await ok("delete_queue", "-p", "defs", "d1")
  const imported = spawned(["import_definitions", "-"], readFileSync(file, "utf8"))
  assert.equal(imported.status, 0, imported.stderr)
  assert.match(await ok("list_queues", "-p", "defs"), /d1/)
  await refused(65, /no such file/, "import_definitions", join(root, "absent.json"))
  await refused(69, /in use by process/, "definitions", data)
  await refused(69, /in use by process/, "store", "check", data)
  await ok("store", "check", data, "--force")

  await ok("stop")
  assert.equal((await broker.exited()).code, 0)
  assert.equal(existsSync(join(data, "control.sock")), false)
  await refused(69, /no broker on this machine/, "status")
  const dumped: unknown = JSON.parse(await ok("definitions", data))
  assert.deepEqual(JSON.parse(await ok("definitions", "dump", data)), dumped)
  assert.match(await ok("store", "check", data), /^problems: 0$/m)

  broker = await BrokerProcess.start({ dataDirectory: data })
  assert.deepEqual(dumped, JSON.parse(await ok("export_definitions")))
  // Without a port for HTTP the control socket is there all the same.
  assert.doesNotMatch(broker.stdout, /Management on/)
  await ok("stop", "--no-wait")
  await broker.exited()
})

test("store check finds damage and says where", async () => {
  broker = await BrokerProcess.start({ dataDirectory: data })
  const one = await connect(broker.url)
  const channel = await one.createConfirmChannel()
  await channel.assertQueue("stored", { durable: true })
  for (let i = 0; i < 50; i++)
    channel.sendToQueue("stored", Buffer.alloc(200, i), { persistent: true })
  await channel.waitForConfirms()
  await one.close()
  await ok("stop")
  await broker.exited()
  assert.match(await ok("store", "check", data), /^messages: 50$/m)
  const { stdout } = spawnSync("find", [data, "-name", "msgs.*"], { encoding: "utf8" })
  const [segment = ""] = stdout.trim().split("\n")
  const bytes = readFileSync(segment)
  bytes[Math.floor(bytes.length / 2)]! ^= 0xff
  writeFileSync(segment, bytes)
  const found = await ctl(["store", "check", data, "--format", "json"])
  assert.equal(found.status, 65, found.stderr)
  const problems: unknown = JSON.parse(found.stdout)
  assert.ok(Array.isArray(problems))
  const { queue, path } = fieldsOf(problems[0])
  assert.deepEqual([queue, path], ["stored", segment])
  await refused(65, /no data directory/, "store", "check", root)
  await refused(65, /is no directory/, "definitions", join(root, "absent"))
})

test("a broker that starts later is waited for; a path that is too long is a warning", async () => {
  const waiting = new RunningProcess(["src/bin/sluicectl.ts", "await_startup", "--timeout", "30"], {
    SLUICE_DATADIR: join(root, "later"),
    HOME: root,
    XDG_CONFIG_HOME: root,
  })
  await waiting.waitForOutput(/Waiting/)
  const later = await BrokerProcess.start({ dataDirectory: join(root, "later") })
  assert.equal((await waiting.exited()).code, 0, waiting.stderr)
  await later.stop()
  const long = join(root, "x".repeat(100))
  const third = await BrokerProcess.start({ dataDirectory: long })
  await eventually(async () => assert.match(third.stderr, /no control socket/))
  await third.stop()
  const off = await BrokerProcess.start({
    dataDirectory: join(root, "off"),
    flags: ["--control-unix-path", "off"],
  })
  assert.equal(existsSync(join(root, "off", "control.sock")), false)
  await off.stop()
})

test("the password cannot be seen in the list of processes", async () => {
  const child = spawn(
    process.execPath,
    [
      "src/bin/sluicectl.ts",
      "await_startup",
      "--uri",
      "http://u@127.0.0.1:1",
      "--password",
      "visible",
    ],
    { env: environment(), stdio: ["ignore", "pipe", "ignore"] },
  )
  try {
    await new Promise((resolve) => child.stdout.once("data", resolve))
    const shown = readFileSync(`/proc/${String(child.pid)}/cmdline`, "utf8")
    assert.doesNotMatch(shown, /visible/)
  } finally {
    child.kill("SIGKILL")
  }
})

test("every verb of the table was used here", async () => {
  const missing = COMMANDS.filter(
    ({ name, isAbsent }) => isAbsent !== true && !used.has(name) && name !== "",
  ).map(({ name }) => name)
  assert.deepEqual(missing, [])
  for (const command of COMMANDS)
    for (const call of callsOf(command)) assert.match(call, /^(GET|PUT|POST|DELETE) \/api\//)
})
