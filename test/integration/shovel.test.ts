/** Shovels between queues, exchanges and streams of brokers in this process. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { isTable } from "../../src/amqp/table.ts"
import { Refusal } from "../../src/broker/errors.ts"
import { eventually } from "../support/eventually.ts"
import { bodies, drain, openChannel, publishNumbers, ShovelBed } from "../support/shovel-bed.ts"

const LOCAL = { "src-uri": "amqp://", "dest-uri": "amqp://" }

for (const mode of ["on-confirm", "on-publish", "no-ack"])
  test(`messages move in order within the process: ${mode}`, async (context) => {
    const bed = await ShovelBed.open(context)
    await bed.channel.declareQueue("a", { durable: true })
    await publishNumbers(bed.channel, "a", 5000)
    await bed.setShovel("s", {
      ...LOCAL,
      "src-queue": "a",
      "dest-queue": "b",
      "ack-mode": mode,
      "src-prefetch-count": 300,
    })
    await eventually(() => assert.equal(bed.count("b"), 5000))
    await eventually(() => assert.equal(bed.vhost.queues.get("a")?.unackedCount, 0))
    assert.equal(bed.count("a"), 0)
    const moved = await drain(bed.channel, "b")
    assert.deepEqual(
      bodies(moved),
      Array.from({ length: 5000 }, (_, i) => String(i)),
    )
    assert.equal(moved[0]?.properties.deliveryMode, 2)
    await publishNumbers(bed.channel, "a", 1)
    await eventually(() => assert.equal(bed.count("b"), 1))
    await bed.vhost.parameters.delete("shovel", "s")
    await eventually(() => assert.equal(bed.vhost.queues.get("a")?.consumerCount, 0))
  })

test("between two brokers over TCP, to an exchange and with headers", async (context) => {
  const near = await ShovelBed.open(context)
  const far = await ShovelBed.open(context)
  await far.channel.declareExchange("x", "topic", { durable: true })
  await far.channel.declareQueue("out", { durable: true })
  await far.channel.bindQueue("out", "x", "k.#")
  await near.channel.declareQueue("a", { durable: true })
  await publishNumbers(near.channel, "a", 10, 0, { headers: new Map([["mine", "1"]]) })
  await near.setShovel("s", {
    "src-uri": near.uri,
    "dest-uri": [far.uri],
    "src-queue": "a",
    "dest-exchange": "x",
    "dest-exchange-key": "k.1",
    "add-forward-headers": true,
    "dest-add-timestamp-header": true,
    "publish-properties": { content_type: "text/plain", delivery_mode: 1 },
  })
  await eventually(() => assert.equal(far.count("out"), 10))
  const [first] = await drain(far.channel, "out")
  assert.ok(first !== undefined)
  const { headers, contentType, deliveryMode } = first.properties
  assert.equal(first.routingKey, "k.1")
  assert.equal(contentType, "text/plain")
  assert.equal(deliveryMode, 1)
  assert.equal(headers?.get("mine"), "1")
  assert.ok(headers?.has("x-shovelled-timestamp"))
  const shovelled = headers?.get("x-shovelled")
  assert.ok(Array.isArray(shovelled))
  const entry: unknown = shovelled[0]
  assert.ok(entry instanceof Map)
  assert.equal(entry.get("shovel-name"), "s")
  assert.equal(entry.get("src-queue"), "a")
  assert.equal(entry.get("dest-exchange"), "x")
  assert.doesNotMatch(JSON.stringify([...entry]), /guest/)
})

test("a shovel to the original exchange and key, from an exchange", async (context) => {
  const bed = await ShovelBed.open(context)
  const far = await ShovelBed.open(context)
  for (const { channel } of [bed, far])
    await channel.declareExchange("x", "direct", { durable: true })
  await far.channel.declareQueue("q")
  await far.channel.bindQueue("q", "x", "k")
  await bed.setShovel("s", {
    "src-uri": "amqp://",
    "dest-uri": far.uri,
    "src-exchange": "x",
    "src-exchange-key": "k",
  })
  await eventually(() => assert.equal(bed.vhost.queues.size, 1))
  await eventually(() => assert.equal([...bed.vhost.queues.values()][0]?.consumerCount, 1))
  const { PublishTarget } = await import("../../src/client/publish-target.ts")
  bed.channel.publish(new PublishTarget({ exchange: "x", routingKey: "k" }), Buffer.from("hello"))
  await eventually(() => assert.equal(far.count("q"), 1))
  assert.equal((await drain(far.channel, "q"))[0]?.exchange, "x")
})

for (const [after, count] of [
  ["queue-length", 1500],
  [700, 700],
] as const)
  test(`a shovel ends after ${String(after)}`, async (context) => {
    const bed = await ShovelBed.open(context)
    await bed.channel.declareQueue("a", { durable: true })
    await publishNumbers(bed.channel, "a", 1500)
    await bed.setShovel("s", {
      ...LOCAL,
      "src-queue": "a",
      "dest-queue": "b",
      "src-delete-after": after,
    })
    await eventually(() => assert.equal(bed.vhost.parameters.get("shovel", "s"), null))
    assert.equal(bed.count("b"), count)
    await eventually(() => assert.equal(bed.count("a"), 1500 - count))
  })

test("an empty queue ends a shovel of queue-length at once", async (context) => {
  const bed = await ShovelBed.open(context)
  await bed.channel.declareQueue("a")
  await bed.setShovel("s", {
    ...LOCAL,
    "src-queue": "a",
    "dest-queue": "b",
    "src-delete-after": "queue-length",
  })
  await eventually(() => assert.equal(bed.vhost.parameters.get("shovel", "s"), null))
})

test("a stream is read from the given offset, and on from there after a restart", async (context) => {
  const bed = await ShovelBed.open(context)
  const { channel } = bed
  await channel.declareQueue("log", { durable: true, arguments: { "x-queue-type": "stream" } })
  await publishNumbers(channel, "log", 100)
  const value = {
    ...LOCAL,
    "src-queue": "log",
    "dest-queue": "b",
    "src-consumer-args": { "x-stream-offset": "first" },
  }
  await bed.setShovel("s", value)
  await eventually(() => assert.equal(bed.count("b"), 100))
  await bed.vhost.parameters.delete("shovel", "s")
  await eventually(() => assert.equal(bed.vhost.queues.get("log")?.consumerCount, 0))
  await publishNumbers(channel, "log", 50, 100)
  await bed.setShovel("s", value)
  await eventually(() => assert.equal(bed.count("b"), 150))
  const moved = bodies(await drain(channel, "b"))
  assert.deepEqual(
    moved,
    Array.from({ length: 150 }, (_, i) => String(i)),
  )
})

test("what the destination refuses stays at the source until it is taken", async (context) => {
  const bed = await ShovelBed.open(context)
  const { channel } = bed
  await channel.declareQueue("a", { durable: true })
  const limits = { "x-max-length": 10, "x-overflow": "reject-publish" }
  await channel.declareQueue("b", { durable: true, arguments: limits })
  await publishNumbers(channel, "a", 100)
  await bed.setShovel("s", { ...LOCAL, "src-queue": "a", "dest-queue": "b" })
  const seen = new Set<string>()
  await eventually(
    async () => {
      for (const body of bodies(await drain(channel, "b"))) seen.add(body)
      assert.equal(seen.size, 100)
    },
    { timeoutMs: 30_000 },
  )
  assert.equal(bed.count("a"), 0)
})

test("a message that goes round in circles is rejected to the dead letters", async (context) => {
  const bed = await ShovelBed.open(context)
  const { channel } = bed
  await channel.declareQueue("dead")
  const deadLetters = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" }
  await channel.declareQueue("a", { durable: true, arguments: deadLetters })
  await publishNumbers(channel, "a", 3)
  const value = { ...LOCAL, "dest-add-forward-headers": true }
  await bed.setShovel("there", { ...value, "src-queue": "a", "dest-queue": "b" })
  await bed.setShovel("back", { ...value, "src-queue": "b", "dest-queue": "a" })
  await eventually(() => assert.equal(bed.count("dead"), 3))
  const [first] = await drain(channel, "dead")
  const passed = first?.properties.headers?.get("x-shovelled")
  assert.ok(Array.isArray(passed))
  assert.equal(passed.length, 6)
  assert.ok(passed.every((entry: unknown) => entry instanceof Map && isTable(entry)))
})

test("a queue that is deleted is made again, source and destination", async (context) => {
  const bed = await ShovelBed.open(context)
  const { channel } = bed
  await bed.setShovel("s", {
    ...LOCAL,
    "src-queue": "a",
    "dest-queue": "b",
    "reconnect-delay": 0.05,
  })
  await eventually(() => assert.equal(bed.vhost.queues.get("a")?.consumerCount, 1))
  await channel.deleteQueue("a")
  await eventually(() => assert.equal(bed.vhost.queues.get("a")?.consumerCount, 1))
  await channel.deleteQueue("b")
  await publishNumbers(channel, "a", 10)
  await eventually(() => assert.equal(bed.count("b"), 10))
})

test("200 shovels at once", async (context) => {
  const bed = await ShovelBed.open(context)
  for (let i = 0; i < 200; i++)
    await bed.setShovel(`s${String(i)}`, {
      ...LOCAL,
      "src-queue": `a${String(i)}`,
      "dest-queue": "all",
    })
  await eventually(() => {
    for (let i = 0; i < 200; i++)
      assert.equal(bed.vhost.queues.get(`a${String(i)}`)?.consumerCount, 1)
  })
  const channel = await openChannel(context, bed.uri)
  for (let i = 0; i < 200; i++) await publishNumbers(channel, `a${String(i)}`, 5)
  await eventually(() => assert.equal(bed.count("all"), 1000))
  assert.equal(bed.running.broker.admission.connectionCount, 2)
})

test("what makes no sense is refused with all reasons", async (context) => {
  const bed = await ShovelBed.open(context)
  const refused = async (value: Record<string, unknown>, reason: RegExp): Promise<void> => {
    await assert.rejects(bed.setShovel("s", value), (error: unknown) => {
      assert.ok(error instanceof Refusal)
      assert.match(error.message, reason)
      assert.doesNotMatch(error.message, /hidden/)
      return true
    })
    assert.equal(bed.vhost.parameters.get("shovel", "s"), null)
  }
  const fine = { ...LOCAL, "src-queue": "a", "dest-queue": "b" }
  await refused({ ...fine, extra: 1 }, /Unrecognised terms \["extra"\] in shovel/)
  await refused(LOCAL, /Must specify 'src-exchange' or 'src-queue'/)
  await refused({ ...fine, "src-exchange": "x" }, /Cannot specify 'src-exchange' and 'src-queue'/)
  await refused({ ...fine, "dest-exchange": "x" }, /Cannot specify 'dest-exchange' and/)
  await refused({ ...fine, "ack-mode": "no-ack", "delete-after": 5 }, /numerical 'delete-after'/)
  await refused({ ...fine, "src-uri": "amqp://u:hidden@[:x" }, /src-uri: bad AMQP URI/)
  await refused({ ...fine, "src-uri": "http://u:hidden@host" }, /the scheme must be/)
  await refused({ "src-queue": "a" }, /Key 'src-uri' not found.*Key 'dest-uri' not found/)
  await refused({ ...fine, "dest-protocol": "amqp10" }, /amqp10 is not supported/)
  await refused({ ...fine, "src-address": "x" }, /AMQP 1.0/)
  await refused({ ...fine, "src-prefetch-count": "1" }, /src-prefetch-count should be a number/)
  await refused({ ...fine, "ack-mode": "maybe" }, /ack-mode should be one of/)
  await refused({ ...fine, "dest-publish-properties": { x: 1 } }, /x is no property/)
  await refused({ ...fine, "src-uri": "amqp:///none" }, /vhost 'none' not found/)
})

test("a shovel that would fill the queue that it empties is refused, one that may end is not", async (context) => {
  const bed = await ShovelBed.open(context)
  await bed.channel.declareQueue("a", { durable: true })
  const self = { ...LOCAL, "src-queue": "a", "dest-queue": "a" }
  const refused = (value: Record<string, unknown>): Promise<void> =>
    assert.rejects(bed.setShovel("s", value), /queue 'a' in vhost '\/' into itself for ever/)
  await refused(self)
  await refused({ ...LOCAL, "src-queue": "a", "dest-exchange": "", "dest-exchange-key": "a" })
  await refused({ ...self, "src-delete-after-duration": 60 })
  await refused({ ...self, "src-uri": ["amqp://elsewhere", "amqp:///%2F"] })
  // Nobody asks who imports definitions, and it would spin all the same.
  await assert.rejects(bed.vhost.parameters.set("shovel", "s", self, null), /into itself/)
  const { administration } = bed.running
  await administration.putVhost("other")
  const all = { configure: ".*", write: ".*", read: ".*" }
  await administration.setPermissions("guest", "other", all)
  await bed.setShovel("other", { ...self, "dest-uri": "amqp:///other" })
  await bed.setShovel("key", { ...LOCAL, "src-queue": "a", "dest-exchange": "amq.topic" })
  await bed.setShovel("elsewhere", { ...self, "dest-uri": "amqp://guest:guest@127.0.0.1:1" })
  await bed.vhost.parameters.delete("shovel", "other")
  await bed.vhost.parameters.delete("shovel", "key")
  await bed.vhost.parameters.delete("shovel", "elsewhere")
  await publishNumbers(bed.channel, "a", 100)
  await bed.setShovel("once", { ...self, "src-delete-after": "queue-length" })
  await eventually(() => assert.equal(bed.vhost.parameters.get("shovel", "once"), null))
  assert.deepEqual(
    bodies(await drain(bed.channel, "a")),
    Array.from({ length: 100 }, (_, i) => String(i)),
  )
})

test("a local shovel writes no other user's name into user_id", async (context) => {
  const bed = await ShovelBed.open(context)
  const { administration, broker } = bed.running
  const all = { configure: ".*", write: ".*", read: ".*" }
  for (const name of ["maker", "actor"]) {
    const tags = name === "actor" ? ["policymaker", "impersonator"] : ["policymaker"]
    await administration.putUser(name, { password: "p", tags })
    await administration.setPermissions(name, "/", all)
  }
  const value = { ...LOCAL, "src-queue": "a", "dest-queue": "b" }
  const set = (name: string, userId: string, more = {}): Promise<boolean> =>
    bed.vhost.parameters.set(
      "shovel",
      "s",
      { ...value, "dest-publish-properties": { user_id: userId }, ...more },
      broker.users.get(name),
    )
  await assert.rejects(
    set("maker", "guest"),
    /user_id property set to 'guest' but the shovel is set by user 'maker'/,
  )
  await assert.rejects(
    set("maker", "guest", { "dest-uri": ["amqp://elsewhere", "amqp://"] }),
    /user_id/,
  )
  // There the destination looks at who logs in.
  await set("maker", "guest", { "dest-uri": "amqp://guest:guest@127.0.0.1:1" })
  await set("actor", "guest")
  await set("maker", "maker")
  await bed.channel.declareQueue("a", { durable: true })
  await publishNumbers(bed.channel, "a", 1)
  await eventually(() => assert.equal(bed.count("b"), 1))
  const [moved] = await drain(bed.channel, "b")
  assert.equal(moved?.properties.userId, "maker")
})

test("a user without the rights cannot have the broker do it", async (context) => {
  const bed = await ShovelBed.open(context)
  const { administration, broker } = bed.running
  await administration.putUser("poor", { password: "p", tags: ["policymaker"] })
  await administration.setPermissions("poor", "/", {
    configure: "^mine",
    write: "^mine",
    read: "^mine",
  })
  const user = broker.users.get("poor")
  const set = (value: Record<string, unknown>): Promise<boolean> =>
    bed.vhost.parameters.set("shovel", "s", { ...LOCAL, ...value }, user)
  await assert.rejects(
    set({ "src-queue": "mine", "dest-queue": "other" }),
    /access to queue 'other'/,
  )
  await assert.rejects(set({ "src-queue": "other", "dest-exchange": "mine" }), /queue 'other'/)
  await assert.rejects(set({ "src-queue": "mine" }), /name a destination/)
  const deadLetters = { "x-dead-letter-exchange": "amq.fanout" }
  await assert.rejects(
    set({ "src-queue": "mine", "src-queue-args": deadLetters, "dest-exchange": "mine" }),
    /write access to exchange 'amq.fanout'/,
  )
  await assert.rejects(
    set({ "src-exchange": "mine", "src-queue-args": deadLetters, "dest-exchange": "mine" }),
    /write access to exchange 'amq.fanout'/,
  )
  await broker.users.setTopicPermissions("poor", "/", "mine", { write: "^k", read: "^k" })
  await assert.rejects(set({ "src-queue": "mine", "dest-exchange": "mine" }), /topic permissions/)
  await assert.rejects(
    set({ "src-exchange": "mine", "src-exchange-key": "other", "dest-exchange": "mine2" }),
    /from exchange 'mine'/,
  )
  await set({ "src-exchange": "mine", "src-exchange-key": "k", "dest-exchange": "mine2" })
})

test("a destination under an alarm holds the source up, with no more than the prefetch under way", async (context) => {
  const bed = await ShovelBed.open(context)
  const far = await ShovelBed.open(context)
  await bed.channel.declareQueue("a", { durable: true })
  await publishNumbers(bed.channel, "a", 5000)
  far.running.broker.setAlarm("memory", true)
  await bed.setShovel("s", {
    "src-uri": "amqp://",
    "src-queue": "a",
    "dest-uri": far.uri,
    "dest-queue": "b",
    "src-prefetch-count": 200,
  })
  await eventually(() => assert.equal(bed.vhost.queues.get("a")?.unackedCount, 200))
  for (let i = 0; i < 20; i++) await bed.channel.checkQueue("a")
  assert.equal(bed.vhost.queues.get("a")?.unackedCount, 200)
  assert.equal(far.count("b"), 0)
  far.running.broker.setAlarm("memory", false)
  await eventually(() => assert.equal(far.count("b"), 5000))
  await eventually(() => assert.equal(bed.vhost.queues.get("a")?.unackedCount, 0))
})

test("a wrong password, an unknown vhost and a missing queue: it tries again until that is mended", async (context) => {
  const bed = await ShovelBed.open(context)
  const far = await ShovelBed.open(context)
  const { administration } = far.running
  const uri = far.uri.replace("guest:guest", "mover:secret")
  const fine = { "src-uri": "amqp://", "dest-uri": uri, "reconnect-delay": 0.02 }
  await bed.channel.declareQueue("a", { durable: true })
  await publishNumbers(bed.channel, "a", 10)
  await bed.setShovel("s", {
    ...fine,
    "dest-uri": `${uri}/later`,
    "src-queue": "a",
    "dest-queue": "b",
    "dest-predeclared": true,
  })
  await administration.putUser("mover", { password: "secret", tags: [] })
  await administration.putVhost("later", {})
  const all = { configure: ".*", write: ".*", read: ".*" }
  await administration.setPermissions("guest", "later", all)
  await administration.setPermissions("mover", "later", { configure: ".*", write: ".*", read: "" })
  const channel = await openChannel(context, `${far.uri}/later`)
  await channel.declareQueue("b", { durable: true })
  await eventually(() =>
    assert.equal(far.running.broker.vhosts.get("later")?.queues.get("b")?.readyCount, 10),
  )
})

test("a vhost takes its shovels with it", async (context) => {
  const bed = await ShovelBed.open(context)
  await bed.running.administration.putVhost("v", {})
  const all = { configure: ".*", write: ".*", read: ".*" }
  await bed.running.administration.setPermissions("guest", "v", all)
  const vhost = bed.running.broker.vhosts.get("v")
  const value = {
    "src-uri": "amqp:///v",
    "src-queue": "a",
    "dest-uri": "amqp://",
    "dest-queue": "b",
  }
  await vhost?.parameters.set("shovel", "s", value, bed.running.broker.users.get("guest"))
  await eventually(() => assert.equal(vhost?.queues.get("a")?.consumerCount, 1))
  await bed.running.administration.deleteVhost("v")
  await eventually(() => assert.equal(bed.running.broker.connections.size, 1))
})

test("paused, resumed and restarted in one breath: the last word counts", async (context) => {
  const bed = await ShovelBed.open(context)
  await bed.setShovel("s", { ...LOCAL, "src-queue": "a", "dest-queue": "b" })
  await eventually(() => assert.equal(bed.vhost.queues.get("a")?.consumerCount, 1))
  const shovels = bed.running.links?.shovels
  const shovel = shovels?.get(bed.vhost, "s")
  assert.ok(shovels !== undefined && shovel !== undefined && shovel !== null)
  const all = [shovels.pause(bed.vhost, shovel)]
  await eventually(() => assert.equal(shovel.status.state, "paused"))
  all.push(shovels.resume(bed.vhost, shovel))
  await Promise.all(all)
  all.push(shovels.restart(shovel), shovels.restart(shovel))
  await Promise.all(all)
  await eventually(() => assert.equal(shovel.status.state, "running"))
  await publishNumbers(bed.channel, "a", 10)
  await eventually(() => assert.equal(bed.count("b"), 10))
  assert.equal(bed.vhost.queues.get("a")?.consumerCount, 1)
  assert.equal(bed.vhost.pausedShovels.has("s"), false)
})
