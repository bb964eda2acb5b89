import assert from "node:assert/strict"
import { test } from "node:test"
import { Admission } from "../../../src/broker/admission.ts"
import { UNLIMITED } from "../../../src/broker/limits.ts"

const none = { maxConnections: UNLIMITED, maxChannels: UNLIMITED }

test("nothing is refused without limits", () => {
  const admission = new Admission(0)
  for (let i = 0; i < 100; i++) {
    admission.checkNode()
    admission.checkVhost("/", "guest", UNLIMITED)
    admission.checkUser("guest", none)
    admission.checkChannel("guest", none)
    admission.connectionOpened("/", "guest")
    admission.channelOpened("guest")
  }
  assert.equal(admission.connectionCount, 100)
})

test("each limit has RabbitMQ's text and room again when somebody goes", () => {
  const admission = new Admission(2)
  admission.connectionOpened("/", "app")
  admission.connectionOpened("other", "app")
  admission.channelOpened("app")
  assert.throws(() => admission.checkNode(), {
    message: "connection refused: node connection limit (2) is reached",
  })
  assert.throws(() => admission.checkVhost("/", "app", 1), {
    message: "access to vhost '/' refused for user 'app': connection limit (1) is reached",
  })
  assert.throws(() => admission.checkUser("app", { ...none, maxConnections: 2 }), {
    message: "connection refused for user 'app': user connection limit (2) is reached",
  })
  assert.throws(() => admission.checkChannel("app", { ...none, maxChannels: 1 }), {
    message:
      "number of channels opened for user 'app' has reached the maximum allowed user limit of (1)",
  })
  admission.connectionClosed("/", "app")
  admission.channelsClosed("app", 1)
  admission.checkNode()
  admission.checkVhost("/", "app", 1)
  admission.checkUser("app", { ...none, maxConnections: 2 })
  admission.checkChannel("app", { ...none, maxChannels: 1 })
})

test("a limit of 0 lets nobody in", () => {
  const admission = new Admission(0)
  assert.throws(() => admission.checkVhost("/", "app", 0))
  assert.throws(() => admission.checkUser("app", { ...none, maxConnections: 0 }))
  assert.throws(() => admission.checkChannel("app", { ...none, maxChannels: 0 }))
})

test("counts come back to nothing", () => {
  const admission = new Admission(0)
  for (let i = 0; i < 3; i++) admission.connectionOpened("/", "app")
  for (let i = 0; i < 3; i++) admission.connectionClosed("/", "app")
  assert.equal(admission.connectionsOfVhost("/"), 0)
  assert.equal(admission.connectionsOfUser("app"), 0)
  assert.equal(admission.connectionCount, 0)
})
