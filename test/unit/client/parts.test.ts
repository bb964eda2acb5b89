/** URIs, the window of confirms, the table of consumers and the reconnector, each by itself. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { ConfirmWindow } from "../../../src/client/confirm-window.ts"
import { Consumer, ConsumerTable } from "../../../src/client/consumers.ts"
import { ClientError } from "../../../src/client/errors.ts"
import { Reconnector } from "../../../src/client/reconnector.ts"
import { parseUri, withoutCredentials } from "../../../src/client/uri.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { chooseSeed, createRandom } from "../../support/seed.ts"
import { turn } from "./support.ts"

test("a URI says where, who and how", () => {
  const options = parseUri(
    "amqps://al%2Fice:p%40ss@[::1]:5999/my%2Fvhost?heartbeat=7&connection_timeout=1500&" +
      "channel_max=5&auth_mechanism=external&verify=verify_none&server_name_indication=mq.example&name=n&odd=1",
  )
  assert.deepEqual(options, {
    host: "::1",
    port: 5999,
    username: "al/ice",
    password: "p@ss",
    vhost: "my/vhost",
    heartbeatSeconds: 7,
    connectTimeoutMs: 1500,
    channelMax: 5,
    mechanisms: ["EXTERNAL"],
    name: "n",
    tls: { verify: false, serverName: "mq.example" },
  })
  for (const uri of ["amqp://", "amqp:///"])
    assert.deepEqual(parseUri(uri), { host: "", vhost: "/", tls: null }, uri)
  assert.deepEqual(parseUri("amqp:///v"), { host: "", vhost: "v", tls: null })
  const unix = parseUri("amqp+unix://u:p@/run/a.sock?vhost=v")
  assert.equal(unix.socketPath, "/run/a.sock")
  assert.equal(unix.vhost, "v")
})

test("a bad URI is refused without repeating its password", () => {
  for (const uri of [
    "http://u:secret@host",
    "amqp://u:secret@host:notaport",
    "amqp://u:secret@host?heartbeat=soon",
    "amqp://u:secret@host?auth_mechanism=magic",
    "amqps://u:secret@host?verify=perhaps",
    "amqps://u:secret@host?certfile=/nowhere.pem",
    "amqp://u:secret@host/%zz",
    "secret",
  ])
    assert.throws(
      () => parseUri(uri),
      (error: unknown) =>
        error instanceof ClientError && error.kind === "usage" && !/secret/.test(error.message),
      uri,
    )
  assert.equal(withoutCredentials("amqp://u:secret@host:1/v?password=x"), "amqp://host:1/v")
  assert.equal(withoutCredentials("secret"), "invalid URI")
})

test("only a file is read as a certificate: a pipe or a device would hold up the process", () => {
  for (const path of ["/dev/zero", "/dev/stdin", "/", "/nowhere"])
    assert.throws(
      () => parseUri(`amqps://host?cacertfile=${path}`),
      (error: unknown) =>
        error instanceof ClientError && /cacertfile cannot be read/.test(error.message),
      path,
    )
})

test("the window of confirms agrees with a set of tags", () => {
  const random = createRandom(chooseSeed("confirm window"))
  for (let round = 0; round < 50; round++) {
    const window = new ConfirmWindow()
    const model = new Set<number>()
    for (let step = 0; step < 2000; step++) {
      if (random.chance(0.6)) model.add(window.add())
      else {
        const tag = random.below(window.nextTag)
        const multiple = random.chance(0.1)
        assert.ok(window.settle(tag, multiple, true))
        for (const waiting of multiple ? model : [tag])
          if (!multiple || tag === 0 || waiting <= tag) model.delete(waiting)
      }
      assert.equal(window.unconfirmedCount, model.size)
    }
    assert.equal(window.settle(window.nextTag, false, true), false)
  }
})

test("consumers are found by their tags, whatever the hash says", () => {
  const table = new ConsumerTable()
  // Tags of the same length that begin and end alike.
  const tags = Array.from({ length: 200 }, (_, i) => `tag-${String(i).padStart(5, "0")}-same-end`)
  tags.push("", "a", "b", "ab", "äö")
  const consumers = tags.map((tag) => new Consumer(tag, "q", { onDelivery: () => {} }))
  for (const consumer of consumers) table.add(consumer)
  for (const [index, tag] of tags.entries()) {
    const chunk = new Chunk(Buffer.from(`xx${tag}yy`))
    assert.equal(table.find(chunk, 2, chunk.bytes.length - 2), consumers[index])
  }
  for (const consumer of consumers.filter((_, index) => index % 2 === 0)) table.remove(consumer)
  for (const [index, tag] of tags.entries())
    assert.equal(table.findByName(tag), index % 2 === 0 ? null : consumers[index])
  assert.equal(table.count, [...table.all()].length)
})

test("the reconnector doubles its delay, with a random part, and starts anew after a success", async () => {
  const clock = new ManualClock()
  let isUp = false
  const attempts: number[] = []
  const states: string[] = []
  const reconnector: Reconnector<string> = new Reconnector({
    clock,
    random: { bytes: () => Buffer.from([0x80, 0, 0, 0]) },
    delayMs: 1000,
    delayMsMax: 5000,
    connect: (attempt) => {
      attempts.push(attempt)
      return isUp ? Promise.resolve("it") : Promise.reject(new Error("not yet"))
    },
    onUp: () => {},
    discard: () => {},
    onChange: () => states.push(reconnector.state),
  })
  reconnector.start()
  // Half of the delay is random, and the random number is one half.
  for (const delayMs of [750, 1500, 3000, 3750, 3750]) {
    await turn()
    assert.equal(reconnector.state, "waiting")
    assert.equal(reconnector.nextAttemptAtMs, clock.nowMs + delayMs)
    assert.equal(reconnector.lastErrorText, "not yet")
    clock.advance(delayMs)
  }
  await turn()
  isUp = true
  reconnector.retryNow()
  await turn()
  assert.equal(reconnector.state, "up")
  assert.deepEqual(attempts, [1, 2, 3, 4, 5, 6, 7])
  clock.advance(11_000)
  reconnector.lost(new Error("gone"))
  assert.equal(reconnector.nextAttemptAtMs, clock.nowMs + 750)
  reconnector.stop()
  assert.equal(reconnector.nextAttemptAtMs, null)
  clock.advance(100_000)
  assert.equal(attempts.length, 7)
  assert.deepEqual(states.slice(0, 3), ["connecting", "waiting", "connecting"])
})

test("the reconnector throws away what arrives after stop(), and stops at a final failure", async () => {
  const clock = new ManualClock()
  const discarded: string[] = []
  const arrival = Promise.withResolvers<string>()
  const common = {
    clock,
    random: { bytes: () => Buffer.alloc(4) },
    onUp: () => assert.fail("it was stopped"),
    discard: (it: string) => void discarded.push(it),
  }
  const late = new Reconnector({ ...common, connect: () => arrival.promise })
  late.start()
  late.stop()
  arrival.resolve("late")
  await turn()
  assert.deepEqual(discarded, ["late"])
  const final = new Reconnector({
    ...common,
    connect: () => Promise.reject(new Error("wrong password")),
    isRetryable: () => false,
  })
  final.start()
  await turn()
  assert.equal(final.state, "stopped")
  assert.equal(final.lastErrorText, "wrong password")
})
