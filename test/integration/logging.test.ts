/** The log of the program itself: what it says of a session's life, into a file, to the journal, after SIGHUP. */
import assert from "node:assert/strict"
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { connect } from "amqplib"
import { BrokerProcess } from "../support/broker-process.ts"
import { eventually } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

type Line = Readonly<Record<string, unknown>>

function linesOf(text: string): Line[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): Line => JSON.parse(line))
}

function find(lines: readonly Line[], text: string): Line {
  const found = lines.filter(({ msg }) => msg === text)
  assert.equal(found.length, 1, `${text}: ${JSON.stringify(lines)}`)
  return found[0]!
}

test("each thing that happens is one line that says who, what and why", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const broker = await BrokerProcess.start({ dataDirectory, flags: ["--log-level", "debug"] })
  context.after(() => broker.stop("SIGKILL"))
  const connection = await connect(broker.url, { clientProperties: { connection_name: "shop" } })
  const channel = await connection.createChannel()
  channel.on("error", () => {})
  await channel.assertQueue("orders", { durable: true })
  await assert.rejects(channel.checkQueue("absent"))
  await connection.close()
  const url = new URL(broker.url)
  url.password = "wrong-password"
  await assert.rejects(connect(String(url)))
  await broker.stop()
  assert.equal(broker.stderr.includes("wrong-password"), false)
  const lines = linesOf(broker.stderr)
  const started = find(lines, "broker started")
  assert.equal(started["dataDirectory"], dataDirectory)
  assert.deepEqual(started["amqp"], [`127.0.0.1:${String(broker.port)}`])
  const opened = find(lines, "connection opened")
  const who = { client: "shop", user: "guest", vhost: "/", connection: opened["connection"] }
  assert.match(JSON.stringify(who.connection), /^"127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+"$/)
  for (const [name, value] of Object.entries(who)) assert.equal(opened[name], value)
  const refused = find(lines, "channel closed because of an error")
  assert.deepEqual(
    { ...refused, time: 0 },
    {
      level: 40,
      time: 0,
      ...who,
      channel: 1,
      code: 404,
      method: "queue.declare",
      reason: "no queue 'absent' in vhost '/'",
      msg: "channel closed because of an error",
    },
  )
  const closed = find(lines, "connection closed by the client")
  assert.equal(closed["code"], 200)
  assert.equal(find(lines, "login refused")["user"], "guest")
  assert.equal(find(lines, "queue declared")["queue"], "orders")
  assert.equal(find(lines, "broker stopped")["level"], 30)
})

test("the log file is opened again at SIGHUP, and stays where it is if it cannot be", async (context) => {
  const directory = temporaryDirectory(context)
  const [config, log, moved] = ["sluice.ini", "sluice.log", "moved.log"].map((name) =>
    join(directory, name),
  )
  const configure = (path: string, level: string): void =>
    writeFileSync(config!, `[main]\nlog_file = ${path}\nlog_level = ${level}\n`)
  configure(log!, "info")
  const broker = await BrokerProcess.start({
    dataDirectory: join(directory, "data"),
    flags: ["--config", config!],
  })
  context.after(() => broker.stop("SIGKILL"))
  find(linesOf(readFileSync(log!, "utf8")), "broker started")
  renameSync(log!, moved!)
  broker.child.kill("SIGHUP")
  await eventually(() => {
    assert.ok(existsSync(log!))
    find(linesOf(readFileSync(log!, "utf8")), "configuration was read again")
  })
  configure(join(directory, "absent", "x.log"), "debug")
  broker.child.kill("SIGHUP")
  await eventually(() => {
    const lines = linesOf(readFileSync(log!, "utf8"))
    find(lines, "the log stays where it is: its file cannot be opened")
  })
  await broker.stop()
  assert.equal(broker.stderr, "")
  find(linesOf(readFileSync(log!, "utf8")), "broker stopped")
  const audit = linesOf(readFileSync(join(directory, "data", "audit.log"), "utf8"))
  assert.deepEqual(
    audit.map(({ peer, action, status }) => ({ peer, action, status })),
    Array.from({ length: 2 }, () => ({ peer: "signal", action: "reload", status: 200 })),
  )
})

test("under systemd lines have a priority and no time", async (context) => {
  const broker = await BrokerProcess.start({
    dataDirectory: join(temporaryDirectory(context), "data"),
    env: { JOURNAL_STREAM: "8:12345" },
  })
  context.after(() => broker.stop("SIGKILL"))
  await broker.stop()
  for (const line of broker.stderr.trimEnd().split("\n")) assert.match(line, /^<[3467]>\w/)
  assert.match(broker.stderr, /^<6>broker started version=\d/m)
})

test("a log file that cannot be opened ends the start with one line", async (context) => {
  const directory = temporaryDirectory(context)
  const flags = ["--log-file", join(directory, "absent", "x.log")]
  await assert.rejects(
    BrokerProcess.start({ dataDirectory: join(directory, "data"), flags }),
    /sluice: the log file .*x\.log cannot be opened: ENOENT \(see log_file\)/,
  )
})
