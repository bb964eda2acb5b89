/** Users and their permissions, changed while clients are connected. */
import assert from "node:assert/strict"
import type { Administration } from "../../src/broker/administration.ts"
import { Refusal } from "../../src/broker/errors.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { eventually } from "../support/eventually.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import type { WireClient } from "../support/wire-client.ts"
import {
  consume,
  countsOf,
  declare,
  get,
  publishAndWait,
  publishTo,
  receiveBodies,
  table,
  text,
  wireTest,
  type WireTest,
} from "./harness.ts"

const ALL = { configure: ".*", write: ".*", read: ".*" }
/** bcrypt of "sésame", cost 4. */
const BCRYPT = "$2b$04$Qgq1Oz9l.KBZqiQ41AYpFeclJhgY8RVFPyR8IWW9Kr0h38N1pFH4i"

async function addUser(wire: WireTest, permissions = ALL): Promise<Administration> {
  const administration = wire.administration()
  await administration.putUser("app", { password: "secret" })
  await administration.setPermissions("app", "/", permissions)
  return administration
}

async function connect(wire: WireTest): Promise<WireClient> {
  const client = await wire.open({ user: "app", password: "secret" })
  await client.openChannel(1)
  return client
}

async function expectRefusal(client: WireClient, wanted: string | RegExp): Promise<void> {
  await client.expectChannelClose(1, { code: 403, text: wanted })
  await client.openChannel(1)
}

async function expectLoginRefused(wire: WireTest, user: string, password: string): Promise<void> {
  const client = await wire.connect()
  client.sendHeader()
  await client.expect("connection.start")
  client.startOk({ user, password, capabilities: { authentication_failure_close: true } })
  await client.expectConnectionClose({
    code: 403,
    text: /^ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN/,
    method: "connection.start-ok",
  })
}

function isRefused(kind: string, wanted: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.kind === kind && wanted.test(error.message)
}

wireTest("a user that is created may log in, and one that is deleted may not", async (wire) => {
  await expectLoginRefused(wire, "app", "secret")
  const administration = await addUser(wire)
  await connect(wire)
  await expectLoginRefused(wire, "app", "wrong")
  await administration.setPassword("app", "other")
  await expectLoginRefused(wire, "app", "secret")
  await wire.open({ user: "app", password: "other" })
  await administration.clearPassword("app")
  await expectLoginRefused(wire, "app", "other")
  await expectLoginRefused(wire, "app", "")
  await administration.deleteUser("app")
  await expectLoginRefused(wire, "app", "other")
})

wireTest("deleting a user closes its connections and no others", async (wire) => {
  const administration = await addUser(wire)
  const other = await wire.channel()
  await declare(other, "q")
  const clients = [await connect(wire), await connect(wire)]
  await consume(clients[0]!, "q")
  await declare(clients[1]!, "own", { exclusive: true })
  // Logged in, and not open yet.
  const half = await wire.connect()
  half.sendHeader()
  await half.expect("connection.start")
  half.startOk({ user: "app", password: "secret" })
  await half.expect("connection.tune")
  await administration.setUserLimit("app", "max-channels", 7)
  await administration.deleteUser("app")
  for (const client of [...clients, half])
    await client.expectConnectionClose({
      code: 320,
      text: "CONNECTION_FORCED - user 'app' was deleted",
      method: null,
    })
  assert.deepEqual(await countsOf(other, "q"), { messages: 0, consumers: 0 })
  assert.equal(wire.vhost.queues.has("own"), false)
  await administration.putUser("app", { password: "secret" })
  assert.deepEqual(administration.getUser("app").limits, {}, "a new user of the name is another")
  assert.deepEqual(administration.listPermissions({ user: "app" }), [])
})

wireTest("hundreds of connections of a deleted user are closed", async (wire) => {
  const administration = await addUser(wire)
  const clients = await Promise.all(Array.from({ length: 100 }, () => connect(wire)))
  await administration.deleteUser("app")
  for (const client of clients) await client.expectConnectionClose({ code: 320 })
  await eventually(() => assert.equal(wire.broker().connections.size, 0))
})

wireTest("changed permissions hold at once on open channels", async (wire) => {
  const administration = await addUser(wire)
  const client = await connect(wire)
  await declare(client, "q")
  await consume(client, "q", { noAck: true })
  publishTo(client, "q", "1", "2")
  assert.deepEqual(await receiveBodies(client, 2), ["1", "2"])
  await administration.setPermissions("app", "/", { ...ALL, write: "^other" })
  publishTo(client, "q", "3")
  await expectRefusal(
    client,
    "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'app'",
  )
  await administration.setPermissions("app", "/", ALL)
  await publishAndWait(client, { routingKey: "q", body: text("4") })
  assert.equal((await get(client, "q"))?.body.toString(), "4")
  await administration.clearPermissions("app", "/")
  for (const method of ["declare", "purge", "delete"] as const) {
    client.send(`queue.${method}`, 1, { queue: "q" })
    await expectRefusal(client, /access to queue 'q' in vhost '\/' refused for user 'app'/)
  }
  const late = await wire.connect()
  late.sendHeader()
  await late.expect("connection.start")
  late.startOk({ user: "app", password: "secret" })
  const tune = await late.expect("connection.tune")
  late.tuneOk({ ...tune, heartbeat: 0 })
  late.send("connection.open", 0, { vhost: "/" })
  await late.expectConnectionClose({
    code: 530,
    text: "NOT_ALLOWED - access to vhost '/' refused for user 'app'",
  })
})

wireTest("a consumer stays when its queue may no longer be read", async (wire) => {
  const administration = await addUser(wire)
  const client = await connect(wire)
  await declare(client, "q")
  await consume(client, "q", { noAck: true })
  await administration.setPermissions("app", "/", { ...ALL, read: "" })
  publishTo(client, "q", "still")
  assert.deepEqual(await receiveBodies(client, 1), ["still"])
  client.send("basic.consume", 1, { queue: "q" })
  await expectRefusal(client, /read access to queue 'q'/)
})

wireTest("a passive declaration takes any one permission on the name", async (wire) => {
  const administration = await addUser(wire, { configure: "", write: "", read: "" })
  const admin = await wire.channel()
  await declare(admin, "q")
  await declare(admin, "other")
  const client = await connect(wire)
  const none = { configure: "", write: "", read: "" }
  for (const kind of ["configure", "write", "read"] as const) {
    await administration.setPermissions("app", "/", { ...none, [kind]: "^(q|amq.topic)$" })
    await client.call("queue.declare", 1, { queue: "q", passive: true })
    await client.call("exchange.declare", 1, { exchange: "amq.topic", passive: true })
    client.send("queue.declare", 1, { queue: "other", passive: true })
    await expectRefusal(client, /configure, write or read access to queue 'other' in vhost '\/'/)
    client.send("exchange.declare", 1, { exchange: "amq.direct", passive: true })
    await expectRefusal(client, /configure, write or read access to exchange 'amq.direct'/)
  }
  // Whether it exists is not told either.
  client.send("queue.declare", 1, { queue: "missing", passive: true })
  await expectRefusal(client, /access to queue 'missing'/)
})

wireTest("tags decide whether another user_id may be claimed", async (wire) => {
  const administration = await addUser(wire)
  const client = await connect(wire)
  await administration.setTags("app", ["impersonator", "impersonator"])
  assert.deepEqual(administration.getUser("app").tags, ["impersonator"])
  await publishAndWait(client, { routingKey: "q", properties: { userId: "guest" }, body: text("") })
  await administration.setTags("app", [])
  client.publish(1, { routingKey: "q", properties: { userId: "guest" }, body: text("") })
  await client.expectChannelClose(1, { code: 406 })
})

wireTest("hashes from elsewhere log in, bcrypt among them", async (wire) => {
  const administration = wire.administration()
  const hashes = [
    ["kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", undefined, "test12"],
    ["ytUIm8s3AnKsXQjptplKFytfVxI=", "rabbit_password_hashing_md5", "simon"],
    [BCRYPT, "lavinmq_bcrypt", "sésame"],
  ] as const
  for (const [passwordHash, hashingAlgorithm, password] of hashes) {
    const request = hashingAlgorithm === undefined ? {} : { hashingAlgorithm }
    await administration.putUser("app", { passwordHash, ...request })
    assert.equal(administration.getUser("app").passwordHash, passwordHash)
    await administration.setPermissions("app", "/", ALL)
    for (let i = 0; i < 2; i++) await wire.open({ user: "app", password })
    await expectLoginRefused(wire, "app", `${password}x`)
  }
})

wireTest("while a password is being compared the client has to wait", async (wire) => {
  await wire.administration().putUser("app", {
    passwordHash: BCRYPT,
    hashingAlgorithm: "lavinmq_bcrypt",
  })
  const hasty = await wire.connect()
  hasty.sendHeader()
  await hasty.expect("connection.start")
  hasty.startOk({ user: "app", password: "sésame" })
  hasty.send("connection.open", 0, { vhost: "/" })
  await hasty.expectConnectionClose({ code: 504, text: /in connection state starting/ })
  const gone = await wire.connect()
  gone.sendHeader()
  await gone.expect("connection.start")
  gone.startOk({ user: "app", password: "sésame" })
  await gone.reset()
})

wireTest("bad requests are refused in words, and change nothing", async (wire) => {
  const administration = await addUser(wire)
  const before = [administration.listUsers(), administration.listPermissions()]
  const missing = isRefused("not-found", /^no (user 'nobody'|vhost 'nowhere')$/)
  const bad = isRefused("precondition-failed", /./)
  await assert.rejects(administration.deleteUser("nobody"), missing)
  await assert.rejects(administration.setTags("nobody", []), missing)
  await assert.rejects(administration.setPassword("nobody", "x"), missing)
  await assert.rejects(administration.clearPassword("nobody"), missing)
  await assert.rejects(administration.setPermissions("nobody", "/", ALL), missing)
  await assert.rejects(administration.setPermissions("app", "nowhere", ALL), missing)
  await assert.rejects(administration.clearPermissions("app", "nowhere"), missing)
  await assert.rejects(administration.setUserLimit("nobody", "max-channels", 1), missing)
  await assert.rejects(administration.setVhostLimit("nowhere", "max-queues", 1), missing)
  await assert.rejects(administration.setPermissions("app", "/", { ...ALL, read: "(" }), bad)
  await assert.rejects(administration.putUser("", { password: "x" }), bad)
  await assert.rejects(administration.putUser("u", { password: "" }), bad)
  await assert.rejects(administration.putUser("u", { password: "a", passwordHash: "b" }), bad)
  await assert.rejects(
    administration.putUser("u", { passwordHash: "AAAA" }),
    isRefused("precondition-failed", /^Invalid digest size 3 for sha256, expected 32$/),
  )
  await assert.rejects(
    administration.putUser("u", { passwordHash: "AAAA", hashingAlgorithm: "rot13" }),
    isRefused("precondition-failed", /unknown password hashing algorithm 'rot13'/),
  )
  await assert.rejects(administration.setUserLimit("app", "max-queues", 1), bad)
  assert.throws(() => administration.getUser("nobody"), missing)
  assert.deepEqual([administration.listUsers(), administration.listPermissions()], before)
})

// ---- topic permissions

function refused(key: string): string {
  return `ACCESS_REFUSED - write access to topic '${key}' in exchange 'amq.topic' in vhost '/' refused for user 'app'`
}

async function limitTopics(wire: WireTest, write: string, read: string): Promise<WireClient> {
  const administration = await addUser(wire)
  await administration.setTopicPermissions("app", "/", "amq.topic", { write, read })
  const client = await connect(wire)
  await declare(client, "q")
  return client
}

wireTest("topic permissions limit routing keys, those of CC and BCC too", async (wire) => {
  const client = await limitTopics(wire, "^app\\.", ".*")
  await client.call("queue.bind", 1, { queue: "q", exchange: "amq.topic", routingKey: "#" })
  const publish = (routingKey: string, headers: Record<string, string[]> = {}): void =>
    client.publish(1, {
      exchange: "amq.topic",
      routingKey,
      properties: { headers: table(headers) },
      body: text(routingKey),
    })
  publish("app.1", { CC: ["app.2"], BCC: ["app.3"] })
  publish("other.1")
  await expectRefusal(client, refused("other.1"))
  publish("app.1", { CC: ["app.2", "other.2"] })
  await expectRefusal(client, refused("other.2"))
  publish("app.1", { BCC: ["other.3"] })
  await expectRefusal(client, refused("other.3"))
  await client.call("tx.select", 1)
  publish("app.1", { CC: ["other.4"] })
  await expectRefusal(client, refused("other.4"))
  assert.equal((await countsOf(client, "q")).messages, 1)
  // Other exchanges and other types are not concerned.
  for (const exchange of ["amq.direct", "amq.fanout", ""])
    await publishAndWait(client, { exchange, routingKey: "other.1", body: text("x") })
})

wireTest("topic permissions limit binding keys, of queues and of exchanges", async (wire) => {
  const client = await limitTopics(wire, ".*", "^{username}\\.|^#\\.{vhost}$")
  const wanted =
    "ACCESS_REFUSED - read access to topic 'other.#' in exchange 'amq.topic' in vhost '/' refused for user 'app'"
  for (const routingKey of ["app.#", "#./"])
    await client.call("queue.bind", 1, { queue: "q", exchange: "amq.topic", routingKey })
  const binding = { queue: "q", exchange: "amq.topic", routingKey: "other.#" }
  client.send("queue.bind", 1, binding)
  await expectRefusal(client, wanted)
  client.send("queue.unbind", 1, binding)
  await expectRefusal(client, wanted)
  const between = { destination: "amq.fanout", source: "amq.topic", routingKey: "other.#" }
  client.send("exchange.bind", 1, between)
  await expectRefusal(client, wanted)
  client.send("exchange.unbind", 1, between)
  await expectRefusal(client, wanted)
  await client.call("exchange.bind", 1, { ...between, routingKey: "app.1" })
  await client.call("queue.bind", 1, { ...binding, exchange: "amq.direct" })
  // A missing exchange is missing, whatever the permissions say.
  client.send("queue.bind", 1, { ...binding, exchange: "none" })
  await client.expectChannelClose(1, { code: 404 })
})

wireTest("topic permissions act at once when they come and go", async (wire) => {
  const administration = await addUser(wire)
  const client = await connect(wire)
  const publish = { exchange: "amq.topic", routingKey: "k", body: text("x") }
  await publishAndWait(client, publish)
  const set = (write: string): Promise<boolean> =>
    administration.setTopicPermissions("app", "/", "amq.topic", { write, read: "" })
  assert.equal(await set("^a"), true)
  client.publish(1, publish)
  await expectRefusal(client, /write access to topic 'k'/)
  assert.equal(await set("^k"), false)
  await publishAndWait(client, publish)
  assert.equal(await set(""), false)
  client.publish(1, publish)
  await expectRefusal(client, /write access to topic 'k'/)
  await administration.clearTopicPermissions("app", "/", "other")
  client.publish(1, publish)
  await expectRefusal(client, /write access to topic 'k'/)
  await administration.clearTopicPermissions("app", "/")
  await publishAndWait(client, publish)
  assert.deepEqual(administration.listTopicPermissions(), [])
})

// ---- disk

wireTest(
  "users, permissions, topic permissions and limits survive a restart",
  async (wire) => {
    let administration = await addUser(wire, { configure: "c", write: "w", read: "r" })
    await administration.putUser("crypt", {
      passwordHash: BCRYPT,
      hashingAlgorithm: "lavinmq_bcrypt",
      tags: ["monitoring", "own"],
    })
    await administration.putUser("none", {})
    await administration.setTopicPermissions("crypt", "/", "t", { write: "a", read: "b" })
    await administration.setUserLimit("crypt", "max-connections", 3)
    const state = (): unknown => [
      administration.listUsers(),
      administration.listPermissions(),
      administration.listTopicPermissions(),
    ]
    const before = state()
    await wire.restart()
    administration = wire.administration()
    assert.deepEqual(state(), before)
    await wire.open({ user: "app", password: "secret" })
    await administration.deleteUser("crypt")
    await wire.restart()
    administration = wire.administration()
    assert.deepEqual(
      administration.listUsers().map(({ name }) => name),
      ["guest", "app", "none"],
    )
    assert.deepEqual(administration.listTopicPermissions(), [])
  },
  { disk: new MemoryDisk() },
)

const faulty = new FaultyDisk()
wireTest(
  "a disk that refuses is reported; what it refused is saved with the next change",
  async (wire) => {
    const administration = await addUser(wire)
    for (const call of ["write", "sync", "rename", "syncDirectory"] as const) {
      faulty.failCall(call, 1, "EIO")
      await assert.rejects(
        administration.setTags("app", [call]),
        isRefused("resource-error", /^the change is in force, but it could not be saved: .*EIO/),
        call,
      )
      assert.deepEqual(administration.getUser("app").tags, [call.toLowerCase()])
    }
    await administration.putUser("later", {})
    await wire.restart()
    assert.deepEqual(wire.administration().getUser("app").tags, ["syncdirectory"])
  },
  { disk: faulty },
)

for (const seed of [1, 2, 3, 4]) {
  const disk = new FaultyDisk()
  disk.writeFile("/memory/schema_version", "1\n") // The directory itself is safe.
  wireTest(
    `a power failure leaves what was confirmed of users (${seed})`,
    async (wire) => {
      const administration = await addUser(wire)
      await administration.setTopicPermissions("app", "/", "t", { write: "a", read: "b" })
      void administration.setTags("app", ["unconfirmed"])
      const next = await startBroker({ disk: disk.crash("power", seed), amqp: { port: 0 } })
      try {
        const found = next.administration
        assert.equal((await found.authenticate("app", "secret", null))?.name, "app")
        assert.equal(found.listTopicPermissions({ user: "app" }).length, 1)
        assert.equal(found.listPermissions({ user: "app" }).length, 1)
      } finally {
        await next.close()
      }
    },
    { disk },
  )
}
