/** Expiry, length limits and dead letters make no object per message, as long as messages are alike. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { PLAIN_QUEUE, type QueueSettings } from "../../src/broker/settings.ts"
import { BYTES_PER_MESSAGE_MAX, heapBytesPerOperation, openMeasured, publishes } from "./heap.ts"

const COUNT = 8000

const CASES: readonly (readonly [string, Partial<QueueSettings>, number])[] = [
  ["a time to live", { messageTtlMs: 60_000 }, COUNT],
  ["a length limit that drops", { maxLength: 1000 }, 1000],
  [
    "a length limit and dead letters",
    { maxLength: 1000, deadLetterExchange: "", deadLetterRoutingKey: "dead" },
    1000,
  ],
]

for (const [name, settings, kept] of CASES)
  test(`publishing to a queue with ${name} allocates nothing`, async () => {
    const { harness, queue, endTurn } = await openMeasured()
    const dead = harness.declare("dead")
    queue.configure({ ...PLAIN_QUEUE, ...settings })
    const bytes = publishes(COUNT, "x".repeat(16), false)
    const perMessage = heapBytesPerOperation(COUNT, () => {
      harness.connection.onData(bytes)
      endTurn()
      assert.equal(queue.readyCount, kept)
      queue.purge()
      dead.purge()
      endTurn()
    })
    if (settings.deadLetterExchange === "")
      assert.equal(dead.publishedCount, (queue.publishedCount * (COUNT - 1000)) / COUNT)
    assert.ok(perMessage < BYTES_PER_MESSAGE_MAX, `${perMessage.toFixed(2)} bytes per message`)
  })
