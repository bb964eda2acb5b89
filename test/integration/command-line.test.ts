/** The broker as a program: flags, what it says, signals, exit codes. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { once } from "node:events"
import {
  appendFileSync,
  existsSync,
  globSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { createConnection, createServer } from "node:net"
import { join } from "node:path"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { connect } from "amqplib"
import type { ChannelModel } from "amqplib"
import { BrokerProcess, brokerArguments } from "../support/broker-process.ts"
import type { BrokerProcessOptions } from "../support/broker-process.ts"
import { eventually, within } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { WireClient } from "../support/wire-client.ts"

interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(args: readonly string[]): Outcome {
  const env = { ...process.env, NODE_OPTIONS: "" }
  return spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: 20_000,
    killSignal: "SIGKILL",
    env,
  })
}

function runBroker(...flags: readonly string[]): Outcome {
  return run(["src/bin/sluice.ts", ...flags])
}

async function start(
  context: TestContext,
  options: Partial<BrokerProcessOptions> = {},
): Promise<BrokerProcess> {
  const dataDirectory = options.dataDirectory ?? join(temporaryDirectory(context), "data")
  const broker = await BrokerProcess.start({ ...options, dataDirectory })
  context.after(() => broker.stop("SIGKILL"))
  return broker
}

async function client(broker: BrokerProcess): Promise<ChannelModel> {
  const connection = await connect(broker.url)
  connection.on("error", () => {})
  return connection
}

/** Rejects if nobody listens. */
async function probePort(port: number): Promise<void> {
  const socket = createConnection(port, "127.0.0.1")
  try {
    await once(socket, "connect")
  } finally {
    socket.destroy()
  }
}

function oneLine(text: string): string {
  assert.match(text, /^[^\n]+\n$/, "one line and no stack")
  return text
}

test("--help explains the flags and --version prints the version", () => {
  const help = runBroker("--help")
  assert.equal(help.status, 0)
  assert.match(help.stdout, /--data-dir=DIR/)
  const version = runBroker("-v")
  assert.equal(version.status, 0)
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
})

test("a bad command line ends with 2 and one line that names the flag", () => {
  for (const [flags, expected] of [
    [["--frobnicate"], /unknown flag '--frobnicate'/],
    [["-p", "abc"], /bad value for -p: 'abc' is not a whole number/],
  ] as const) {
    const { status, stderr, stdout } = runBroker(...flags)
    assert.equal(status, 2)
    assert.match(oneLine(stderr), expected)
    assert.equal(stdout, "")
  }
})

test("it says where it listens and where the data is, and makes the directory", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "deep", "data")
  const broker = await start(context, { dataDirectory, bind: "127.0.0.1,::1" })
  await broker.waitForOutput(/Data in /)
  assert.match(broker.stdout, /127\.0\.0\.1:\d+/)
  assert.match(broker.stdout, /\[::1\]:\d+/)
  assert.ok(broker.stdout.includes(`Data in ${dataDirectory}`), broker.stdout)
  assert.ok(existsSync(dataDirectory))
})

test("the environment sets what flags do not", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const { status, stderr } = spawnSync(process.execPath, ["src/bin/sluice.ts"], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "", SLUICE_AMQP_PORT: "x", SLUICE_DATADIR: dataDirectory },
  })
  assert.equal(status, 2)
  assert.match(stderr, /SLUICE_AMQP_PORT/)
})

test("a taken port is named and nothing is left behind", async (context) => {
  const squatter = createServer().listen(0, "127.0.0.1")
  await once(squatter, "listening")
  context.after(() => squatter.close())
  const address = squatter.address()
  assert.ok(typeof address === "object" && address !== null)
  const dataDirectory = join(temporaryDirectory(context), "data")
  const { status, stderr } = run(brokerArguments({ dataDirectory, port: address.port }))
  assert.equal(status, 1)
  assert.match(oneLine(stderr), new RegExp(String(address.port)))
  assert.match(stderr, /in use|taken/)
  // The directory's lock was given back.
  await start(context, { dataDirectory })
})

test("a data directory in use is refused, naming the process that has it", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const first = await start(context, { dataDirectory })
  const { status, stderr } = run(brokerArguments({ dataDirectory }))
  assert.equal(status, 1)
  assert.match(oneLine(stderr), new RegExp(`\\b${String(first.pid)}\\b`))
  assert.ok(stderr.includes(dataDirectory), stderr)
})

test("a lock left by a killed broker does not keep the next from starting", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const first = await start(context, { dataDirectory })
  await first.stop("SIGKILL")
  await start(context, { dataDirectory })
})

test("a data directory that cannot be made or written is explained in one line", (context) => {
  const file = join(temporaryDirectory(context), "file")
  writeFileSync(file, "")
  // Node's recursive mkdir never returns for a directory in /proc: we must not rely on it.
  for (const dataDirectory of [file, join(file, "below"), "/proc/sluice/data"]) {
    const { status, stderr } = run(brokerArguments({ dataDirectory }))
    assert.equal(status, 1, dataDirectory)
    assert.ok(oneLine(stderr).includes(dataDirectory), stderr)
  }
})

for (const signal of ["SIGTERM", "SIGINT"] as const)
  test(`${signal} closes connections with 320 and ends with 0`, async (context) => {
    const broker = await start(context)
    const connection = await client(broker)
    const channel = await connection.createConfirmChannel()
    await channel.assertQueue("q", { durable: true })
    const closed = within(once(connection, "close"), "the close")
    const exit = await within(broker.stop(signal), "the exit")
    assert.deepEqual(exit, { code: 0, signal: null })
    const [reason]: (Error | undefined)[] = await closed
    assert.match(String(reason?.message), /320|CONNECTION[-_]FORCED/)
    assert.doesNotMatch(broker.stderr, /"level":[56]0/, "a stop on request is no error")
  })

test("a second signal does not wait for a client that keeps silent", async (context) => {
  const broker = await start(context)
  const silent = await WireClient.open(broker.port) // It does not answer connection.close by itself.
  broker.child.kill("SIGTERM")
  // The first signal is being handled once the port is closed.
  await eventually(() => assert.rejects(probePort(broker.port)))
  broker.child.kill("SIGTERM")
  assert.equal((await within(broker.exited(), "the exit", 3000)).code, 1)
  silent.destroy()
})

test("durable things survive a restart, transient ones do not", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const first = await start(context, { dataDirectory })
  const before = await (await client(first)).createConfirmChannel()
  await before.assertQueue("durable", { durable: true, arguments: { "x-note": "kept" } })
  await before.assertQueue("transient", { durable: false })
  await before.assertExchange("x.durable", "topic", { durable: true })
  await before.assertExchange("x.transient", "topic", { durable: false })
  await before.assertExchange("x.second", "fanout", { durable: true })
  await before.bindQueue("durable", "x.durable", "a.*")
  await before.bindExchange("x.durable", "x.second", "")
  for (let i = 0; i < 100; i++)
    before.publish("x.second", "a.b", Buffer.from(String(i)), { persistent: true, headers: { i } })
  await before.waitForConfirms()
  for (let i = 0; i < 10; i++) {
    const message = await before.get("durable")
    assert.ok(message)
    before.ack(message)
  }
  await before.checkQueue("durable") // The acknowledgements have arrived.
  assert.equal((await first.stop()).code, 0)

  const second = await start(context, { dataDirectory })
  const connection = await client(second)
  const after = await connection.createChannel()
  const { messageCount } = await after.assertQueue("durable", {
    durable: true,
    arguments: { "x-note": "kept" },
  })
  assert.equal(messageCount, 90)
  const message = await after.get("durable")
  assert.ok(message)
  assert.equal(message.content.toString(), "10")
  assert.deepEqual(message.properties.headers, { i: 10 })
  assert.equal(message.fields.exchange, "x.second")
  await after.checkExchange("x.durable")
  after.publish("x.durable", "a.c", Buffer.from("new"))
  await after.purgeQueue("durable")
  for (const check of ["checkQueue", "checkExchange"] as const) {
    const failing = await connection.createChannel()
    failing.on("error", () => {})
    await assert.rejects(
      failing[check](check === "checkQueue" ? "transient" : "x.transient"),
      /404/,
    )
  }
  await connection.close()
})

test("a start on damaged files says what it did and serves the rest", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const first = await start(context, { dataDirectory })
  const before = await (await client(first)).createConfirmChannel()
  await before.assertQueue("q", { durable: true })
  for (let i = 0; i < 100; i++) {
    before.sendToQueue("q", Buffer.from(`message ${String(i)}`), { persistent: true })
    await before.waitForConfirms()
  }
  await first.stop("SIGKILL")
  const [segment] = globSync(join(dataDirectory, "**", "msgs.*"))
  assert.ok(segment, "no segment file")
  truncateSync(segment, statSync(segment).size - 5)
  appendFileSync(segment, Buffer.alloc(100, 0x55))

  const second = await start(context, { dataDirectory })
  assert.match(second.stdout + second.stderr, /"level":40.*(?:corrupt|damaged|torn|unfinished)/)
  assert.ok(globSync(join(dataDirectory, "**", "*.corrupt*")).length > 0, "nothing was set aside")
  const connection = await client(second)
  const after = await connection.createChannel()
  const { messageCount } = await after.checkQueue("q")
  assert.ok(messageCount >= 99 && messageCount <= 100, String(messageCount))
  for (let i = 0; i < messageCount; i++) {
    const message = await after.get("q", { noAck: true })
    assert.ok(message)
    assert.equal(message.content.toString(), `message ${String(i)}`)
  }
  await connection.close()
})

test("--max-message-size refuses larger bodies", async (context) => {
  const broker = await start(context, { flags: ["--max-message-size", "1K"] })
  const connection = await client(broker)
  const channel = await connection.createChannel()
  const failed = once(channel, "error")
  channel.publish("amq.fanout", "", Buffer.alloc(1024))
  channel.publish("amq.fanout", "", Buffer.alloc(1025))
  const [error]: Error[] = await within(failed, "the refusal")
  assert.match(String(error?.message), /406 \(PRECONDITION[-_]FAILED\).*message size 1025/)
  await connection.close()
})

test("without free disk space publishers are blocked and consumers go on", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const first = await start(context, { dataDirectory })
  const before = await (await client(first)).createConfirmChannel()
  await before.assertQueue("q", { durable: true })
  before.sendToQueue("q", Buffer.from("stored"), { persistent: true })
  await before.waitForConfirms()
  await first.stop()

  const flags = ["--free-disk-min", "1000T"]
  const second = await start(context, { dataDirectory, flags })
  const connection = await client(second)
  const blocked = within(once(connection, "blocked"), "connection.blocked")
  const publisher = await connection.createConfirmChannel()
  publisher.on("error", () => {})
  publisher.sendToQueue("q", Buffer.from("refused"), { persistent: true }, () => {})
  const [reason]: string[] = await blocked
  assert.match(String(reason), /disk/)
  const reader = await client(second)
  const channel = await reader.createChannel()
  const message = await channel.get("q")
  assert.ok(message)
  assert.equal(message.content.toString(), "stored")
  channel.ack(message)
  await reader.close()
})

/** Log entries of the process, of those that are JSON. */
function entriesOf(broker: BrokerProcess): Record<string, unknown>[] {
  return broker.stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): Record<string, unknown> => JSON.parse(line))
}

async function logged(broker: BrokerProcess, message: string, count = 1): Promise<unknown> {
  return await eventually(() => {
    const found = entriesOf(broker).filter(({ msg }) => msg === message)
    assert.equal(found.length, count, `${message}: ${broker.stderr}`)
    return found.at(-1)
  })
}

const READ_AGAIN = "configuration was read again"

test("SIGHUP reads the file again: what can change does, the rest is named", async (context) => {
  const directory = temporaryDirectory(context)
  const file = join(directory, "sluice.ini")
  writeFileSync(file, "[main]\nlog_level = warn\n[amqp]\nmax_connections = 1\nheartbeat = 11\n")
  const broker = await start(context, { flags: ["-c", file, "--channel-max", "100"] })
  const first = await client(broker)
  assert.equal(broker.stderr, "", "log_level is that of the file")
  await assert.rejects(connect(broker.url), /ConnectionClose/)
  writeFileSync(
    file,
    "[main]\nlog_level = info\nsync = false\ndata_dir = elsewhere\n" +
      "[amqp]\nmax_connections = 2\nheartbeat = 12\nchannel_max = 7\nport = 1\n",
  )
  broker.child.kill("SIGHUP")
  assert.deepEqual(Reflect.get(Object(await logged(broker, READ_AGAIN)), "changed"), [
    "main.log_level (at once)",
    "amqp.heartbeat (for new connections)",
    "amqp.max_connections (at once)",
  ])
  const restart = await logged(broker, "changed options need a restart of the broker")
  assert.deepEqual(Reflect.get(Object(restart), "options"), ["main.sync"])
  const second = await WireClient.connect(broker.port)
  second.sendHeader()
  await second.expect("connection.start")
  second.startOk()
  const tune = await second.expect("connection.tune")
  assert.deepEqual([tune.heartbeat, tune.channelMax], [12, 100], "a flag wins over the file")
  second.destroy()
  await (await client(broker)).close()
  await first.close()
})

test("a file that cannot be read again changes nothing", async (context) => {
  const directory = temporaryDirectory(context)
  const file = join(directory, "sluice.ini")
  const text = "[main]\nlog_level = info\n[amqp]\nmax_connections = 1\n"
  writeFileSync(file, text)
  const broker = await start(context, { flags: ["-c", file] })
  const problem = "the configuration stays as it is: it cannot be read"
  const broken = [`${text}max_connections = 2\n`, `${text}heartbeat = soon\n`, `${text}[x]\n`]
  for (const [index, content] of broken.entries()) {
    writeFileSync(file, content)
    broker.child.kill("SIGHUP")
    const entry = await logged(broker, problem, index + 1)
    assert.match(JSON.stringify(entry), /sluice\.ini:5: /)
  }
  rmSync(file)
  broker.child.kill("SIGHUP")
  await logged(broker, problem, broken.length + 1)
  const first = await client(broker)
  await assert.rejects(connect(broker.url), /ConnectionClose/)
  await first.close()
  writeFileSync(file, text)
  broker.child.kill("SIGHUP")
  await logged(broker, READ_AGAIN)
})

test("without a file SIGHUP reads certificates only, and a wrong file ends the start", async (context) => {
  const broker = await start(context, { flags: ["-l", "info"] })
  broker.child.kill("SIGHUP")
  await logged(broker, "SIGHUP: there is no configuration file to read again, only certificates")
  await (await client(broker)).close()
  const file = join(temporaryDirectory(context), "sluice.ini")
  writeFileSync(file, "[amqp]\nprot = 5672\n")
  const wrong = runBroker("--config", file)
  assert.equal(wrong.status, 2)
  assert.match(oneLine(wrong.stderr), /sluice\.ini:2: unknown key prot in \[amqp\] \(known: bind,/)
})

test("the default user and its password are those of the first start", async (context) => {
  const hash = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR" // Of test12.
  const flags = ["--default-user", "boss", "--default-password-hash", hash]
  const broker = await start(context, { flags })
  const url = `amqp://boss:test12@127.0.0.1:${String(broker.port)}`
  await (await connect(url)).close()
  await assert.rejects(connect(broker.url), /ACCESS.REFUSED/)
})
