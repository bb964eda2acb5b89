/** Rates: how much counters have grown between two walks, and what is kept of them. */
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  EXCHANGE_METRICS,
  LOG_LENGTH,
  QUEUE_METRICS,
  Statistics,
} from "../../../src/http/statistics.ts"
import { startBroker } from "../../../src/server/start-broker.ts"
import { ManualClock } from "../../../src/util/clock.ts"

test("a rate is the growth per second since the last sample, and a log keeps the latest", async () => {
  const clock = new ManualClock()
  const running = await startBroker({ amqp: { port: 0 } })
  try {
    const { broker } = running
    const statistics = new Statistics(broker, clock)
    const vhost = broker.vhosts.get("/")
    assert.ok(vhost !== undefined)
    const exchange = vhost.exchange("amq.topic")
    const describe = (): unknown =>
      statistics.describe(exchange, exchange, EXCHANGE_METRICS, true)["publish_in_details"]
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
    for (let i = 0; i < LOG_LENGTH; i++) {
      exchange.publishInCount += 1
      await sample()
    }
    const shown = describe()
    assert.deepEqual(shown, { rate: 0.2, log: Array.from({ length: LOG_LENGTH }, () => 0.2) })
  } finally {
    await running.close()
  }
})

test("what is gone leaves no series behind, and its totals stay", async () => {
  const clock = new ManualClock()
  const running = await startBroker({ amqp: { port: 0 } })
  try {
    const { broker } = running
    const statistics = new Statistics(broker, clock)
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
    assert.equal(statistics.describe(queue, queue, QUEUE_METRICS)["publish"], 10)
    assert.equal(statistics.churn()["queue_deleted"], 1)
  } finally {
    await running.close()
  }
})
