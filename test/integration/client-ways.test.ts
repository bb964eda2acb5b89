/** The ways to the broker (TLS, certificates, Unix sockets, the same process), and how they end. */
import assert from "node:assert/strict"
import { connect, createServer } from "node:net"
import type { Socket } from "node:net"
import { join } from "node:path"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { LINK_USER } from "../../src/auth/direct-user.ts"
import type { ClientChannel } from "../../src/client/channel.ts"
import { AmqpClient } from "../../src/client/client.ts"
import type { ClientConnection } from "../../src/client/connection.ts"
import { ClientError } from "../../src/client/errors.ts"
import { LocalDialer } from "../../src/client/local-transport.ts"
import type { LocalSocket } from "../../src/client/local-transport.ts"
import { PublishTarget } from "../../src/client/publish-target.ts"
import { Reconnector } from "../../src/client/reconnector.ts"
import { MessageCycle } from "../../src/client/message-cycle.ts"
import { SocketDialer } from "../../src/client/socket-dialer.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import { Connection } from "../../src/session/connection.ts"
import { OutboxPool } from "../../src/session/outbox.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { SystemClock } from "../../src/util/clock.ts"
import { systemRandom } from "../../src/util/random.ts"
import { BrokerProcess } from "../support/broker-process.ts"
import { CertificateAuthority } from "../support/certificates.ts"
import { eventually, within } from "../support/eventually.ts"
import { InternalErrors } from "../support/internal-errors.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const QUEUE = new PublishTarget({ routingKey: "q" })

async function start(context: TestContext, options: BrokerStartOptions): Promise<RunningBroker> {
  const logger = new InternalErrors()
  const running = await startBroker({ logger, ...options })
  context.after(async () => {
    await running.close()
    logger.assertNone()
  })
  return running
}

/** Messages of several sizes there and back, with confirms. */
async function pass(connection: ClientConnection): Promise<void> {
  const channel = await connection.openChannel()
  await channel.declareQueue("q")
  await channel.confirmSelect()
  const sizes = [0, 10, 70_000, 500_000]
  for (const size of sizes) channel.publish(QUEUE, Buffer.alloc(size, "abc"))
  await eventually(() => assert.equal(channel.unconfirmedCount, 0))
  const received: number[] = []
  await channel.consume("q", {
    noAck: true,
    onDelivery: ({ body }) => {
      assert.ok(body.equals(Buffer.alloc(body.length, "abc")))
      received.push(body.length)
    },
  })
  await eventually(() => assert.deepEqual(received, sizes))
  await channel.close()
}

async function fails(connecting: Promise<ClientConnection>, kind: string): Promise<string> {
  const error: unknown = await connecting.then(
    () => null,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ClientError, String(error))
  assert.equal(error.kind, kind, error.message)
  return error.message
}

test("TLS: an authority of one's own, a wrong one, a wrong name, an expired certificate", async (context) => {
  const folder = temporaryDirectory(context)
  const ca = new CertificateAuthority(folder)
  const stranger = new CertificateAuthority(folder, "stranger")
  const { amqpTlsPort } = await start(context, {
    amqp: { port: null, tls: { port: 0, ...ca.issue("server", { names: ["localhost"] }) } },
  })
  const client = new AmqpClient()
  const uri = (query: string, host = "localhost"): string =>
    `amqps://guest:guest@${host}:${String(amqpTlsPort)}?${query}`
  const connection = await client.connect(uri(`cacertfile=${ca.file}`))
  await pass(connection)
  await connection.close()
  const byAddress = await client.connect(uri(`cacertfile=${ca.file}`, "127.0.0.1"))
  await byAddress.close()
  const unchecked = await client.connect(uri("verify=verify_none"))
  await unchecked.close()
  await fails(client.connect(uri("")), "connect")
  await fails(client.connect(uri(`cacertfile=${stranger.file}`)), "connect")
  const otherName = `cacertfile=${ca.file}&server_name_indication=elsewhere.test`
  assert.match(await fails(client.connect(uri(otherName)), "connect"), /altnames|elsewhere/)
  const plain = `amqp://guest:guest@localhost:${String(amqpTlsPort)}`
  await fails(client.connect(plain), "connect")
  const late = await start(context, {
    amqp: { port: null, tls: { port: 0, ...ca.issue("late", { days: -1 }) } },
  })
  const expired = `amqps://guest:guest@localhost:${String(late.amqpTlsPort)}?cacertfile=${ca.file}`
  assert.match(await fails(client.connect(expired), "connect"), /expired/)
})

test("EXTERNAL: the certificate says who it is, and without one there is no way in", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const server = { ...ca.issue("server"), ca: ca.pem, verifyPeer: true }
  const running = await start(context, { amqp: { port: null, tls: { port: 0, ...server } } })
  await running.administration.putUser("orders", { tags: [] })
  const all = { configure: ".*", write: ".*", read: ".*" }
  await running.administration.setPermissions("orders", "/", all)
  const files = ca.issueFiles("orders")
  const base = `amqps://localhost:${String(running.amqpTlsPort)}?cacertfile=${ca.file}&auth_mechanism=external`
  const client = new AmqpClient()
  const connection = await client.connect(`${base}&certfile=${files.cert}&keyfile=${files.key}`)
  await pass(connection)
  const [session] = running.broker.connections
  assert.equal(session?.inspected.describe().user, "orders")
  await connection.close()
  const nobody = ca.issueFiles("nobody")
  const refused = client.connect(`${base}&certfile=${nobody.cert}&keyfile=${nobody.key}`)
  assert.match(await fails(refused, "authentication"), /403|refused/i)
  await fails(client.connect(base), "connect")
})

test("a Unix socket", async (context) => {
  const unixPath = join(temporaryDirectory(context), "amqp.sock")
  await start(context, { amqp: { port: null, unixPath } })
  const client = new AmqpClient()
  const connection = await client.connect(`amqp+unix://guest:guest@${unixPath}`)
  await pass(connection)
  await connection.close()
  const gone = client.connect(`amqp+unix://guest:guest@${unixPath}.gone`)
  assert.match(await fails(gone, "connect"), /ENOENT/)
})

test("AMQPLAIN and PLAIN log in, a wrong password does not, and a new secret is taken", async (context) => {
  const running = await start(context, { amqp: { port: 0 } })
  const client = new AmqpClient()
  const uri = `amqp://guest:guest@127.0.0.1:${String(running.amqpPort)}`
  for (const mechanism of ["AMQPLAIN", "PLAIN"] as const) {
    const connection = await client.connect(uri, { mechanisms: [mechanism] })
    const [session] = running.broker.connections
    assert.equal(session?.inspected.describe().mechanism, mechanism)
    await connection.updateSecret("guest", "as before")
    await pass(connection)
    await connection.close()
    const wrong = client.connect(uri, { mechanisms: [mechanism], password: "wrong" })
    assert.match(await fails(wrong, "authentication"), /403 ACCESS_REFUSED/)
    const unknown = client.connect(uri, { mechanisms: [mechanism], username: "unknown" })
    assert.match(await fails(unknown, "authentication"), /403 ACCESS_REFUSED/)
  }
})

test("within the process: everything as over a socket, with a full output on either side", async (context) => {
  const running = await start(context, { amqp: { port: null } })
  const clock = new SystemClock()
  let sockets = 0
  const dialer = new LocalDialer({
    clock,
    otherwise: new SocketDialer(),
    accept: (socket: LocalSocket) =>
      new Connection(
        ++sockets,
        running.broker,
        Object.assign(socket, { internalUser: LINK_USER }),
        new OutboxPool(),
        {
          frameMax: 131_072,
          channelMax: 10,
          heartbeatSeconds: 0,
          maxMessageSize: 2 ** 27,
          productVersion: "0",
        },
      ),
  })
  const client = new AmqpClient({ clock, dialer })
  const publisher = await client.connect("amqp://", { mechanisms: ["EXTERNAL"] })
  const consumer = await client.connect("amqp://", { mechanisms: ["EXTERNAL"] })
  await pass(publisher)
  const from = await publisher.openChannel()
  const to = await consumer.openChannel()
  await to.declareQueue("many")
  const count = 30_000
  let received = 0
  await to.consume("many", {
    noAck: true,
    onDelivery: ({ bodySize }) => {
      assert.equal(bodySize, 1000)
      if (++received % 5000 !== 0) return
      consumer.pause() // Back-pressure through the broker to the publisher.
      clock.setImmediate(() => consumer.resume())
    },
  })
  const target = new PublishTarget({ routingKey: "many" })
  const cycle = new MessageCycle([{ target, body: Buffer.alloc(1000, "x") }])
  const pump = (): void => void from.publishCycle(cycle, 0, count - from.publishedCount)
  from.onDrain = pump
  pump()
  await eventually(() => assert.equal(received, count), { timeoutMs: 30_000 })
  await publisher.close()
  await consumer.close()
  await eventually(() => assert.equal(running.broker.connections.size, 0))
  assert.equal(sockets, 2)
})

test("a disk alarm holds the publisher, tells why, and lets it go on", async (context) => {
  const disk = new MemoryDisk({ capacityBytes: 2 ** 40 })
  const running = await start(context, { disk, amqp: { port: 0 }, freeDiskMinBytes: 10 << 20 })
  const client = new AmqpClient()
  const connection = await client.connect(
    `amqp://guest:guest@127.0.0.1:${String(running.amqpPort)}`,
  )
  const told: string[] = []
  connection.onBlocked = (reason) => told.push(reason)
  connection.onUnblocked = () => told.push("go on")
  const channel = await connection.openChannel()
  await channel.declareQueue("q", { durable: true })
  await channel.confirmSelect()
  let drained = 0
  channel.onDrain = () => drained++
  disk.capacityBytes = disk.usedBytes + 1_000_000
  // Only who publishes is told; so each try publishes, if it may.
  await eventually(
    () => {
      if (!connection.isBlocked) channel.publish(QUEUE, Buffer.from("x"))
      assert.deepEqual(told, ["low on disk"])
    },
    { timeoutMs: 20_000 },
  )
  assert.equal(channel.canPublish, false)
  assert.equal(connection.blockedReason, "low on disk")
  assert.equal(channel.publish(QUEUE, Buffer.from("held")), false)
  disk.capacityBytes = 2 ** 40
  await eventually(() => assert.deepEqual(told, ["low on disk", "go on"]), { timeoutMs: 20_000 })
  assert.equal(drained, 1)
  await eventually(() => assert.equal(channel.unconfirmedCount, 0))
  assert.ok(channel.publish(QUEUE, Buffer.from("after")))
  await eventually(() => assert.equal(channel.unconfirmedCount, 0))
  await connection.close()
})

test("cut off in the middle of a message, nothing half is delivered and all who wait are told", async (context) => {
  const running = await start(context, { amqp: { port: 0 } })
  // Lets a number of bytes of the server through, then breaks both sides.
  let left = Number.POSITIVE_INFINITY
  const proxy = createServer((socket) => {
    const onward = connect(running.amqpPort, "127.0.0.1")
    const ends: readonly Socket[] = [socket, onward]
    for (const end of ends) end.on("error", () => {})
    socket.pipe(onward)
    onward.on("data", (bytes: Buffer) => {
      socket.write(bytes.subarray(0, left))
      left -= bytes.length
      if (left > 0) return
      socket.end()
      onward.destroy()
    })
  })
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve))
  context.after(() => proxy.close())
  const address = proxy.address()
  assert.ok(typeof address === "object" && address !== null)
  const client = new AmqpClient()
  const direct = await client.connect(`amqp://127.0.0.1:${String(running.amqpPort)}`)
  context.after(() => direct.close())
  const publisher = await direct.openChannel()
  await publisher.declareQueue("q")
  // Within the method, the content header, the first and a later body frame.
  for (const cut of [5, 30, 60, 90, 1000, 140_000]) {
    left = Number.POSITIVE_INFINITY
    const connection = await client.connect(`amqp://127.0.0.1:${String(address.port)}`)
    const channel = await connection.openChannel()
    let whole = 0
    await channel.consume("q", { consumerTag: "c", onDelivery: () => void whole++ })
    const closed = Promise.withResolvers<ClientError | null>()
    const channelClosed = Promise.withResolvers<ClientError | null>()
    connection.onClosed = closed.resolve
    channel.onClosed = channelClosed.resolve
    const body = Buffer.alloc(300_000, "abc")
    left = cut
    publisher.publish(QUEUE, body)
    assert.equal((await within(closed.promise, "the end"))?.kind, "connection-lost")
    assert.equal((await within(channelClosed.promise, "its end"))?.kind, "connection-lost")
    assert.equal(whole, 0, String(cut))
    await assert.rejects(channel.declareQueue("q"), ClientError)
    await eventually(async () => {
      const message = await publisher.get("q", { noAck: true })
      assert.ok(message?.body.equals(body) === true) // Requeued.
    })
  }
})

test("the reconnector comes back after kill -9 of the broker, and what was confirmed is there", async (context) => {
  const dataDirectory = temporaryDirectory(context)
  let broker = await BrokerProcess.start({ dataDirectory })
  const { url, port } = broker
  context.after(() => broker.stop("SIGKILL"))
  const client = new AmqpClient()
  const up: ClientChannel[] = []
  const reconnector: Reconnector<ClientConnection> = new Reconnector({
    clock: new SystemClock(),
    random: systemRandom,
    delayMs: 50,
    delayMsMax: 200,
    connect: () => client.connect(url),
    onUp: (connection) => {
      connection.onClosed = (error) => reconnector.lost(error)
      void connection.openChannel().then((channel) => up.push(channel))
    },
    discard: (connection) => connection.destroy(),
  })
  context.after(() => reconnector.stop())
  reconnector.start()
  for (let round = 1; round <= 2; round++) {
    const channel = await eventually(() => {
      assert.equal(up.length, round)
      return up[round - 1]!
    })
    assert.equal((await channel.declareQueue("q", { durable: true })).messageCount, round - 1)
    await channel.confirmSelect()
    channel.publish(QUEUE, Buffer.from("kept"), { deliveryMode: 2 })
    await eventually(() => assert.equal(channel.unconfirmedCount, 0))
    await broker.stop("SIGKILL")
    await eventually(() => assert.ok(reconnector.attemptCount > 1))
    assert.match(reconnector.lastErrorText, /ECONNREFUSED|connection lost/)
    broker = await BrokerProcess.start({ dataDirectory, port })
  }
  const last = await eventually(() => {
    assert.equal(up.length, 3)
    return up[2]!
  })
  assert.equal((await last.checkQueue("q")).messageCount, 2)
})
