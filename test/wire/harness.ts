/**
 * A broker per test, on an in-memory disk and a free port, with the raw client. After each test
 * the broker must still serve a newcomer: whatever was done to it may cost one connection, not all.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { Administration } from "../../src/broker/administration.ts"
import type { Vhost } from "../../src/broker/vhost.ts"
import { ManualClock } from "../../src/util/clock.ts"
import type { Broker } from "../../src/broker/broker.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { PublishOptions } from "../../src/amqp/content.ts"
import { tableFromPlain, type PlainRecord } from "../../src/amqp/table.ts"
import { InternalErrors } from "../support/internal-errors.ts"
import { WireClient, type HandshakeOptions, type ReceivedMethod } from "../support/wire-client.ts"

export interface WireTest {
  /** A TCP connection without handshake. */
  connect(): Promise<WireClient>
  /** An open connection. */
  open(options?: HandshakeOptions): Promise<WireClient>
  /** An open connection with the channels 1 to `count`. */
  channel(count?: number): Promise<WireClient>
  /** Stops the broker in order and starts one on the same disk, which the test's options must hold. */
  restart(): Promise<void>
  /** The vhost `/` of the running broker: policies, limits and what else has no method of the protocol. */
  readonly vhost: Vhost
  /** Stops the broker while clients are connected. */
  shutDown(): Promise<void>
  /** For what no client can set or see. */
  broker(): Broker
  /** Users, permissions and vhosts, as an operator changes them. */
  administration(): Administration
}

const LISTEN = { amqp: { host: "127.0.0.1", port: 0 } }

type BrokerOptions = NonNullable<Parameters<typeof startBroker>[0]>

export function wireTest(
  name: string,
  body: (wire: WireTest) => Promise<void>,
  options: BrokerOptions = {},
): void {
  test(name, async () => {
    const logger = new InternalErrors(options.logger)
    let broker = await startBroker({ ...options, ...LISTEN, logger })
    const clients: WireClient[] = []
    const keep = (client: WireClient): WireClient => {
      clients.push(client)
      return client
    }
    const stop = async (): Promise<void> => {
      for (const client of clients) client.destroy()
      await closeInTime(broker.close(), options.clock)
    }
    const wire: WireTest = {
      connect: async () => keep(await WireClient.connect(broker.amqpPort)),
      open: async (handshake) => keep(await WireClient.open(broker.amqpPort, handshake)),
      channel: async (count = 1) => {
        const client = keep(await WireClient.open(broker.amqpPort))
        for (let channel = 1; channel <= count; channel++) await client.openChannel(channel)
        return client
      },
      restart: async () => {
        await stop()
        broker = await startBroker({ ...options, ...LISTEN, logger })
      },
      get vhost() {
        const vhost = broker.broker.vhosts.get("/")
        assert.ok(vhost !== undefined)
        return vhost
      },
      shutDown: () => broker.close(),
      broker: () => broker.broker,
      administration: () => broker.administration,
    }
    try {
      await body(wire)
      await serveNewcomer(wire)
      logger.assertNone()
    } finally {
      await stop()
    }
  })
}

/** A clock that only tests move must move for the shutdown too, which looks after its clients by it. */
async function closeInTime(closing: Promise<void>, clock: BrokerOptions["clock"]): Promise<void> {
  const state = { isClosed: false }
  const closed = closing.finally(() => (state.isClosed = true))
  if (clock instanceof ManualClock)
    while (!state.isClosed) {
      clock.advance(10)
      await new Promise((resolve) => setImmediate(resolve))
    }
  await closed
}

async function serveNewcomer(wire: WireTest): Promise<void> {
  const client = await wire.channel()
  const { queue } = await client.call("queue.declare", 1, { exclusive: true })
  client.publish(1, { routingKey: queue, body: Buffer.from("still serving") })
  assert.equal((await get(client, queue))?.body.toString(), "still serving")
  await client.close()
}

// ---- short forms for what most tests need. Everything happens on channel 1 unless said otherwise.

export const text = (value: string): Buffer => Buffer.from(value)

export const table = tableFromPlain

/** Declares a transient queue; returns its name. */
export async function declare(
  client: WireClient,
  queue: string,
  options: {
    durable?: boolean
    exclusive?: boolean
    autoDelete?: boolean
    arguments?: PlainRecord
  } = {},
): Promise<string> {
  const { arguments: args = {}, ...flags } = options
  const reply = await client.call("queue.declare", 1, {
    queue,
    ...flags,
    arguments: tableFromPlain(args),
  })
  return reply.queue
}

/** Ready messages and consumers of a queue. */
export async function countsOf(
  client: WireClient,
  queue: string,
  channel = 1,
): Promise<{ messages: number; consumers: number }> {
  const reply = await client.call("queue.declare", channel, { queue, passive: true })
  return { messages: reply.messageCount, consumers: reply.consumerCount }
}

/** Publishes to a queue through the default exchange, one message for each body. */
export function publishTo(client: WireClient, queue: string, ...bodies: readonly string[]): void {
  for (const body of bodies) client.publish(1, { routingKey: queue, body: text(body) })
}

/** Publishes and waits until the broker has handled it, by a round trip on the channel. */
export async function publishAndWait(
  client: WireClient,
  options: PublishOptions,
  channel = 1,
): Promise<void> {
  client.publish(channel, options)
  await client.call("channel.flow", channel, { active: true })
}

/** The next message of the queue, or null if there is none. */
export async function get(
  client: WireClient,
  queue: string,
  { channel = 1, noAck = true }: { channel?: number; noAck?: boolean } = {},
): Promise<ReceivedMethod<"basic.get-ok"> | null> {
  client.send("basic.get", channel, { queue, noAck })
  const reply = await client.next(channel, "basic.get-ok or basic.get-empty")
  if (reply.name === "basic.get-empty") return null
  assert.equal(reply.name, "basic.get-ok")
  const { args, properties, propertyBytes, body, bodyFrames } = reply
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { ...args, properties, propertyBytes, body, bodyFrames } as ReceivedMethod<"basic.get-ok">
}

/** All ready messages of a queue, taken out. */
export async function drain(client: WireClient, queue: string): Promise<string[]> {
  const drained: string[] = []
  for (;;) {
    const message = await get(client, queue)
    if (message === null) return drained
    drained.push(message.body.toString())
  }
}

/** Starts a consumer; returns its tag. */
export async function consume(
  client: WireClient,
  queue: string,
  options: {
    channel?: number
    consumerTag?: string
    noAck?: boolean
    exclusive?: boolean
    arguments?: PlainRecord
  } = {},
): Promise<string> {
  const { channel = 1, arguments: args = {}, ...rest } = options
  const reply = await client.call("basic.consume", channel, {
    queue,
    ...rest,
    arguments: tableFromPlain(args),
  })
  return reply.consumerTag
}

/** The next `count` deliveries on the channel. */
export async function deliveries(
  client: WireClient,
  count: number,
  channel = 1,
): Promise<ReceivedMethod<"basic.deliver">[]> {
  const received: ReceivedMethod<"basic.deliver">[] = []
  while (received.length < count) received.push(await client.expect("basic.deliver", channel))
  return received
}

export async function receiveBodies(
  client: WireClient,
  count: number,
  channel = 1,
): Promise<string[]> {
  return (await deliveries(client, count, channel)).map(({ body }) => body.toString())
}
