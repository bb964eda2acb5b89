/** Vhosts made and deleted while clients are connected, and what is left of them on disk. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { Refusal } from "../../src/broker/errors.ts"
import { startBroker, type RunningBroker } from "../../src/server/start-broker.ts"
import { vhostDirectory } from "../../src/storage/data-directory.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import { DEAD, FaultyDisk } from "../support/faulty-disk.ts"
import { WireClient } from "../support/wire-client.ts"
import {
  consume,
  countsOf,
  declare,
  drain,
  publishAndWait,
  text,
  wireTest,
  type WireTest,
} from "./harness.ts"

const ALL = { configure: ".*", write: ".*", read: ".*" }

async function connect(wire: WireTest, vhost: string): Promise<WireClient> {
  const client = await wire.open({ vhost })
  await client.openChannel(1)
  return client
}

/** Tries to open a vhost; the refusal. */
async function expectOpenRefused(wire: WireTest, vhost: string, wanted: string): Promise<void> {
  const client = await wire.connect()
  client.sendHeader()
  await client.expect("connection.start")
  client.startOk({ user: "guest", password: "guest" })
  const tune = await client.expect("connection.tune")
  client.tuneOk({ ...tune, heartbeat: 0 })
  client.send("connection.open", 0, { vhost })
  await client.expectConnectionClose({ code: 530, text: `NOT_ALLOWED - ${wanted}` })
}

async function persist(client: WireClient, queue: string, body: string): Promise<void> {
  await declare(client, queue, { durable: true })
  await publishAndWait(client, {
    routingKey: queue,
    properties: { deliveryMode: 2 },
    body: text(body),
  })
}

wireTest("a vhost has queues of its own, and its creator may use it", async (wire) => {
  await expectOpenRefused(wire, "v1", "vhost v1 not found")
  const administration = wire.administration()
  assert.equal(await administration.putVhost("v1", {}, "guest"), true)
  assert.equal(await administration.putVhost("v1", {}, "guest"), false)
  assert.equal(await administration.putVhost("v2"), true)
  await expectOpenRefused(wire, "v2", "access to vhost 'v2' refused for user 'guest'")
  const [first, other] = [await wire.channel(), await connect(wire, "v1")]
  await declare(first, "q")
  await publishAndWait(first, { routingKey: "q", body: text("1") })
  await declare(other, "q")
  assert.deepEqual(await countsOf(other, "q"), { messages: 0, consumers: 0 })
  await publishAndWait(other, { exchange: "amq.topic", routingKey: "q", body: text("1") })
})

wireTest("names may be long and odd, but not empty, and not with line breaks", async (wire) => {
  const administration = wire.administration()
  for (const name of ["x".repeat(255), "a/b", "..", "%2F", "☃", "__proto__"]) {
    await administration.putVhost(name, {}, "guest")
    const client = await connect(wire, name)
    await declare(client, "q", { durable: true })
    assert.deepEqual(administration.getVhost(name).name, name)
  }
  for (const name of ["", "x".repeat(256), "a\nb"])
    await assert.rejects(administration.putVhost(name), /vhost name must have 1 to 255 bytes/)
  assert.equal(administration.listVhosts().length, 7)
})

wireTest("deleting a vhost closes its connections and no others", async (wire) => {
  const administration = wire.administration()
  await administration.putVhost("v1", {}, "guest")
  await administration.putVhost("v2", {}, "guest")
  await administration.setTopicPermissions("guest", "v1", "t", { write: "", read: "" })
  const bystanders = [await wire.channel(), await connect(wire, "v2")]
  const clients = [await connect(wire, "v1"), await connect(wire, "v1")]
  await persist(clients[0]!, "q", "1")
  await declare(clients[1]!, "empty")
  await consume(clients[1]!, "empty")
  await administration.deleteVhost("v1")
  for (const client of clients)
    await client.expectConnectionClose({
      code: 320,
      text: "CONNECTION_FORCED - vhost 'v1' is deleted",
      method: null,
    })
  for (const client of bystanders) await declare(client, "alive")
  await expectOpenRefused(wire, "v1", "vhost v1 not found")
  assert.deepEqual(administration.listPermissions({ vhost: "v1" }), [])
  assert.deepEqual(administration.listTopicPermissions(), [])
  assert.throws(() => administration.getVhost("v1"), Refusal)
  await assert.rejects(administration.deleteVhost("v1"), /^Refusal: no vhost 'v1'$/)
})

wireTest("a vhost that is made again begins empty", async (wire) => {
  const administration = wire.administration()
  for (let i = 0; i < 3; i++) {
    await administration.putVhost("v1", {}, "guest")
    const client = await connect(wire, "v1")
    client.send("queue.declare", 1, { queue: "q", passive: true })
    await client.expectChannelClose(1, { code: 404 })
    await client.openChannel(1)
    await persist(client, "q", String(i))
    await administration.setVhostLimit("v1", "max-queues", 1)
    // At one time: the changes come one after the other.
    const changes = [administration.deleteVhost("v1"), administration.putVhost("v1", {}, "guest")]
    await Promise.all(changes)
    assert.deepEqual(administration.getVhost("v1").limits, {})
    await administration.deleteVhost("v1")
  }
})

wireTest("even the last vhost can be deleted, and the default one made again", async (wire) => {
  const administration = wire.administration()
  await administration.deleteVhost("/")
  assert.deepEqual(administration.listVhosts(), [])
  await expectOpenRefused(wire, "/", "vhost / not found")
  await administration.putVhost("/", {}, "guest")
  await wire.channel()
})

wireTest("limits of a vhost hold at once", async (wire) => {
  const administration = wire.administration()
  await administration.putVhost("v1", {}, "guest")
  await administration.setVhostLimit("v1", "max-connections", 1)
  assert.deepEqual(administration.getVhost("v1").limits, { "max-connections": 1 })
  await connect(wire, "v1")
  await expectOpenRefused(
    wire,
    "v1",
    "access to vhost 'v1' refused for user 'guest': connection limit (1) is reached",
  )
  await administration.setVhostLimit("v1", "max-connections", -1)
  await connect(wire, "v1")
})

wireTest("the default queue type reaches queues that can have it, and no others", async (wire) => {
  const administration = wire.administration()
  await administration.putVhost("v1", {}, "guest")
  const client = await connect(wire, "v1")
  await declare(client, "before", { durable: true })
  await administration.putVhost("v1", { defaultQueueType: "stream" })
  const typeOf = (queue: string): unknown =>
    wire.broker().vhosts.get("v1")?.queues.get(queue)?.arguments.get("x-queue-type")
  await declare(client, "s", { durable: true })
  await declare(client, "s", { durable: true })
  await declare(client, "s", { durable: true, arguments: { "x-queue-type": "stream" } })
  assert.equal(typeOf("s"), "stream")
  await declare(client, "before", { durable: true })
  await declare(client, "c", { durable: true, arguments: { "x-queue-type": "classic" } })
  await declare(client, "transient")
  await declare(client, "exclusive", { durable: true, exclusive: true })
  await declare(client, "auto", { durable: true, autoDelete: true })
  const named = await declare(client, "", { durable: true })
  for (const queue of ["before", "transient", "exclusive", "auto", named])
    assert.equal(typeOf(queue), undefined, queue)
  await assert.rejects(
    administration.putVhost("v1", { defaultQueueType: "lifo" }),
    /unknown default queue type 'lifo' \(classic, quorum, stream\)/,
  )
  await administration.putVhost("v1", { defaultQueueType: "" })
  await declare(client, "after", { durable: true })
  assert.equal(typeOf("after"), undefined)
})

wireTest(
  "several vhosts survive a restart, with their metadata, limits and messages",
  async (wire) => {
    const metadata = { description: "First", tags: ["a", "b"], defaultQueueType: "quorum" }
    await wire.administration().putVhost("v1", metadata, "guest")
    await wire.administration().putVhost("v2", { tracing: true }, "guest")
    await wire.administration().putVhost("v2", { description: "Second" })
    await wire.administration().setVhostLimit("v2", "max-queues", 2)
    for (const vhost of ["/", "v1", "v2"]) await persist(await connect(wire, vhost), "q", vhost)
    const before = wire.administration().listVhosts()
    await wire.restart()
    assert.deepEqual(wire.administration().listVhosts(), before)
    assert.deepEqual(
      before.map(({ name, description, tracing }) => [name, description, tracing]),
      [
        ["/", "", false],
        ["v1", "First", false],
        ["v2", "Second", true],
      ],
    )
    for (const vhost of ["/", "v1", "v2"]) {
      const client = await connect(wire, vhost)
      assert.deepEqual(await drain(client, "q"), [vhost])
    }
    const client = await connect(wire, "v1")
    await declare(client, "typed", { durable: true })
    const queue = wire.broker().vhosts.get("v1")?.queues.get("typed")
    assert.equal(queue?.arguments.get("x-queue-type"), "quorum")
    await wire.administration().deleteVhost("v1")
    await wire.restart()
    assert.deepEqual(
      wire.administration().listVhosts(),
      before.filter(({ name }) => name !== "v1"),
    )
  },
  { disk: new MemoryDisk() },
)

// ---- files

const ROOT = "/memory"

async function start(disk: FaultyDisk): Promise<RunningBroker> {
  // No timer of a broker whose disk has died keeps the process.
  const clock = new ManualClock()
  return await startBroker({ disk, clock, amqp: { host: "127.0.0.1", port: 0 } })
}

function newDisk(): FaultyDisk {
  const disk = new FaultyDisk()
  disk.writeFile(`${ROOT}/schema_version`, "1\n") // The directory itself is safe.
  return disk
}

/** With a vhost v1 that has durable queues, some of them with files. */
async function startWithVhost(disk: FaultyDisk): Promise<RunningBroker> {
  const broker = await start(disk)
  await broker.administration.putVhost("v1", {}, "guest")
  const vhost = broker.broker.vhosts.get("v1")!
  for (let i = 0; i < 20; i++)
    vhost.declareQueue(
      {
        name: `q${i}`,
        durable: true,
        exclusive: false,
        autoDelete: false,
        arguments: new Map(),
      },
      null,
    )
  const client = await WireClient.open(broker.amqpPort, { vhost: "v1" })
  await client.openChannel(1)
  await client.call("confirm.select", 1)
  for (let i = 0; i < 20; i += 2) {
    const properties = { deliveryMode: 2 }
    client.publish(1, { routingKey: `q${i}`, properties, body: text("x") })
  }
  for (let confirmed = 0; confirmed < 10;)
    confirmed = (await client.expect("basic.ack", 1)).deliveryTag
  await client.close()
  return broker
}

const pathsOfV1 = (disk: FaultyDisk): string[] => disk.paths(vhostDirectory(ROOT, "v1"))

test("nothing is left of the files of a deleted vhost", async () => {
  const disk = newDisk()
  const broker = await startWithVhost(disk)
  assert.ok(pathsOfV1(disk).length > 20)
  await broker.administration.deleteVhost("v1")
  assert.deepEqual(pathsOfV1(disk), [])
  assert.ok(!disk.list(ROOT).includes(vhostDirectory("", "v1").slice(1)))
  await broker.close()
})

test("a disk that refuses the deletion leaves the vhost as it was", async () => {
  for (const [call, n] of [
    ["open", 1],
    ["write", 1],
    ["rename", 1],
    ["rename", 2],
    ["sync", 2],
  ] as const) {
    const disk = newDisk()
    const broker = await startWithVhost(disk)
    const { administration } = broker
    disk.failCall(call, n, "EIO")
    await assert.rejects(administration.deleteVhost("v1"), /could not be saved/, `${call} ${n}`)
    assert.equal(administration.getVhost("v1").name, "v1")
    assert.equal(broker.broker.vhosts.get("v1")?.queues.size, 20)
    assert.equal(administration.listPermissions({ vhost: "v1" }).length, 1)
    assert.equal(await administration.putVhost("v1"), false)
    await broker.close()
    const next = await start(disk)
    assert.equal(next.broker.vhosts.get("v1")?.queues.size, 20)
    assert.equal(next.broker.vhosts.get("v1")?.queues.get("q0")?.readyCount, 1)
    await next.close()
  }
})

test("a disk that refuses a new vhost leaves none", async () => {
  for (const call of ["write", "sync", "rename", "makeDirectory"] as const) {
    const disk = newDisk()
    const broker = await start(disk)
    disk.failCall(call, 1, "EIO")
    await assert.rejects(broker.administration.putVhost("v1"), /could not be saved/, call)
    assert.deepEqual([...broker.broker.vhosts.keys()], ["/"], call)
    assert.throws(() => broker.administration.getVhost("v1"))
    assert.equal(await broker.administration.putVhost("v1"), true)
    await broker.close()
  }
})

/** Where a deletion can be killed: the calls that change something. */
const KILLS = (["write", "rename", "remove", "removeTree", "syncDirectory"] as const).flatMap(
  (call) => [1, 2, 3, 5, 9].map((n) => [call, n] as const),
)

for (const kind of ["kill", "power"] as const)
  test(`after a ${kind} in the middle a vhost is whole or gone, and gone for good`, async () => {
    for (const [index, [call, n]] of KILLS.entries()) {
      const disk = newDisk()
      const broker = await startWithVhost(disk)
      disk.dieAt(call, n)
      const deletion = broker.administration.deleteVhost("v1").then(
        () => "done",
        () => "failed",
      )
      await eventually(async () => {
        if (disk.isDead) return
        assert.equal(await Promise.race([deletion, Promise.resolve("pending")]), "done")
      })
      const isDone = !disk.isDead
      const what = `${kind} in ${call} ${n}, ${isDone ? "done" : DEAD}`
      disk.heal()
      const after = disk.killProcess()
      void broker.close()
      const next = await start(kind === "kill" ? after : after.crash("power", index))
      const { administration } = next
      const vhost = next.broker.vhosts.get("v1")
      if (vhost === undefined) {
        await administration.putVhost("v1", {}, "guest")
        assert.equal(next.broker.vhosts.get("v1")?.queues.size, 0, `${what}: made again`)
      } else {
        assert.ok(!isDone, what)
        assert.equal(vhost.queues.size, 20, what)
        assert.equal(vhost.queues.get("q0")?.readyCount, 1, what)
      }
      await next.close()
    }
  })

test("files of a vhost that is not listed stay, and are its own again", async () => {
  const disk = newDisk()
  const broker = await startWithVhost(disk)
  await broker.close()
  disk.remove(`${ROOT}/vhosts.json`)
  const next = await start(disk)
  assert.deepEqual([...next.broker.vhosts.keys()], ["/"])
  assert.equal(await next.administration.putVhost("v1"), true)
  assert.equal(next.broker.vhosts.get("v1")?.queues.get("q0")?.readyCount, 1)
  await next.administration.setPermissions("guest", "v1", ALL)
  await next.close()
})
