import assert from "node:assert/strict"
import {
  ByteArray,
  Decimal,
  Timestamp,
  TypedNumber,
  type FieldValue,
  type PlainRecord,
  type Table,
} from "../../src/amqp/table.ts"
import type { WireClient } from "../support/wire-client.ts"
import { declare, drain, publishAndWait, table, text, wireTest } from "./harness.ts"

/** Publishes through the exchange and says which of the queues got a copy, each as often as it did. */
async function reached(
  client: WireClient,
  exchange: string,
  routingKey: string,
  queues: readonly string[],
  headers?: Table,
): Promise<string[]> {
  const properties = headers === undefined ? {} : { headers }
  await publishAndWait(client, { exchange, routingKey, properties, body: text("m") })
  const found: string[] = []
  for (const queue of queues) for (const _ of await drain(client, queue)) found.push(queue)
  return found
}

wireTest("binding what is missing is refused with 404", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  for (const [queue, exchange, explanation] of [
    ["nope", "amq.direct", "no queue 'nope' in vhost '/'"],
    ["q", "nope", "no exchange 'nope' in vhost '/'"],
  ] as const) {
    client.send("queue.bind", 1, { queue, exchange, routingKey: "k" })
    await client.expectChannelClose(1, {
      code: 404,
      text: `NOT_FOUND - ${explanation}`,
      method: "queue.bind",
    })
    await client.openChannel(1)
  }
  for (const [source, destination] of [
    ["amq.direct", "nope"],
    ["nope", "amq.direct"],
  ] as const) {
    client.send("exchange.bind", 1, { source, destination })
    await client.expectChannelClose(1, {
      code: 404,
      text: "NOT_FOUND - no exchange 'nope' in vhost '/'",
      method: "exchange.bind",
    })
    await client.openChannel(1)
  }
})

wireTest("unbinding what is missing or was never bound is no error", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await client.call("queue.unbind", 1, { queue: "q", exchange: "amq.direct", routingKey: "k" })
  await client.call("queue.unbind", 1, { queue: "nope", exchange: "amq.direct" })
  await client.call("queue.unbind", 1, { queue: "q", exchange: "nope" })
  await client.call("exchange.unbind", 1, { source: "nope", destination: "nope" })
})

wireTest("the default exchange takes no bindings", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const wanted = {
    code: 403,
    text: "ACCESS_REFUSED - operation not permitted on the default exchange",
  }
  client.send("queue.bind", 1, { queue: "q", exchange: "", routingKey: "k" })
  await client.expectChannelClose(1, { ...wanted, method: "queue.bind" })
  await client.openChannel(1)
  client.send("queue.unbind", 1, { queue: "q", exchange: "", routingKey: "q" })
  await client.expectChannelClose(1, { ...wanted, method: "queue.unbind" })
  await client.openChannel(1)
  client.send("exchange.bind", 1, { source: "", destination: "amq.direct" })
  await client.expectChannelClose(1, { ...wanted, method: "exchange.bind" })
  await client.openChannel(1)
  client.send("exchange.bind", 1, { source: "amq.direct", destination: "" })
  await client.expectChannelClose(1, { ...wanted, method: "exchange.bind" })
  await client.openChannel(1)
  assert.deepEqual(await reached(client, "", "q", ["q"]), ["q"])
})

wireTest("an empty queue name means the queue declared last, and its name as key", async (wire) => {
  const client = await wire.channel()
  await declare(client, "first")
  await declare(client, "last")
  await client.call("queue.bind", 1, { queue: "", exchange: "amq.direct", routingKey: "" })
  assert.deepEqual(await reached(client, "amq.direct", "last", ["first", "last"]), ["last"])
  assert.deepEqual(await reached(client, "amq.direct", "", ["first", "last"]), [])
  await client.call("queue.unbind", 1, { queue: "", exchange: "amq.direct", routingKey: "" })
  assert.deepEqual(await reached(client, "amq.direct", "last", ["first", "last"]), [])
})

wireTest("a key given with an empty queue name is kept", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await client.call("queue.bind", 1, { queue: "", exchange: "amq.direct", routingKey: "k" })
  assert.deepEqual(await reached(client, "amq.direct", "k", ["q"]), ["q"])
})

wireTest(
  "an empty queue name on a channel that declared none is refused with 404",
  async (wire) => {
    const client = await wire.channel(2)
    await declare(client, "q") // On channel 1: it counts per channel.
    client.send("queue.bind", 2, { queue: "", exchange: "amq.direct" })
    await client.expectChannelClose(2, {
      code: 404,
      text: "NOT_FOUND - no previously declared queue",
      method: "queue.bind",
    })
  },
)

wireTest("binding twice gives one copy, and one unbind undoes it", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const binding = { queue: "q", exchange: "amq.direct", routingKey: "k" }
  await client.call("queue.bind", 1, binding)
  await client.call("queue.bind", 1, binding)
  assert.deepEqual(await reached(client, "amq.direct", "k", ["q"]), ["q"])
  await client.call("queue.unbind", 1, binding)
  assert.deepEqual(await reached(client, "amq.direct", "k", ["q"]), [])
})

wireTest(
  "bindings with other arguments are other bindings; the order of arguments is nothing",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    const binding = { queue: "q", exchange: "amq.direct", routingKey: "k" }
    await client.call("queue.bind", 1, { ...binding, arguments: table({ a: 1, b: 2 }) })
    await client.call("queue.unbind", 1, binding)
    assert.deepEqual(await reached(client, "amq.direct", "k", ["q"]), ["q"])
    await client.call("queue.bind", 1, { ...binding, arguments: table({ a: 3 }) })
    assert.deepEqual(await reached(client, "amq.direct", "k", ["q"]), ["q"])
    await client.call("queue.unbind", 1, { ...binding, arguments: table({ b: 2, a: 1 }) })
    assert.deepEqual(await reached(client, "amq.direct", "k", ["q"]), ["q"])
    await client.call("queue.unbind", 1, { ...binding, arguments: table({ a: 3 }) })
    assert.deepEqual(await reached(client, "amq.direct", "k", ["q"]), [])
  },
)

wireTest("deleting a queue removes its bindings", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await client.call("queue.bind", 1, { queue: "q", exchange: "amq.fanout" })
  await client.call("queue.delete", 1, { queue: "q" })
  await declare(client, "q")
  assert.deepEqual(await reached(client, "amq.fanout", "", ["q"]), [])
})

wireTest("direct routes by the exact key", async (wire) => {
  const client = await wire.channel()
  for (const queue of ["q1", "q2"]) {
    await declare(client, queue)
    await client.call("queue.bind", 1, { queue, exchange: "amq.direct", routingKey: "both" })
    await client.call("queue.bind", 1, { queue, exchange: "amq.direct", routingKey: queue })
  }
  const queues = ["q1", "q2"]
  assert.deepEqual(await reached(client, "amq.direct", "both", queues), queues)
  assert.deepEqual(await reached(client, "amq.direct", "q2", queues), ["q2"])
  for (const key of ["", "Both", "both ", "q1.x", "*", "#"])
    assert.deepEqual(await reached(client, "amq.direct", key, queues), [], key)
})

wireTest("keys are bytes: other spellings and 255 bytes route exactly", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const long = "k".repeat(255)
  for (const routingKey of [long, "é", ""])
    await client.call("queue.bind", 1, { queue: "q", exchange: "amq.direct", routingKey })
  for (const key of [long, "é", ""])
    assert.deepEqual(await reached(client, "amq.direct", key, ["q"]), ["q"])
  for (const key of [long.slice(1), "e\u0301", "\0"])
    assert.deepEqual(await reached(client, "amq.direct", key, ["q"]), [])
})

wireTest("fanout reaches every queue once, whatever the keys", async (wire) => {
  const client = await wire.channel()
  for (const queue of ["q1", "q2"]) {
    await declare(client, queue)
    for (const routingKey of ["a", "b"])
      await client.call("queue.bind", 1, { queue, exchange: "amq.fanout", routingKey })
  }
  assert.deepEqual(await reached(client, "amq.fanout", "z", ["q1", "q2"]), ["q1", "q2"])
})

const TOPICS: readonly (readonly [pattern: string, matching: string[], other: string[]])[] = [
  ["a.b.c", ["a.b.c"], ["a.b", "a.b.c.d", "a.bb.c", ""]],
  ["*", ["a", "longer"], ["", "a.b", "a."]],
  ["*.b", ["a.b", ".b"], ["b", "a.b.c", "a.a.b"]],
  ["a.*.c", ["a.b.c", "a..c"], ["a.c", "a.b.b.c"]],
  ["a.*", ["a.b", "a."], ["a", "a.b.c"]],
  ["*.*", ["a.b"], ["a", "a.b.c"]],
  ["*.*.*", ["a.b.c", ".."], ["a.b", "a.b.c.d"]],
  ["#", ["", "a", "a.b", "a.b.c", "..."], []],
  ["a.#", ["a", "a.b", "a.b.c", "a."], ["", "b", "b.a", "aa"]],
  ["#.c", ["c", "b.c", "a.b.c"], ["", "c.d", "cc"]],
  ["a.#.c", ["a.c", "a.b.c", "a.b.b.c", "a..c"], ["a", "c", "a.b", "a.c.d"]],
  ["#.b.#", ["b", "a.b", "b.c", "a.b.c", "a.a.b.c.c"], ["", "a", "a.c"]],
  ["#.*", ["a", "a.b", "a.b.c"], [""]],
  ["*.#", ["a", "a.b", "a.b.c"], [""]],
  ["*.#.*", ["a.b", "a.b.c"], ["a", ""]],
  ["#.#", ["", "a", "a.b"], []],
  ["a..b", ["a..b"], ["a.b", "a.x.b"]],
  ["a*.b", ["a*.b"], ["ax.b"]],
  ["", [""], ["a", "."]],
  ["#.a.#.a.#.a.#.b", ["a.a.a.b", "x.a.x.a.x.a.x.b"], ["a.a.b", `${"a.".repeat(60)}c`]],
]

wireTest("topic patterns match words", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  for (const [pattern, matching, other] of TOPICS) {
    const binding = { queue: "q", exchange: "amq.topic", routingKey: pattern }
    await client.call("queue.bind", 1, binding)
    for (const key of matching)
      assert.deepEqual(await reached(client, "amq.topic", key, ["q"]), ["q"], `${pattern} | ${key}`)
    for (const key of other)
      assert.deepEqual(await reached(client, "amq.topic", key, ["q"]), [], `${pattern} | ${key}`)
    await client.call("queue.unbind", 1, binding)
  }
})

wireTest("a queue bound by two matching patterns gets one copy", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  for (const routingKey of ["a.*", "#", "a.b"])
    await client.call("queue.bind", 1, { queue: "q", exchange: "amq.topic", routingKey })
  assert.deepEqual(await reached(client, "amq.topic", "a.b", ["q"]), ["q"])
  await client.call("queue.unbind", 1, { queue: "q", exchange: "amq.topic", routingKey: "#" })
  assert.deepEqual(await reached(client, "amq.topic", "a.b", ["q"]), ["q"])
  assert.deepEqual(await reached(client, "amq.topic", "b", ["q"]), [])
})

type HeaderCase = readonly [
  what: string,
  binding: PlainRecord,
  headers: PlainRecord | undefined,
  matches: boolean,
]

const HEADER_CASES: readonly HeaderCase[] = [
  ["all, all equal", { "x-match": "all", a: 1, b: "x" }, { a: 1, b: "x", c: 3 }, true],
  ["all, one missing", { "x-match": "all", a: 1, b: "x" }, { a: 1 }, false],
  ["all, one unequal", { "x-match": "all", a: 1, b: "x" }, { a: 1, b: "y" }, false],
  ["all is the default", { a: 1, b: 2 }, { a: 1 }, false],
  ["all is the default, equal", { a: 1, b: 2 }, { a: 1, b: 2 }, true],
  ["any, one equal", { "x-match": "any", a: 1, b: "x" }, { b: "x" }, true],
  ["any, none equal", { "x-match": "any", a: 1, b: "x" }, { a: 2, b: "y" }, false],
  ["all without keys", { "x-match": "all" }, { a: 1 }, true],
  ["all without keys, no headers", { "x-match": "all" }, undefined, true],
  ["any without keys", { "x-match": "any" }, { a: 1 }, false],
  ["no headers at all", { a: 1 }, undefined, false],
  ["x- keys are ignored by all", { "x-match": "all", "x-other": 1, a: 1 }, { a: 1 }, true],
  ["x- keys are ignored by any", { "x-match": "any", "x-other": 1 }, { "x-other": 1 }, false],
  ["x- keys count for all-with-x", { "x-match": "all-with-x", "x-o": 1, a: 1 }, { a: 1 }, false],
  ["all-with-x, equal", { "x-match": "all-with-x", "x-o": 1, a: 1 }, { a: 1, "x-o": 1 }, true],
  ["x- keys count for any-with-x", { "x-match": "any-with-x", "x-o": 1 }, { "x-o": 1 }, true],
  ["void asks for presence", { a: null }, { a: "anything" }, true],
  ["void, absent", { a: null }, { b: 1 }, false],
  ["integer width does not matter", { a: 10n }, { a: 10 }, true],
  ["10 equals 10.0", { a: 10 }, { a: 10 }, true],
  ["a string is no number", { a: "1" }, { a: 1 }, false],
  ["nested tables and arrays", { a: { b: [1, "2"] } }, { a: { b: [1n, "2"] } }, true],
  ["nested, other order of an array", { a: [1, 2] }, { a: [2, 1] }, false],
]

wireTest("headers exchanges match by the table of rules", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  for (const [what, args, headers, matches] of HEADER_CASES) {
    const binding = { queue: "q", exchange: "amq.headers", arguments: table(args) }
    await client.call("queue.bind", 1, binding)
    const found = await reached(
      client,
      "amq.headers",
      "ignored",
      ["q"],
      headers === undefined ? undefined : table(headers),
    )
    assert.deepEqual(found, matches ? ["q"] : [], what)
    await client.call("queue.unbind", 1, binding)
  }
})

wireTest("headers of every field type match themselves", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  const values: FieldValue[] = [
    true,
    "text",
    Buffer.from([0xff]),
    new ByteArray(Buffer.from("x")),
    new TypedNumber("b", -1),
    new TypedNumber("u", 65535),
    new TypedNumber("l", (1n << 53n) + 1n),
    new TypedNumber("f", 0.5),
    new TypedNumber("d", 0.1),
    new Decimal(2, 314),
    new Timestamp(1n),
    [null],
    new Map([["k", null]]),
  ]
  for (const value of values) {
    const args: Table = new Map([["k", value]])
    const binding = { queue: "q", exchange: "amq.match", arguments: args }
    await client.call("queue.bind", 1, binding)
    assert.deepEqual(await reached(client, "amq.match", "", ["q"], args), ["q"])
    assert.deepEqual(await reached(client, "amq.match", "", ["q"], table({ k: "no" })), [])
    await client.call("queue.unbind", 1, binding)
  }
})

wireTest("a bad x-match is refused with 406", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  for (const [value, explanation] of [
    ["foo", 'Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x'],
    [
      5,
      /^PRECONDITION_FAILED - Invalid x-match field type signedint \(value 5\); expected longstr/,
    ],
  ] as const) {
    client.send("queue.bind", 1, {
      queue: "q",
      exchange: "amq.headers",
      arguments: table({ "x-match": value }),
    })
    await client.expectChannelClose(1, {
      code: 406,
      text: typeof explanation === "string" ? `PRECONDITION_FAILED - ${explanation}` : explanation,
      method: "queue.bind",
    })
    await client.openChannel(1)
  }
})

wireTest(
  "exchange-to-exchange bindings form chains, diamonds and cycles with one copy each",
  async (wire) => {
    const client = await wire.channel()
    await declare(client, "q")
    for (const exchange of ["a", "b", "c", "d"])
      await client.call("exchange.declare", 1, { exchange, type: "fanout" })
    const bind = async (source: string, destination: string): Promise<void> => {
      await client.call("exchange.bind", 1, { source, destination })
    }
    await client.call("queue.bind", 1, { queue: "q", exchange: "d" })
    await bind("a", "b")
    assert.deepEqual(await reached(client, "a", "", ["q"]), [])
    await bind("b", "d")
    assert.deepEqual(await reached(client, "a", "", ["q"]), ["q"])
    await bind("a", "c")
    await bind("c", "d")
    assert.deepEqual(await reached(client, "a", "", ["q"]), ["q"], "diamond")
    await bind("d", "a")
    await bind("b", "b")
    assert.deepEqual(await reached(client, "a", "", ["q"]), ["q"], "cycle")
    assert.deepEqual(await reached(client, "d", "", ["q"]), ["q"], "into the cycle")
    await client.call("exchange.unbind", 1, { source: "b", destination: "d" })
    await client.call("exchange.unbind", 1, { source: "c", destination: "d" })
    assert.deepEqual(await reached(client, "a", "", ["q"]), [])
  },
)

wireTest("several bindings between the same pair work by their keys", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await client.call("exchange.declare", 1, { exchange: "x", type: "topic" })
  await client.call("queue.bind", 1, { queue: "q", exchange: "x", routingKey: "#" })
  for (const routingKey of ["k1", "k2"])
    await client.call("exchange.bind", 1, { source: "amq.direct", destination: "x", routingKey })
  assert.deepEqual(await reached(client, "amq.direct", "k1", ["q"]), ["q"])
  await client.call("exchange.unbind", 1, {
    source: "amq.direct",
    destination: "x",
    routingKey: "k1",
  })
  assert.deepEqual(await reached(client, "amq.direct", "k1", ["q"]), [])
  assert.deepEqual(await reached(client, "amq.direct", "k2", ["q"]), ["q"])
})

wireTest("a hop keeps the routing key and the exchange's name as published", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q")
  await client.call("exchange.declare", 1, { exchange: "x", type: "topic" })
  await client.call("exchange.bind", 1, { source: "amq.fanout", destination: "x" })
  await client.call("queue.bind", 1, { queue: "q", exchange: "x", routingKey: "a.*" })
  await publishAndWait(client, { exchange: "amq.fanout", routingKey: "a.b" })
  client.send("basic.get", 1, { queue: "q", noAck: true })
  const message = await client.expect("basic.get-ok", 1)
  assert.deepEqual([message.exchange, message.routingKey], ["amq.fanout", "a.b"])
})

wireTest("the default exchange routes by the queue's name", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q1")
  await declare(client, "q2")
  assert.deepEqual(await reached(client, "", "q2", ["q1", "q2"]), ["q2"])
  assert.deepEqual(await reached(client, "", "q3", ["q1", "q2"]), [])
})

function onDirect(queue: string): { queue: string; exchange: string; routingKey: string } {
  return { queue, exchange: "amq.direct", routingKey: "k" }
}

wireTest("a cached route follows changes of the topology at once", async (wire) => {
  const client = await wire.channel()
  await declare(client, "q1")
  await declare(client, "q2")
  await client.call("queue.bind", 1, onDirect("q1"))
  assert.deepEqual(await reached(client, "amq.direct", "k", ["q1", "q2"]), ["q1"])
  await client.call("queue.bind", 1, onDirect("q2"))
  assert.deepEqual(await reached(client, "amq.direct", "k", ["q1", "q2"]), ["q1", "q2"])
  await client.call("queue.unbind", 1, onDirect("q1"))
  assert.deepEqual(await reached(client, "amq.direct", "k", ["q1", "q2"]), ["q2"])
  await client.call("queue.delete", 1, { queue: "q2" })
  assert.deepEqual(await reached(client, "amq.direct", "k", ["q1"]), [])
  await declare(client, "q2")
  assert.deepEqual(await reached(client, "amq.direct", "k", ["q1", "q2"]), [])
  assert.deepEqual(await reached(client, "", "q2", ["q1", "q2"]), ["q2"])
})
