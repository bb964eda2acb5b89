/** Which links there are, how they do, and what becomes of them when something is wrong. */
import assert from "node:assert/strict"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { test } from "node:test"
import { TypedNumber } from "../../src/amqp/table.ts"
import { Refusal } from "../../src/broker/errors.ts"
import { eventually } from "../support/eventually.ts"
import { FederationBed } from "../support/federation-bed.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

test("what is wrong is said, without secrets, and tried again until it is right", async (context) => {
  const a = await FederationBed.open(context, "a")
  const b = await FederationBed.open(context, "b")
  await b.channel.declareExchange("x", "topic", { durable: true })
  await b.policy("^x$", "up")
  const port = String(a.running.amqpPort)
  const bad: [string, RegExp][] = [
    [`amqp://guest:secret@127.0.0.1:${port}`, /ACCESS_REFUSED/],
    [`amqp://guest:guest@127.0.0.1:${port}/absent`, /absent/],
    ["amqp://guest:secret@127.0.0.1:1", /ECONNREFUSED/],
    ["amqp://guest:secret@host.invalid", /ENOTFOUND|EAI_AGAIN/],
  ]
  for (const [uri, reason] of bad) {
    await b.upstream("up", uri)
    await eventually(() => {
      assert.equal(b.links.length, 1)
      const { state, error, nextAttemptAtMs } = b.links[0]!.status
      assert.equal(state, "error")
      assert.match(error ?? "", reason)
      assert.doesNotMatch(error ?? "", /secret/)
      assert.ok(nextAttemptAtMs !== null)
    })
    assert.doesNotMatch(b.links[0]!.uri, /secret|guest/)
  }
  await b.upstream("up", a.uri)
  await b.untilRunning(1)
  assert.equal(b.links[0]!.status.error, null)
  // Missing at the upstream, so it was declared there as here.
  assert.equal(a.vhost.exchange("x").type, "topic")
})

test("links come and go with exchanges, queues, policies, upstreams and sets", async (context) => {
  const a = await FederationBed.open(context, "a")
  const b = await FederationBed.open(context, "b")
  const shown = (): string[] =>
    b.links.map(({ resource, upstream }) => `${resource} ${upstream.name}`).toSorted()
  await b.policy("^f\\.", "", "all")
  await b.channel.declareExchange("f.x", "topic", { durable: true })
  await b.channel.declareExchange("f.internal", "topic", { internal: true })
  await b.channel.declareQueue("f.q", { durable: true })
  await b.channel.declareQueue("f.exclusive", { exclusive: true })
  assert.deepEqual(shown(), [])
  await b.upstream("one", a.uri)
  await b.upstream("two", a.uri, { exchange: "other", queue: "other" })
  await b.untilRunning(4)
  assert.deepEqual(shown(), ["f.q one", "f.q two", "f.x one", "f.x two"])
  const parameters = b.vhost.parameters
  await parameters.set("federation-upstream-set", "all", [{ upstream: "two", "max-hops": 3 }])
  await eventually(() => assert.deepEqual(shown(), ["f.q two", "f.x two"]))
  await b.untilRunning(2)
  assert.deepEqual(new Set(b.links.map(({ upstream }) => upstream.hopsMax)), new Set([3]))
  await parameters.delete("federation-upstream-set", "all")
  await eventually(() => assert.equal(b.links.length, 4))
  await b.channel.deleteExchange("f.x")
  await b.channel.deleteQueue("f.q")
  assert.deepEqual(shown(), [])
  await b.channel.declareQueue("f.q2")
  await eventually(() => assert.equal(b.links.length, 2))
  await b.vhost.policies.set("federate", {
    pattern: "^f",
    definition: { "federation-upstream-pattern": "^o" },
  })
  await eventually(() => assert.deepEqual(shown(), ["f.q2 one"]))
  await b.vhost.policies.delete("federate")
  assert.deepEqual(shown(), [])
})

test("200 links start at once, and do not hold the broker up", async (context) => {
  const a = await FederationBed.open(context, "a")
  const b = await FederationBed.open(context, "b")
  const count = 100
  for (let i = 0; i < count; i++) {
    await b.channel.declareExchange(`f.x${String(i)}`, "fanout", { durable: true })
    await b.channel.declareQueue(`f.q${String(i)}`, { durable: true })
    await b.channel.bindQueue(`f.q${String(i)}`, `f.x${String(i)}`, "")
  }
  await b.upstream("up", a.uri)
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const startedMs = performance.now()
  await b.policy("^f\\.")
  await eventually(
    () => {
      const running = b.links.filter(({ status }) => status.state === "running")
      assert.equal(running.length, 2 * count)
    },
    { timeoutMs: 60_000 },
  )
  context.diagnostic(
    `200 links run after ${(performance.now() - startedMs).toFixed(0)} ms, longest pause ${(delays.max / 1e6).toFixed(0)} ms`,
  )
  delays.disable()
  assert.ok(delays.max / 1e6 < 2000, "no turn of the event loop takes long")
  for (let i = 0; i < count; i++) a.publish(`f.x${String(i)}`, "", String(i))
  await eventually(
    () => {
      for (let i = 0; i < count; i++) assert.equal(b.count(`f.q${String(i)}`), 1)
    },
    { timeoutMs: 20_000 },
  )
  await b.vhost.policies.delete("federate")
  await eventually(() => assert.equal(a.running.broker.connections.size, 1), { timeoutMs: 20_000 })
  const left = [...a.vhost.queues.keys()].filter((name) => name.startsWith("federation"))
  assert.deepEqual(left, [])
})

test("an upstream in this broker: between vhosts, for those who may", async (context) => {
  const a = await FederationBed.open(context, "a")
  const { administration, broker } = a.running
  await administration.putVhost("other", {})
  const other = broker.vhosts.get("other")
  assert.ok(other !== undefined)
  await a.channel.declareExchange("x", "fanout", { durable: true })
  await a.channel.declareQueue("q", { durable: true })
  await a.channel.bindQueue("q", "x", "")
  await a.upstream("up", "amqp:///other")
  await a.policy("^x$")
  await a.untilRunning(1)
  assert.ok(other.queues.has("federation: x -> a:/:x"))
  await administration.putUser("policy", { password: "p", tags: ["policymaker"] })
  await administration.setPermissions("policy", "/", { configure: ".*", write: ".*", read: ".*" })
  const user = broker.users.get("policy")
  const value = { uri: "amqp:///other" }
  await assert.rejects(a.vhost.parameters.set("federation-upstream", "mine", value, user), Refusal)
  await a.vhost.parameters.set("federation-upstream", "mine", { uri: "amqp://" }, user)
  await administration.deleteVhost("other")
  await eventually(() =>
    assert.equal(a.links.find(({ upstream }) => upstream.name === "up")?.status.state, "error"),
  )
})

test("a link goes on where it was when its broker starts again", async (context) => {
  const dataDirectory = temporaryDirectory(context)
  const a = await FederationBed.open(context, "a")
  const b = await FederationBed.open(context, "b", { dataDirectory })
  await b.channel.declareExchange("x", "fanout", { durable: true })
  await b.channel.declareQueue("q", { durable: true })
  await b.channel.bindQueue("q", "x", "")
  await b.upstream("up", a.uri, { "message-ttl": 3_600_000, expires: 3_600_000 })
  await b.policy("^x$")
  await b.untilRunning(1)
  await b.running.close()
  const queue = a.queue("federation: x -> b")
  assert.deepEqual(queue.arguments.get("x-expires"), new TypedNumber("l", 3_600_000n))
  a.publish("x", "", "1", { deliveryMode: 2 })
  await eventually(() => assert.equal(queue.readyCount, 1))
  const again = await FederationBed.open(context, "b", { dataDirectory })
  await again.untilRunning(1)
  await eventually(() => assert.equal(again.count("q"), 1))
  assert.equal(a.queue("federation: x -> b"), queue)
})
