/** Short forms for the wire tests of exchange features: declaring, binding, publishing, refusals. */
import assert from "node:assert/strict"
import { EMPTY_TABLE, type PlainRecord, type Table } from "../../src/amqp/table.ts"
import type { BasicProperties } from "../../src/amqp/properties.ts"
import type { CloseExpectation, WireClient } from "../support/wire-client.ts"
import { declare, drain, publishAndWait, table, text } from "./harness.ts"

export async function declareExchange(
  client: WireClient,
  exchange: string,
  type: string,
  args: PlainRecord = {},
  durable = false,
): Promise<void> {
  await client.call("exchange.declare", 1, { exchange, type, durable, arguments: table(args) })
}

/** The declare closes the channel for this reason; it is open again afterwards. */
export async function refusedExchange(
  client: WireClient,
  exchange: string,
  type: string,
  args: PlainRecord,
  reason: string,
): Promise<void> {
  client.send("exchange.declare", 1, { exchange, type, arguments: table(args) })
  await refused(client, reason, "exchange.declare")
}

/** The channel closes with 406 and this text, and is opened again. */
export async function refused(
  client: WireClient,
  reason: string,
  method: NonNullable<CloseExpectation["method"]>,
): Promise<void> {
  await client.expectChannelClose(1, { code: 406, text: `PRECONDITION_FAILED - ${reason}`, method })
  await client.openChannel(1)
}

/** Declares the queue too. */
export async function bindQueue(
  client: WireClient,
  exchange: string,
  queue: string,
  routingKey = "",
  args: Table = EMPTY_TABLE,
): Promise<void> {
  await declare(client, queue)
  await client.call("queue.bind", 1, { queue, exchange, routingKey, arguments: args })
}

/** Publishes, and says which of the queues got a copy, each as often as it did. */
export async function reached(
  client: WireClient,
  exchange: string,
  routingKey: string,
  queues: readonly string[],
  properties: BasicProperties = {},
): Promise<string[]> {
  await publishAndWait(client, { exchange, routingKey, properties, body: text("m") })
  const found: string[] = []
  for (const queue of queues) for (const _ of await drain(client, queue)) found.push(queue)
  return found
}

/** With confirms selected: the next publish with mandatory is returned, and then confirmed. */
export async function expectReturned(client: WireClient): Promise<void> {
  const returned = await client.expect("basic.return", 1)
  assert.deepEqual([returned.replyCode, returned.replyText], [312, "NO_ROUTE"])
  await client.expect("basic.ack", 1)
}
