/** Rates: how much counters have grown between two walks, and what is kept of them. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { SampleRing, samplesOf, shownBy } from "../../../src/http/samples.ts"
import { LENGTH } from "../../../src/http/series.ts"
import { Statistics } from "../../../src/http/statistics.ts"
import { startBroker } from "../../../src/server/start-broker.ts"
import { ManualClock } from "../../../src/util/clock.ts"

test("a rate is the growth per second since the last sample, and a log keeps the latest", async () => {
  const clock = new ManualClock()
  const running = await startBroker({ amqp: { port: 0 } })
  try {
    const { broker } = running
    const statistics = new Statistics(broker, clock, { freeDiskBytes: () => 0 })
    const vhost = broker.vhosts.get("/")
    assert.ok(vhost !== undefined)
    const exchange = vhost.exchange("amq.topic")
    const describe = (): unknown =>
      statistics.exchange(exchange, shownBy({}, true))["publish_in_details"]
    const sample = (): Promise<void> => {
      clock.advance(5000)
      return statistics.sample()
    }
    await sample()
    assert.deepEqual(describe(), { rate: 0, log: [] })
    exchange.publishInCount = 50
    await sample()
    assert.deepEqual(describe(), { rate: 10, log: [10] })
    await sample()
    assert.deepEqual(describe(), { rate: 0, log: [10, 0] })
    for (let i = 0; i < LENGTH; i++) {
      exchange.publishInCount += 1
      await sample()
    }
    const shown = describe()
    assert.deepEqual(shown, { rate: 0.2, log: Array.from({ length: LENGTH - 1 }, () => 0.2) })
  } finally {
    await running.close()
  }
})

test("what is gone leaves no series behind, and its totals stay", async () => {
  const clock = new ManualClock()
  const running = await startBroker({ amqp: { port: 0 } })
  try {
    const { broker } = running
    const statistics = new Statistics(broker, clock, { freeDiskBytes: () => 0 })
    const vhost = broker.vhosts.get("/")
    assert.ok(vhost !== undefined)
    const queue = vhost.declareQueue(
      { name: "q", durable: false, exclusive: false, autoDelete: false, arguments: new Map() },
      null,
    )
    queue.publishedCount = 10
    clock.advance(5000)
    await statistics.sample()
    assert.equal(statistics.rate(queue, 0), 2)
    vhost.deleteQueue(queue)
    clock.advance(5000)
    await statistics.sample()
    assert.equal(statistics.rate(queue, 0), 0)
    assert.equal(statistics.queue(queue)["publish"], 10)
    assert.equal(statistics.churn()["queue_deleted"], 1)
  } finally {
    await running.close()
  }
})

test("samples are as many as wanted of the time wanted, newest first", () => {
  const ring = new SampleRing(1, 121)
  for (let i = 0; i <= 200; i++) ring.push(i * 5000, [i * 10])
  const now = { sample: 7, timestamp: 1_000_001 }
  const minute = { ageSeconds: 60, stepSeconds: 30 }
  const { samples, avg_rate: rate, avg } = samplesOf([ring], 0, minute, now)
  assert.deepEqual(samples, [
    { sample: 2000, timestamp: 1_000_000 },
    { sample: 1940, timestamp: 970_000 },
    { sample: 1880, timestamp: 940_000 },
  ])
  assert.equal(rate, 2)
  assert.equal(avg, 1940)
  const all = samplesOf([ring], 0, { ageSeconds: 86_400, stepSeconds: 1 }, now)
  assert.equal(all.samples.length, 121)
  assert.deepEqual(samplesOf([], 0, minute, now), { avg: 7, avg_rate: 0, samples: [now] })
})

test("idle objects give their memory back and go on with the right rate", async () => {
  const clock = new ManualClock()
  const running = await startBroker({ amqp: { port: 0 } })
  try {
    const { broker } = running
    const statistics = new Statistics(broker, clock, { freeDiskBytes: () => 0 })
    const exchange = broker.vhosts.get("/")?.exchange("amq.topic")
    assert.ok(exchange !== undefined)
    const sample = (): Promise<void> => {
      clock.advance(5000)
      return statistics.sample()
    }
    exchange.publishInCount = 1000
    for (let i = 0; i < LENGTH + 5; i++) await sample()
    assert.deepEqual(statistics.exchange(exchange, shownBy({}, true))["publish_in_details"], {
      rate: 0,
      log: [],
    })
    exchange.publishInCount += 5
    await sample()
    assert.deepEqual(statistics.exchange(exchange, shownBy({}, true))["publish_in_details"], {
      rate: 1,
      log: [1],
    })
  } finally {
    await running.close()
  }
})
