/** Whole client sessions as bytes, legal ones: what the fuzzer cuts, mixes and damages. */
import { encodePublish } from "../../src/amqp/content.ts"
import { HEARTBEAT_FRAME, PROTOCOL_HEADER } from "../../src/amqp/frames.ts"
import { tableFromPlain } from "../../src/amqp/table.ts"
import { methodFrame } from "../support/wire-frames.ts"

const HEADERS = tableFromPlain({
  text: "value",
  number: 42,
  truth: true,
  list: [1, "two", [3]],
  nested: { deeper: { deepest: "x" } },
})

/** Up to connection.open, piece by piece. */
export const HANDSHAKE: readonly Buffer[] = [
  PROTOCOL_HEADER,
  methodFrame("connection.start-ok", 0, {
    clientProperties: tableFromPlain({
      product: "fuzz",
      capabilities: { "connection.blocked": true, consumer_cancel_notify: true },
    }),
    mechanism: "PLAIN",
    response: Buffer.from("\0guest\0guest"),
    locale: "en_US",
  }),
  methodFrame("connection.tune-ok", 0, { channelMax: 100, frameMax: 8192, heartbeat: 0 }),
  methodFrame("connection.open", 0, { vhost: "/" }),
]

const REPLIES = "amq.rabbitmq.reply-to"

const open = methodFrame("channel.open", 1)
const exclusive = methodFrame("queue.declare", 1, { queue: "", exclusive: true })

/** What may follow the handshake; every class of the protocol is in one of them. */
export const SESSIONS: readonly (readonly Buffer[])[] = [
  [
    open,
    methodFrame("confirm.select", 1),
    exclusive,
    methodFrame("basic.consume", 1, { queue: "", consumerTag: "c", noAck: true }),
    encodePublish(1, { routingKey: "nobody", mandatory: true, body: Buffer.from("returned") }),
    encodePublish(1, {
      exchange: "amq.topic",
      routingKey: "a.b.c",
      properties: { headers: HEADERS, deliveryMode: 2, contentType: "text/plain", priority: 3 },
      body: Buffer.from("hello"),
    }),
    encodePublish(1, { exchange: "amq.fanout", body: Buffer.alloc(20_000, 1) }, 8192),
    encodePublish(1, { exchange: "amq.direct", body: Buffer.alloc(0) }),
    methodFrame("basic.cancel", 1, { consumerTag: "c" }),
    methodFrame("channel.close", 1, { replyCode: 200, replyText: "bye" }),
  ],
  [
    open,
    methodFrame("queue.declare", 1, { queue: "fuzz", autoDelete: true, arguments: HEADERS }),
    methodFrame("exchange.declare", 1, { exchange: "fuzz.x", type: "topic", autoDelete: true }),
    methodFrame("queue.bind", 1, { queue: "fuzz", exchange: "fuzz.x", routingKey: "#.a.*" }),
    methodFrame("queue.bind", 1, {
      queue: "fuzz",
      exchange: "amq.headers",
      arguments: tableFromPlain({ "x-match": "any", text: "value" }),
    }),
    methodFrame("exchange.bind", 1, { destination: "fuzz.x", source: "amq.fanout" }),
    encodePublish(1, { exchange: "amq.fanout", routingKey: "x.a.b", body: Buffer.from("1") }),
    encodePublish(1, { exchange: "amq.headers", properties: { headers: HEADERS } }),
    // A message that was got is known at once; a delivery would come some turns later.
    methodFrame("basic.get", 1, { queue: "fuzz" }),
    methodFrame("basic.ack", 1, { deliveryTag: 1 }),
    methodFrame("basic.qos", 1, { prefetchCount: 10 }),
    methodFrame("basic.consume", 1, { queue: "fuzz", consumerTag: "" }),
    methodFrame("basic.nack", 1, { deliveryTag: 0, multiple: true, requeue: true }),
    methodFrame("basic.recover", 1, { requeue: true }),
    methodFrame("exchange.unbind", 1, { destination: "fuzz.x", source: "amq.fanout" }),
    methodFrame("queue.unbind", 1, { queue: "fuzz", exchange: "fuzz.x", routingKey: "#.a.*" }),
    methodFrame("queue.purge", 1, { queue: "fuzz" }),
    methodFrame("queue.delete", 1, { queue: "fuzz" }),
    methodFrame("exchange.delete", 1, { exchange: "fuzz.x" }),
  ],
  [
    open,
    methodFrame("channel.open", 2),
    methodFrame("tx.select", 1),
    methodFrame("queue.declare", 1, { queue: "fuzz.tx", exclusive: true }),
    encodePublish(1, { routingKey: "fuzz.tx", body: Buffer.from("tx") }),
    HEARTBEAT_FRAME,
    methodFrame("tx.commit", 1),
    methodFrame("basic.get", 1, { queue: "" }), // The one declared last.
    methodFrame("basic.reject", 1, { deliveryTag: 1, requeue: true }),
    methodFrame("tx.rollback", 1),
    methodFrame("channel.flow", 2, { active: true }),
    methodFrame("access.request", 2, { realm: "/", active: true }),
    methodFrame("connection.update-secret", 0, { newSecret: Buffer.from("s"), reason: "r" }),
    methodFrame("channel.close-ok", 2),
    methodFrame("connection.close", 0, { replyCode: 200, replyText: "done" }),
  ],
  [
    open,
    methodFrame("basic.consume", 1, { queue: REPLIES, consumerTag: "r", noAck: true }),
    methodFrame("queue.declare", 1, { queue: REPLIES, passive: true }),
    // Nobody gets the request: the name in it would differ from run to run.
    encodePublish(1, {
      routingKey: "nobody",
      properties: { replyTo: REPLIES, expiration: "1000", userId: "guest", correlationId: "1" },
      body: Buffer.from("request"),
    }),
    encodePublish(1, { routingKey: `${REPLIES}.gone`, mandatory: true, body: Buffer.from("late") }),
    methodFrame("queue.declare", 1, {
      queue: "fuzz.limited",
      exclusive: true,
      arguments: tableFromPlain({ "x-consumer-timeout": 1000, "x-max-length": 2 }),
    }),
    encodePublish(1, {
      routingKey: "nobody",
      mandatory: true,
      properties: {
        headers: tableFromPlain({ CC: ["fuzz.limited", "nobody"], BCC: ["fuzz.limited"], x: 1 }),
      },
      body: Buffer.from("copied"),
    }),
    methodFrame("basic.get", 1, { queue: "fuzz.limited" }),
    methodFrame("basic.nack", 1, { deliveryTag: 1, requeue: true }),
    methodFrame("queue.delete", 1, { queue: "fuzz.limited" }),
    methodFrame("basic.cancel", 1, { consumerTag: "r" }),
  ],
]
