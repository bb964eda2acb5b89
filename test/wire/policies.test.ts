import assert from "node:assert/strict"
import { join } from "node:path"
import { vhostDirectory } from "../../src/storage/data-directory.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { eventually } from "../support/eventually.ts"
import type { QueueSettings } from "../../src/broker/settings.ts"
import {
  declare,
  drain,
  publishAndWait,
  publishTo,
  text,
  wireTest,
  type WireTest,
} from "./harness.ts"

/** Policies as clients feel them; how they merge is in test/unit/broker/policy. */

function settingsOf(wire: WireTest, queue: string): QueueSettings | undefined {
  return wire.vhost.queues.get(queue)?.settings
}

wireTest("a policy reaches the queues that exist and those that come", async (wire) => {
  const client = await wire.channel()
  await declare(client, "work.old")
  await declare(client, "other")
  await wire.vhost.policies.set("p", { pattern: "^work", definition: { "max-length": 2 } })
  await declare(client, "work.new")
  assert.equal(settingsOf(wire, "work.old")?.maxLength, 2)
  assert.equal(settingsOf(wire, "work.new")?.maxLength, 2)
  assert.equal(settingsOf(wire, "other")?.maxLength, null)
  await wire.vhost.policies.delete("p")
  assert.equal(settingsOf(wire, "work.old")?.maxLength, null)
  assert.equal(settingsOf(wire, "work.new")?.maxLength, null)
})

wireTest("a length limit by policy drops the oldest messages", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  publishTo(client, "q", "1", "2", "3", "4", "5")
  await publishAndWait(client, { routingKey: "q", body: text("6") })
  await wire.vhost.policies.set("p", { pattern: "q", definition: { "max-length": 2 } })
  await eventually(() => assert.equal(wire.vhost.queues.get("q")?.readyCount, 2))
  assert.deepEqual(await drain(client, "q"), ["5", "6"])
  publishTo(client, "q", "7", "8", "9")
  await client.expectQuiet(1)
  assert.deepEqual(await drain(client, "q"), ["8", "9"])
  await wire.vhost.policies.delete("p")
  publishTo(client, "q", "7", "8", "9")
  await client.expectQuiet(1)
  assert.deepEqual(await drain(client, "q"), ["7", "8", "9"])
})

wireTest("reject-publish by policy comes and goes with it, confirms included", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await client.call("confirm.select", 1)
  const outcome = async (body: string): Promise<string> => {
    client.publish(1, { routingKey: "q", body: text(body) })
    return (await client.next(1)).name
  }
  assert.equal(await outcome("1"), "basic.ack")
  await wire.vhost.policies.set("p", {
    pattern: "q",
    definition: { "max-length": 1, overflow: "reject-publish" },
  })
  assert.equal(await outcome("2"), "basic.nack")
  await wire.vhost.policies.delete("p")
  assert.equal(await outcome("3"), "basic.ack")
  assert.deepEqual(await drain(client, "q"), ["1", "3"])
})

wireTest("a dead-letter exchange by policy", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await declare(client, "dead")
  await wire.vhost.policies.set("p", {
    pattern: "^q$",
    definition: {
      "dead-letter-exchange": "",
      "dead-letter-routing-key": "dead",
      "max-length": 1,
    },
  })
  publishTo(client, "q", "1", "2")
  await client.expectQuiet(1)
  assert.deepEqual(await drain(client, "q"), ["2"])
  assert.deepEqual(await drain(client, "dead"), ["1"])
})

wireTest("a policy with an alternate exchange catches what matches nothing", async (wire) => {
  const client = await wire.channel()
  await client.call("exchange.declare", 1, { exchange: "main", type: "direct" })
  await client.call("exchange.declare", 1, { exchange: "caught", type: "fanout" })
  await declare(client, "q")
  await client.call("queue.bind", 1, { queue: "q", exchange: "caught" })
  const publish = async (body: string): Promise<void> =>
    publishAndWait(client, { exchange: "main", routingKey: "k", body: text(body) })
  await publish("before")
  await wire.vhost.policies.set("ae", {
    pattern: "^main$",
    applyTo: "exchanges",
    definition: { "alternate-exchange": "caught" },
  })
  await publish("during")
  await wire.vhost.policies.delete("ae")
  await publish("after")
  assert.deepEqual(await drain(client, "q"), ["during"])
})

wireTest(
  "apply-to tells queues from exchanges and types of queues from each other",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "classic", { durable: true })
    await declare(client, "quorum", { durable: true, arguments: { "x-queue-type": "quorum" } })
    await declare(client, "stream", { durable: true, arguments: { "x-queue-type": "stream" } })
    const set = (applyTo: string): Promise<boolean> =>
      wire.vhost.policies.set("p", { pattern: "", applyTo, definition: { "max-length": 7 } })
    const lengths = (): (number | null | undefined)[] =>
      ["classic", "quorum", "stream"].map((queue) => settingsOf(wire, queue)?.maxLength)
    await set("all")
    assert.deepEqual(lengths(), [7, 7, 7])
    await set("classic_queues")
    assert.deepEqual(lengths(), [7, null, null])
    await set("quorum_queues")
    assert.deepEqual(lengths(), [null, 7, null])
    await set("streams")
    assert.deepEqual(lengths(), [null, null, 7])
    await set("exchanges")
    assert.deepEqual(lengths(), [null, null, null])
  },
)

wireTest(
  "policies, operator policies, limits and parameters survive a restart",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q", { durable: true, arguments: { "x-max-length": 50 } })
    const { vhost } = wire
    await vhost.policies.set("p", { pattern: "q", priority: 3, definition: { "max-length": 20 } })
    await vhost.operatorPolicies.set("o", { pattern: "q", definition: { "message-ttl": 9000 } })
    await vhost.limits.set("max-queues", 1)
    await vhost.parameters.set("notes", "s", { "src-uri": "amqp://" })
    await wire.restart()
    assert.notEqual(wire.vhost, vhost)
    assert.equal(settingsOf(wire, "q")?.maxLength, 20)
    assert.equal(settingsOf(wire, "q")?.messageTtlMs, 9000)
    assert.equal(wire.vhost.policies.get("p")?.priority, 3)
    assert.deepEqual(wire.vhost.parameters.get("notes", "s")?.value, { "src-uri": "amqp://" })
    assert.equal(wire.vhost.limits.maxQueues, 1)
    await wire.vhost.limits.set("max-queues", -1) // For the newcomer.
  },
  { disk: new MemoryDisk() },
)

const damagedDisk = new MemoryDisk()
const POLICIES = join(vhostDirectory("/memory", "/"), "policies.json")

wireTest(
  "a damaged policy file keeps nobody from starting",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q", { durable: true })
    await wire.vhost.policies.set("p", { pattern: "q", definition: { "max-length": 20 } })
    const fd = damagedDisk.open(POLICIES, false)
    damagedDisk.truncate(fd, 20)
    damagedDisk.close(fd)
    await wire.restart()
    assert.equal(damagedDisk.readFile(`${POLICIES}.corrupt`)?.length, 20)
    assert.equal(wire.vhost.policies.size, 0)
    assert.equal(settingsOf(wire, "q")?.maxLength, null)
    await wire.vhost.policies.set("p", { pattern: "q", definition: { "max-length": 21 } })
    await wire.restart()
    assert.equal(settingsOf(wire, "q")?.maxLength, 21)
  },
  { disk: damagedDisk },
)

wireTest("the queue limit of a vhost refuses one more queue with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "a")
  await declare(client, "b", { exclusive: true })
  await wire.vhost.limits.set("max-queues", 2)
  const refused = async (queue: string): Promise<void> => {
    client.send("queue.declare", 1, { queue })
    await client.expectChannelClose(1, {
      code: 406,
      text:
        queue === ""
          ? /^PRECONDITION_FAILED - cannot declare queue 'amq\.gen-[^']+': queue limit in vhost '\/' \(2\) is reached$/
          : `PRECONDITION_FAILED - cannot declare queue '${queue}': queue limit in vhost '/' (2) is reached`,
      method: "queue.declare",
    })
    await client.openChannel(1)
  }
  await refused("c")
  await refused("")
  await declare(client, "a") // As it is.
  await client.call("queue.delete", 1, { queue: "b" })
  await declare(client, "c")
  await wire.vhost.limits.set("max-queues", 0)
  client.send("queue.declare", 1, { queue: "d" })
  await client.expectChannelClose(1, {
    code: 406,
    text: "PRECONDITION_FAILED - cannot declare queue 'd': queue limit in vhost '/' (0) is reached",
  })
  await wire.vhost.limits.set("max-queues", -1)
})
