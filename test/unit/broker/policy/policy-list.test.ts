import assert from "node:assert/strict"
import { test } from "node:test"
import { Refusal } from "../../../../src/broker/errors.ts"
import { PolicyList, type PolicyRequest } from "../../../../src/broker/policy/policy-list.ts"
import { ManualClock } from "../../../../src/util/clock.ts"
import { silentLogger } from "../../../../src/util/logger.ts"
import { MemoryDocument } from "../../auth/memory-document.ts"

function newList(document = new MemoryDocument(null), isOperator = false): PolicyList {
  return new PolicyList({
    vhostName: "/",
    isOperator,
    document,
    clock: new ManualClock(),
    log: silentLogger,
    onChanged: () => Promise.resolve(),
  })
}

const TTL = { pattern: ".*", definition: { "message-ttl": 1000 } }

function refusal(message: string | RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof Refusal)
    assert.equal(error.kind, "precondition-failed")
    if (typeof message === "string") assert.equal(error.message, message)
    else assert.match(error.message, message)
    return true
  }
}

test("a policy has defaults, is replaced and deleted", async () => {
  const document = new MemoryDocument(null)
  const list = newList(document)
  assert.equal(await list.set("p", TTL), true)
  assert.equal(await list.set("p", { ...TTL, priority: 2, applyTo: "queues" }), false)
  assert.deepEqual(document.value, [
    {
      name: "p",
      vhost: "/",
      pattern: ".*",
      "apply-to": "queues",
      priority: 2,
      definition: { "message-ttl": 1000 },
    },
  ])
  assert.equal(await list.delete("p"), true)
  assert.equal(await list.delete("p"), false)
  assert.deepEqual(document.value, [])
  await list.set("p", TTL)
  assert.equal(list.get("p")?.applyTo, "all")
  assert.equal(list.get("p")?.priority, 0)
})

test("policies survive a restart, operator policies too", async () => {
  for (const isOperator of [false, true]) {
    const document = new MemoryDocument(null)
    const list = newList(document, isOperator)
    await list.set("p", TTL)
    await list.set("q", { ...TTL, pattern: "^q", priority: -3, applyTo: "quorum_queues" })
    const reopened = newList(document, isOperator)
    reopened.load()
    assert.deepEqual(
      reopened.list().map(({ name, priority, applyTo }) => [name, priority, applyTo]),
      [
        ["p", 0, "all"],
        ["q", -3, "quorum_queues"],
      ],
    )
    assert.deepEqual([...reopened.get("q")!.definition], [["message-ttl", 1000]])
  }
})

test("the highest priority counts, and the first name among equals", async () => {
  const list = newList()
  await list.set("z", { ...TTL, priority: 1 })
  await list.set("b", { ...TTL, priority: 5 })
  await list.set("a", { ...TTL, priority: 5, pattern: "^x" })
  assert.equal(list.match("classic", "q")?.name, "b")
  assert.equal(list.match("classic", "xq")?.name, "a")
  await list.delete("b")
  assert.equal(list.match("classic", "q")?.name, "z")
})

test("apply-to says what a policy is for", async () => {
  const expected = {
    all: ["classic", "quorum", "stream", "exchange"],
    queues: ["classic", "quorum", "stream"],
    classic_queues: ["classic"],
    quorum_queues: ["quorum"],
    streams: ["stream"],
    exchanges: ["exchange"],
  }
  for (const [applyTo, subjects] of Object.entries(expected)) {
    const list = newList()
    await list.set("p", { ...TTL, applyTo })
    const matched = (["classic", "quorum", "stream", "exchange"] as const).filter(
      (subject) => list.match(subject, "q") !== null,
    )
    assert.deepEqual(matched, subjects)
  }
})

test("patterns are searched anywhere, and the empty one is everywhere", async () => {
  const list = newList()
  await list.set("p", { ...TTL, pattern: "b\\.c" })
  assert.notEqual(list.match("classic", "a.b.c.d"), null)
  assert.equal(list.match("classic", "a.bxc"), null)
  await list.set("p", { ...TTL, pattern: "" })
  assert.notEqual(list.match("classic", "anything"), null)
})

test("what cannot be accepted is refused with a clear text, and changes nothing", async () => {
  const cases: [PolicyRequest, string | RegExp][] = [
    [{ pattern: "(", definition: { expires: 1 } }, /invalid regular expression '\('/],
    [{ pattern: 5, definition: { expires: 1 } }, "pattern should be a regular expression"],
    [{ ...TTL, applyTo: "everything" }, /^apply-to should be one of all, queues, classic_queues/],
    [{ ...TTL, priority: 1.5 }, "priority should be an integer"],
    [{ ...TTL, priority: "1" }, "priority should be an integer"],
    [{ pattern: "", definition: [] }, "definition should be an object"],
    [{ pattern: "", definition: null }, "definition should be an object"],
    [{ pattern: "", definition: {} }, "no policy provided"],
    [{ pattern: "", definition: { foo: 1 } }, '[<<"foo">>] are not recognised policy settings'],
    [{ pattern: "", definition: { "max-priority": 1 } }, /are not recognised policy settings/],
  ]
  const document = new MemoryDocument(null)
  const list = newList(document)
  for (const [request, message] of cases)
    await assert.rejects(list.set("p", request), refusal(message))
  await assert.rejects(list.set("", TTL), refusal("a policy name must have 1 to 255 bytes"))
  assert.equal(document.saveCount, 0)
  assert.equal(list.size, 0)
})

test("values are checked as RabbitMQ checks them", async () => {
  const cases: [string, unknown, string][] = [
    ["alternate-exchange", 1, "1 is not a valid alternate exchange name"],
    ["consumer-timeout", -1, "-1 is not a valid consumer timeout"],
    ["dead-letter-exchange", true, "true is not a valid dead letter exchange name"],
    ["delayed-message", 1, "1 is not a valid delayed-message value"],
    ["delivery-limit", "5", '<<"5">> is not a valid delivery limit'],
    ["expires", 0, "0 is not a valid queue expiry"],
    ["expires", 315_360_000_001, "315360000001 is not a valid queue expiry"],
    ["federation-upstream", [], "[] is not a valid federation upstream name"],
    ["max-age", "7", '<<"7">> is not a valid max age'],
    ["max-age", "0D", '<<"0D">> is not a valid max age'],
    ["max-length", -1, "-1 is not a valid maximum length"],
    ["max-length-bytes", 1.5, "1.5 is not a valid maximum length in bytes"],
    ["message-ttl", -1, "-1 is not a valid message TTL"],
    ["message-ttl", null, "undefined is not a valid message TTL"],
    ["overflow", "drop", '<<"drop">> is not a valid overflow value'],
    ["queue-mode", "fast", '<<"fast">> is not a valid queue-mode value'],
    ["queue-version", 3, "3 is not a valid queue-version value"],
    ["stream-max-segment-size-bytes", 3_000_000_001, "3000000001 is not a valid segment size"],
    ["stream-filter-size-bytes", 15, "15 is not a valid filter size"],
  ]
  const list = newList()
  for (const [key, value, message] of cases)
    await assert.rejects(
      list.set("p", { pattern: "", definition: { [key]: value } }),
      refusal(message),
    )
})

test("keys that need or exclude another", async () => {
  const list = newList()
  await assert.rejects(
    list.set("p", { pattern: "", definition: { "dead-letter-routing-key": "k" } }),
    refusal("dead-letter-routing-key needs dead-letter-exchange"),
  )
  await assert.rejects(
    list.set("p", {
      pattern: "",
      definition: { "federation-upstream": "u", "federation-upstream-set": "all" },
    }),
    refusal("cannot specify both federation-upstream and federation-upstream-set"),
  )
})

test("every key that does something, and those kept for others, are accepted", async () => {
  const definition = {
    "alternate-exchange": "ae",
    "consumer-timeout": 1000,
    "dead-letter-exchange": "",
    "dead-letter-routing-key": "k",
    "dead-letter-strategy": "at-least-once",
    "delayed-message": true,
    "delivery-limit": -1,
    expires: 1,
    "federation-upstream-set": "all",
    "ha-mode": "all",
    "ha-sync-mode": "automatic",
    "max-age": "7D",
    "max-length": 0,
    "max-length-bytes": 0,
    "message-ttl": 0,
    overflow: "reject-publish-dlx",
    "queue-leader-locator": "balanced",
    "queue-mode": "lazy",
    "queue-version": 2,
    "stream-max-segment-size-bytes": 1000,
  }
  const list = newList()
  await list.set("p", { pattern: "", definition })
  assert.deepEqual(Object.fromEntries(list.get("p")!.definition), definition)
})

test("an operator policy has limits only", async () => {
  const list = newList(new MemoryDocument(null), true)
  const definition = {
    "delivery-limit": 5,
    expires: 1,
    "max-length": 1,
    "max-length-bytes": 1,
    "message-ttl": 1,
    overflow: "reject-publish",
  }
  await list.set("p", { pattern: "", definition })
  await assert.rejects(
    list.set("q", { pattern: "", definition: { "dead-letter-exchange": "x" } }),
    refusal('[<<"dead-letter-exchange">>] are not recognised operator policy settings'),
  )
})

test("a definition is a copy", async () => {
  const definition = { "message-ttl": 5 }
  const list = newList()
  await list.set("p", { pattern: "", definition })
  definition["message-ttl"] = 6
  assert.equal(list.get("p")?.definition.get("message-ttl"), 5)
})

test("entries of the file that cannot be used do nothing and stay in it", async () => {
  const broken = { name: "broken", vhost: "/", pattern: "(", definition: { expires: 1 } }
  const partly = {
    name: "partly",
    vhost: "/",
    pattern: "",
    "apply-to": "all",
    priority: 0,
    definition: { "message-ttl": "soon", foo: 1, expires: 5 },
  }
  const document = new MemoryDocument([broken, 17, partly])
  const list = newList(document)
  list.load()
  assert.deepEqual(
    list.list().map(({ name }) => name),
    ["partly"],
  )
  await list.set("new", TTL)
  assert.deepEqual(document.value, [
    partly,
    {
      name: "new",
      vhost: "/",
      pattern: ".*",
      "apply-to": "all",
      priority: 0,
      definition: { "message-ttl": 1000 },
    },
    broken,
    17,
  ])
})

test("an expression that takes forever is given up, and the log says so", async () => {
  const clock = new ManualClock()
  const errors: string[] = []
  const list = new PolicyList({
    vhostName: "/",
    isOperator: false,
    document: new MemoryDocument(null),
    clock: Object.assign(clock, { refresh: () => (clock.nowMs = performance.now()) }),
    log: { ...silentLogger, error: (_fields: object, line: string) => errors.push(line) },
    onChanged: () => Promise.resolve(),
  })
  await list.set("p", { ...TTL, pattern: "^(a+)+$" })
  assert.notEqual(list.match("classic", "aaa"), null)
  assert.equal(list.match("classic", "b"), null)
  assert.deepEqual(errors, [])
  assert.equal(list.match("classic", `${"a".repeat(60)}!`), null)
  assert.deepEqual(errors, ["a policy's pattern takes too long: it matches nothing now"])
  for (let i = 0; i < 1000; i++)
    assert.equal(list.match("classic", `${"a".repeat(100)}${i}!`), null)
  assert.equal(errors.length, 1)
})
