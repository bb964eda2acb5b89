/** AMQP over a Unix socket, and listening sockets that somebody else has opened. */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, statSync, writeFileSync } from "node:fs"
import { connect as connectSocket, createServer } from "node:net"
import { join } from "node:path"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { connect as connectAmqplib } from "amqplib"
import { activatedSockets } from "../../src/config/activation.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import { eventually } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { WireClient } from "../support/wire-client.ts"

async function start(
  context: TestContext,
  unixPath: string,
  options: BrokerStartOptions = {},
): Promise<RunningBroker> {
  const running = await startBroker({ amqp: { port: null, unixPath }, ...options })
  context.after(() => running.close())
  return running
}

async function open(unixPath: string): Promise<WireClient> {
  const socket = connectSocket({ path: unixPath })
  await once(socket, "connect")
  return WireClient.over(socket).shakeHands()
}

test("a Unix socket counts as this machine, has its mode, and is gone afterwards", async (context) => {
  const unixPath = join(temporaryDirectory(context), "amqp.sock")
  const running = await start(context, unixPath)
  assert.deepEqual(running.addresses, [unixPath])
  assert.equal(statSync(unixPath).mode & 0o777, 0o666)
  const first = await open(unixPath) // As guest, who may log in from here only.
  const second = await open(unixPath)
  await second.openChannel(1)
  const names = [...running.broker.connections].map(({ inspected }) => inspected.name)
  assert.deepEqual(names, [`unix:1 -> ${unixPath}:0`, `unix:2 -> ${unixPath}:0`])
  first.destroy()
  second.destroy()
  await eventually(() => assert.equal(running.broker.connections.size, 0))
  await running.close()
  assert.equal(existsSync(unixPath), false)
})

test("messages pass, more at a time than a socket takes", async (context) => {
  const unixPath = join(temporaryDirectory(context), "amqp.sock")
  const amqp = { port: null, unixPath, unixMode: 0o600 }
  await start(context, unixPath, { amqp })
  assert.equal(statSync(unixPath).mode & 0o777, 0o600)
  const client = await open(unixPath)
  await client.openChannel(1)
  await client.call("queue.declare", 1, { queue: "q" })
  const body = Buffer.alloc(2 << 20, "x")
  for (let i = 0; i < 10; i++) client.publish(1, { routingKey: "q", body })
  await client.call("basic.consume", 1, { queue: "q", noAck: true })
  for (let i = 0; i < 10; i++)
    assert.ok((await client.expect("basic.deliver", 1)).body.equals(body))
  await client.close()
})

test("the file of a dead process is replaced, that of a living one and others are not", async (context) => {
  const directory = temporaryDirectory(context)
  const unixPath = join(directory, "amqp.sock")
  const script = `require("net").createServer().listen(${JSON.stringify(unixPath)}, () => process.kill(process.pid, "SIGKILL"))`
  await once(spawn(process.execPath, ["-e", script], { stdio: "ignore" }), "close")
  assert.ok(existsSync(unixPath))
  await start(context, unixPath)
  const client = await open(unixPath)
  await assert.rejects(startBroker({ amqp: { port: null, unixPath } }), {
    name: "StartError",
    message: /another program listens on the Unix socket/,
  })
  await client.openChannel(1)
  client.destroy()
  const file = join(directory, "file")
  writeFileSync(file, "precious")
  const failures: readonly (readonly [string, RegExp])[] = [
    [file, /is no socket/],
    [join(directory, "none", "amqp.sock"), /directory .* does not exist/],
    [join(directory, "x".repeat(120)), /longer than/],
  ]
  for (const [path, message] of failures)
    await assert.rejects(startBroker({ amqp: { port: null, unixPath: path } }), {
      name: "StartError",
      message,
    })
  assert.equal(statSync(file).size, "precious".length)
})

test("sockets are handed over by name to the process that they are meant for", () => {
  const env = { LISTEN_PID: "42", LISTEN_FDS: "3", LISTEN_FDNAMES: "a:b:a" }
  assert.deepEqual(
    [...activatedSockets(env, 42)],
    [
      ["a", [3, 5]],
      ["b", [4]],
    ],
  )
  assert.equal(activatedSockets(env, 43).size, 0)
  assert.equal(activatedSockets({}, 42).size, 0)
  assert.deepEqual(
    [...activatedSockets({ LISTEN_PID: "42", LISTEN_FDS: "1" }, 42)],
    [["unknown", [3]]],
  )
  for (const count of ["0", "-1", "many", "1e9"])
    assert.equal(activatedSockets({ ...env, LISTEN_FDS: count }, 42).size, 0)
})

test("the command line listens on a socket that was handed over", async (context) => {
  const directory = temporaryDirectory(context)
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  assert.ok(address !== null && typeof address === "object")
  const handle: unknown = Reflect.get(server, "_handle")
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : -1
  assert.ok(typeof fd === "number")
  // The default user may log in from here, which is known by the address.
  const command =
    `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=my-amqp exec ${process.execPath} src/bin/sluice.ts ` +
    `--data-dir ${directory} --http-port off --amqp-socket-name my-amqp --control-unix-path off --metrics-http-port off`
  const child = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "pipe", fd] })
  server.close()
  const ended = once(child, "close")
  let output = ""
  let log = ""
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (log += text))
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text))
  try {
    await eventually(() => assert.match(output, new RegExp(`listens on 127.0.0.1:${address.port}`)))
    const connection = await connectAmqplib(`amqp://127.0.0.1:${address.port}`)
    await eventually(() => assert.match(log, /"127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+"/))
    await connection.close()
  } finally {
    child.kill("SIGTERM")
    await ended
  }
})
