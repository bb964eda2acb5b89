import assert from "node:assert/strict"
import { test } from "node:test"
import {
  DirectReplies,
  isReplyName,
  isReplyQueue,
  isReservedForReplies,
} from "../../../src/broker/direct-reply.ts"
import { IncomingMessage } from "../../../src/broker/message.ts"
import { systemRandom } from "../../../src/util/random.ts"

const message = new IncomingMessage()

test("a reply reaches its consumer until that one is removed", () => {
  const replies = new DirectReplies(systemRandom)
  const taken: IncomingMessage[] = []
  const name = replies.add({ takeReply: (reply) => taken.push(reply) > 0 })
  assert.ok(replies.has(name))
  assert.ok(replies.publish(name, message))
  assert.deepEqual(taken, [message])
  replies.remove(name)
  assert.ok(!replies.publish(name, message))
  assert.equal(taken.length, 1)
  assert.equal(replies.size, 0)
})

test("a consumer that does not take the reply makes it unroutable", () => {
  const replies = new DirectReplies(systemRandom)
  assert.ok(!replies.publish(replies.add({ takeReply: () => false }), message))
})

test("names are long, random, and never given twice", () => {
  const given = [7, 7, 8]
  const random = { bytes: (count: number) => Buffer.alloc(count, given.shift() ?? 0) }
  const replies = new DirectReplies(random)
  const consumer = { takeReply: (): boolean => true }
  const first = replies.add(consumer)
  const second = replies.add(consumer)
  assert.notEqual(first, second)
  assert.match(first, /^amq\.rabbitmq\.reply-to\.[\w-]{22}\.[\w-]{22}==$/)
  assert.equal(given.length, 0)
})

test("the pseudo queue and its names are told from others", () => {
  assert.ok(isReplyQueue("amq.rabbitmq.reply-to"))
  assert.ok(isReplyQueue("amq.direct.reply-to"))
  assert.ok(!isReplyQueue("amq.rabbitmq.reply-to.x"))
  assert.ok(isReplyName("amq.rabbitmq.reply-to.x"))
  assert.ok(!isReplyName("amq.rabbitmq.reply-to"))
  assert.ok(isReservedForReplies("amq.rabbitmq.reply-tox"))
  assert.ok(!isReservedForReplies("amq.gen-x"))
})
