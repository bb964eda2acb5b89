/** How many connections, channels, consumers and queues there may be: who is refused, and in which words. */
import assert from "node:assert/strict"
import type { WireClient } from "../support/wire-client.ts"
import { eventually } from "../support/eventually.ts"
import { consume, declare, wireTest, type WireTest } from "./harness.ts"

/** A connection that has answered connection.tune. */
async function tuned(wire: WireTest, user = "guest"): Promise<WireClient> {
  const client = await wire.connect()
  client.sendHeader()
  await client.expect("connection.start")
  client.startOk({ user, password: user })
  const tune = await client.expect("connection.tune")
  client.tuneOk({ channelMax: tune.channelMax, frameMax: tune.frameMax, heartbeat: 0 })
  return client
}

async function expectRefusal(client: WireClient, text: string, vhost = "/"): Promise<void> {
  client.send("connection.open", 0, { vhost })
  await client.expectConnectionClose({ code: 530, text, method: "connection.open" })
}

async function addUser(wire: WireTest, name: string): Promise<void> {
  const { users } = wire.broker()
  await users.put(name, { password: name })
  await users.setPermissions(name, "/", { configure: ".*", write: ".*", read: ".*" })
}

wireTest(
  "the node refuses connections above its limit, and takes them again",
  async (wire) => {
    const first = await wire.open()
    await wire.open()
    const text = "NOT_ALLOWED - connection refused: node connection limit (2) is reached"
    await expectRefusal(await tuned(wire), text)
    await expectRefusal(await tuned(wire), text, "missing") // Before the vhost is looked up.
    await first.close()
    await eventually(() => assert.equal(wire.broker().admission.connectionCount, 1))
    const third = await wire.open()
    await third.reset()
    await eventually(() => assert.equal(wire.broker().admission.connectionCount, 1))
  },
  { maxConnections: 2 },
)

wireTest("connections that die within the handshake do not count", async (wire) => {
  const half = await tuned(wire)
  assert.equal(wire.broker().admission.connectionCount, 0)
  await half.reset()
  const silent = await wire.connect()
  await silent.reset()
  const refused = await tuned(wire)
  await expectRefusal(refused, "NOT_ALLOWED - vhost missing not found", "missing")
  assert.equal(wire.broker().admission.connectionCount, 0)
  const open = await wire.open()
  assert.equal(wire.broker().admission.connectionCount, 1)
  // An error of the connection gives its place back at once, and only once.
  open.send("basic.qos", 0)
  await open.expectConnectionClose({ code: 504 })
  assert.equal(wire.broker().admission.connectionCount, 0)
  assert.equal(wire.broker().admission.connectionsOfVhost("/"), 0)
  assert.equal(wire.broker().admission.connectionsOfUser("guest"), 0)
})

wireTest("a vhost refuses connections above its limit", async (wire) => {
  const { limits } = wire.broker().vhosts.get("/")!
  await limits.set("max-connections", 1)
  const first = await wire.open()
  const text =
    "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is reached"
  await expectRefusal(await tuned(wire), text)
  await limits.set("max-connections", 0)
  await expectRefusal(await tuned(wire), text.replace("(1)", "(0)"))
  await first.openChannel(1) // Whoever is in stays.
  await limits.set("max-connections", -1)
  await wire.open()
})

wireTest("a user is refused above his limit, others are not", async (wire) => {
  await addUser(wire, "app")
  const { userLimits } = wire.broker()
  await userLimits.set("app", "max-connections", 1)
  const app = await wire.open({ user: "app", password: "app" })
  await expectRefusal(
    await tuned(wire, "app"),
    "NOT_ALLOWED - connection refused for user 'app': user connection limit (1) is reached",
  )
  await wire.open()
  await app.close()
  await eventually(() => assert.equal(wire.broker().admission.connectionsOfUser("app"), 0))
  await wire.open({ user: "app", password: "app" })
})

wireTest("the limits are checked in RabbitMQ's order", async (wire) => {
  await addUser(wire, "app")
  const broker = wire.broker()
  await broker.users.setPermissions("app", "/", { configure: "", write: "", read: "" })
  await broker.userLimits.set("app", "max-connections", 0)
  const { limits } = broker.vhosts.get("/")!
  await limits.set("max-connections", 0)
  await expectRefusal(
    await tuned(wire, "app"),
    "NOT_ALLOWED - access to vhost '/' refused for user 'app': connection limit (0) is reached",
  )
  await expectRefusal(await tuned(wire, "app"), "NOT_ALLOWED - vhost other not found", "other")
  await limits.set("max-connections", -1)
  await expectRefusal(
    await tuned(wire, "app"),
    "NOT_ALLOWED - connection refused for user 'app': user connection limit (0) is reached",
  )
})

wireTest("a user's channels are counted over all his connections", async (wire) => {
  await addUser(wire, "app")
  const { userLimits, admission } = wire.broker()
  await userLimits.set("app", "max-channels", 3)
  const first = await wire.open({ user: "app", password: "app" })
  const second = await wire.open({ user: "app", password: "app" })
  await first.openChannel(1)
  await first.openChannel(2)
  await second.openChannel(1)
  await first.call("channel.close", 2, { replyCode: 200 })
  await second.openChannel(2)
  assert.equal(admission.channelsOfUser("app"), 3)
  second.send("channel.open", 7)
  await second.expectConnectionClose({
    code: 530,
    text:
      "NOT_ALLOWED - number of channels opened for user 'app' has reached the maximum allowed " +
      "user limit of (3)",
    method: "channel.open",
  })
  assert.equal(admission.channelsOfUser("app"), 1)
  // A channel that an error closed counts until close-ok.
  first.send("queue.declare", 1, { queue: "missing", passive: true })
  await first.expectChannelClose(1, { code: 404 })
  await first.openChannel(1)
  assert.equal(admission.channelsOfUser("app"), 1)
  const other = await wire.channel(3)
  await other.close()
  await first.close()
  assert.equal(admission.channelsOfUser("app"), 0)
  assert.equal(admission.channelsOfUser("guest"), 0)
})

wireTest(
  "a channel takes so many consumers and no more",
  async (wire) => {
    const client = await wire.channel(2)
    await declare(client, "q")
    await consume(client, "q")
    const tag = await consume(client, "q")
    await consume(client, "q", { channel: 2 })
    await client.call("basic.cancel", 1, { consumerTag: tag })
    await consume(client, "q")
    await consume(client, "amq.rabbitmq.reply-to", { noAck: true }) // It is none of a queue.
    client.send("basic.consume", 1, { queue: "q" })
    await client.expectConnectionClose({
      code: 530,
      text: "NOT_ALLOWED - reached maximum (2) of consumers per channel",
      method: "basic.consume",
    })
  },
  { maxConsumersPerChannel: 2 },
)

wireTest("a channel number above the negotiated one is refused", async (wire) => {
  const client = await wire.open({ channelMax: 2 })
  await client.openChannel(1)
  await client.openChannel(2)
  client.send("channel.open", 3)
  await client.expectConnectionClose({
    code: 530,
    text: "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)",
    method: "channel.open",
  })
})

wireTest("a vhost takes so many queues and no more", async (wire) => {
  const client = await wire.channel()
  const { limits } = wire.broker().vhosts.get("/")!
  await limits.set("max-queues", 1)
  await declare(client, "q")
  await declare(client, "q") // It is there already.
  client.send("queue.declare", 1, { queue: "r" })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - cannot declare queue 'r': queue limit in vhost '/' (1) is reached",
    method: "queue.declare",
  })
  await client.openChannel(1)
  await client.call("queue.delete", 1, { queue: "q" })
  await declare(client, "r")
  await limits.set("max-queues", -1)
})

wireTest(
  "connections that have not logged in are limited by themselves, and those that have stay",
  async (wire) => {
    const open = await wire.open()
    const starting = [await tuned(wire), await wire.connect(), await tuned(wire)]
    await eventually(() => assert.equal(wire.broker().connections.size, 4))
    const refused = await wire.connect()
    await refused.expectClosed()
    assert.equal(wire.broker().connections.size, 4)
    // Those before it are not touched: the first of them goes on, and makes room.
    const first = starting[0]!
    first.send("connection.open", 0, { vhost: "/" })
    await first.expect("connection.open-ok")
    await wire.open()
    await open.openChannel(1)
    for (const client of starting.slice(1)) await client.reset()
  },
  { maxHandshakes: 3 },
)
