import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { EMPTY_TABLE, isArray, isTable, TypedNumber } from "../../../../src/amqp/table.ts"
import type { FieldValue, Table } from "../../../../src/amqp/table.ts"
import { Refusal } from "../../../../src/broker/errors.ts"
import { Parameters } from "../../../../src/broker/parameters.ts"
import { BindingMirror } from "../../../../src/links/federation/binding-mirror.ts"
import { SourceTags } from "../../../../src/links/source-tags.ts"
import {
  checkUpstream,
  checkUpstreamSet,
  upstreamsOf,
} from "../../../../src/links/federation/upstream.ts"
import { chooseSeed } from "../../../support/seed.ts"

const seed = chooseSeed("federation parts")

test("source tags: what a plain map says, for any order of confirms", () => {
  const step = fc.record({ publish: fc.nat(700), settle: fc.nat(2000), multiple: fc.boolean() })
  const property = fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const tags = new SourceTags()
    const model = new Map<number, number>()
    let last = 0
    for (const { publish, settle, multiple } of steps) {
      for (let i = 0; i < publish; i++) {
        last++
        tags.add(last * 10)
        model.set(last, last * 10)
      }
      const tag = last === 0 ? 1 : 1 + (settle % last)
      assert.equal(tags.at(tag), model.get(tag) ?? 0)
      const gone = [...model.keys()].filter((each) => each === tag || (multiple && each < tag))
      for (const each of gone) model.delete(each)
      assert.equal(tags.settle(tag, multiple), gone.length)
    }
    for (let tag = 1; tag <= last; tag++) assert.equal(tags.at(tag), model.get(tag) ?? 0)
  })
  fc.assert(property, { seed, numRuns: 100 })
})

test("source tags: a confirm settles what it is about once, for any order of confirms", () => {
  const step = fc.record({
    publish: fc.nat(40),
    confirm: fc.nat(60),
    multiple: fc.boolean(),
    asOne: fc.boolean(),
  })
  const property = fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const tags = new SourceTags()
    const open = new Set<number>()
    let last = 0
    for (const { publish, confirm, multiple, asOne } of steps) {
      for (let i = 0; i < publish; i++) {
        tags.add(++last * 10)
        open.add(last * 10)
      }
      // Peers may also confirm what was never published.
      const confirmTag = confirm === 60 ? 2 ** 52 : confirm % (last + 1)
      if (confirmTag === 0 && !multiple) continue
      const upTo = (confirmTag === 0 ? last : confirmTag) * 10
      const meant = [...open].filter((tag) => tag === upTo || (multiple && tag < upTo))
      const settled: number[] = []
      tags.confirm(confirmTag, multiple, asOne, (tag, isMultiple, count) => {
        const covered = [...open].filter((each) => each === tag || (isMultiple && each < tag))
        assert.equal(count, covered.length)
        for (const each of covered) open.delete(each)
        settled.push(...covered)
      })
      assert.deepEqual(
        settled.toSorted((a, b) => a - b),
        meant,
      )
    }
  })
  fc.assert(property, { seed, numRuns: 200 })
})

interface Sent {
  readonly text: string
  readonly args: Table
  readonly done: () => void
}

function mirrorTo(
  sent: Sent[],
  more: Partial<ConstructorParameters<typeof BindingMirror>[0]> = {},
): BindingMirror {
  const send = (verb: string) => (key: string, args: Table) =>
    new Promise<void>((done) => sent.push({ text: `${verb} ${key}`, args, done }))
  return new BindingMirror({
    clusterName: "me",
    vhost: "/",
    exchange: "/:x A",
    hopsMax: 3,
    upstreamCluster: "up",
    upstreamVhost: "/",
    bind: send("bind"),
    unbind: send("unbind"),
    onError: (error) => assert.fail(String(error)),
    ...more,
  })
}

test("a binding is mirrored once, and goes with the last that asks for it", async () => {
  const sent: Sent[] = []
  const mirror = mirrorTo(sent)
  mirror.add("k", EMPTY_TABLE)
  mirror.add("k", EMPTY_TABLE)
  mirror.add("k", new Map([["a", "1"]]))
  mirror.remove("k", EMPTY_TABLE)
  mirror.remove("absent", EMPTY_TABLE)
  assert.deepEqual(
    sent.map(({ text }) => text),
    ["bind k", "bind k"],
  )
  mirror.remove("k", EMPTY_TABLE)
  mirror.add("k", EMPTY_TABLE)
  assert.deepEqual(
    sent.slice(2).map(({ text }) => text),
    ["unbind k", "bind k"],
  )
  const settled = mirror.settled()
  for (const { done } of sent) done()
  await settled
  assert.equal(mirror.size, 2)
})

test("what changes while many commands are under way is sent once", async () => {
  const sent: Sent[] = []
  const mirror = mirrorTo(sent)
  for (let i = 0; i < 300; i++) mirror.add(String(i), EMPTY_TABLE)
  assert.equal(sent.length, 256)
  for (let round = 0; round < 50; round++) {
    mirror.remove("299", EMPTY_TABLE)
    mirror.add("299", EMPTY_TABLE)
  }
  mirror.remove("298", EMPTY_TABLE)
  const settled = mirror.settled()
  for (let i = 0; i < sent.length; i++) {
    sent[i]!.done()
    await Promise.resolve()
    await Promise.resolve()
  }
  await settled
  const late = sent.slice(256).map(({ text }) => text)
  assert.equal(late.filter((text) => text === "bind 299").length, 1)
  assert.ok(!late.some((text) => text.endsWith("298")))
})

function origin(name: string, hops: FieldValue): Table {
  return new Map<string, FieldValue>([
    [
      "x-bound-from",
      [
        new Map<string, FieldValue>([
          ["cluster-name", name],
          ["vhost", "/"],
          ["hops", hops],
        ]),
      ],
    ],
  ])
}

function short(hops: number): TypedNumber {
  return new TypedNumber("s", hops)
}

test("bindings carry where they come from, and end where the hops do or where they have been", () => {
  const cases: [Table, number | null][] = [
    [EMPTY_TABLE, 3],
    [origin("a", short(9)), 3],
    [origin("a", short(3)), 2],
    [origin("a", short(2)), 1],
    [origin("a", short(1)), null],
    [origin("up", short(9)), null],
    [origin("a", new TypedNumber("d", Number.NaN)), null],
    [origin("a", new TypedNumber("d", 2.5)), null],
    [origin("a", "many"), null],
    [new Map<string, FieldValue>([["x-bound-from", "no list"]]), 3],
    [new Map<string, FieldValue>([["x-bound-from", ["no table"]]]), null],
  ]
  for (const [args, hops] of cases) {
    const sent: Sent[] = []
    mirrorTo(sent).add("k", args)
    const [first] = sent
    if (hops === null) assert.equal(first, undefined)
    else {
      const entries = first?.args.get("x-bound-from")
      assert.ok(entries !== undefined && isArray(entries))
      const [entry] = entries
      assert.ok(entry !== undefined && isTable(entry))
      assert.deepEqual(entry.get("hops"), short(hops))
      assert.equal(entry.get("exchange"), "/:x A")
      assert.equal(entry.get("cluster-name"), "me")
    }
  }
})

test("upstreams are checked, with all that is wrong", () => {
  const uri = "amqp://user:secret@host"
  for (const value of [
    { uri },
    { uri: [uri, "amqps://other/vhost"] },
    {
      uri,
      "max-hops": 3,
      expires: 1000,
      "message-ttl": 0,
      "prefetch-count": 0,
      "ack-mode": "no-ack",
    },
    {
      uri,
      "reconnect-delay": 0.5,
      "trust-user-id": true,
      "bind-nowait": true,
      "queue-type": "quorum",
    },
    { uri, "resource-cleanup-mode": "never", "channel-use-mode": "single", "ha-policy": "all" },
    { uri, exchange: "e", queue: "q", "consumer-tag": "t" },
  ])
    checkUpstream("up", value)
  const bad: [unknown, RegExp][] = [
    [{}, /Key "uri" not found in up/],
    ["amqp://", /should be an object/],
    [{ uri: 5 }, /uri should be/],
    [{ uri: [] }, /uri should be/],
    [{ uri: "http://host" }, /uri is not valid/],
    [{ uri, "max-hops": 0 }, /max-hops should be a number/],
    [{ uri, "max-hops": "1" }, /max-hops should be a number/],
    [{ uri, expires: 0 }, /expires should be a number/],
    [{ uri, "ack-mode": "maybe" }, /ack-mode should be one of/],
    [{ uri, "queue-type": "stream" }, /queue-type should be one of/],
    [{ uri, "trust-user-id": "yes" }, /trust-user-id should be a boolean/],
    [{ uri, exchange: 1 }, /exchange should be a string/],
    [{ uri, colour: "red", size: 1 }, /Unrecognised terms \["colour", "size"\] in up/],
  ]
  for (const [value, reason] of bad)
    assert.throws(
      () => checkUpstream("up", value),
      (error) =>
        error instanceof Refusal && reason.test(error.message) && !/secret/.test(error.message),
      JSON.stringify(value),
    )
  checkUpstreamSet("set", [{ upstream: "a" }, { upstream: "b", "max-hops": 2, exchange: "e" }])
  for (const value of [{}, [1], [{}], [{ upstream: 1 }], [{ upstream: "a", uri }]])
    assert.throws(() => checkUpstreamSet("set", value), Refusal, JSON.stringify(value))
})

test("a policy means one upstream, a set with overrides, all of them, or those of a pattern", async () => {
  const parameters = new Parameters({ load: () => null, save: () => Promise.resolve() })
  const uri = "amqp://host"
  for (const name of ["a1", "a2", "b"])
    await parameters.set("federation-upstream", name, { uri, "max-hops": 5, exchange: "up" })
  await parameters.set("federation-upstream", "bad", { uri: 1 })
  await parameters.set("federation-upstream-set", "some", [
    { upstream: "b", "max-hops": 2 },
    { upstream: "absent" },
    { upstream: "a1", exchange: "mine" },
  ])
  const shown = (by: "upstream" | "set" | "pattern", name: string): unknown[] =>
    upstreamsOf({ by, name }, parameters).map((each) => [each.name, each.hopsMax, each.exchange])
  assert.deepEqual(shown("upstream", "b"), [["b", 5, "up"]])
  assert.deepEqual(shown("upstream", "absent"), [])
  assert.deepEqual(shown("set", "some"), [
    ["b", 2, "up"],
    ["a1", 5, "mine"],
  ])
  assert.deepEqual(shown("upstream", "a1"), [["a1", 5, "up"]], "an override stays with its set")
  const names = (by: "set" | "pattern", name: string): unknown[] =>
    upstreamsOf({ by, name }, parameters).map((each) => each.name)
  assert.deepEqual(names("set", "all"), ["a1", "a2", "b"])
  assert.deepEqual(names("set", "other"), [])
  assert.deepEqual(names("pattern", "^a"), ["a1", "a2"])
  assert.deepEqual(names("pattern", ""), ["a1", "a2", "b"])
  await parameters.set("federation-upstream-set", "all", [{ upstream: "b" }])
  assert.deepEqual(names("set", "all"), ["b"])
})
