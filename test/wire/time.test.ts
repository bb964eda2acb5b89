import assert from "node:assert/strict"
import { HEARTBEAT_FRAME } from "../../src/amqp/frames.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import { wireTest, type WireTest } from "./harness.ts"

/** A wire test whose broker lives by a clock that the test moves. */
function timedTest(
  name: string,
  body: (wire: WireTest, clock: ManualClock) => Promise<void>,
): void {
  const clock = new ManualClock()
  wireTest(name, (wire) => body(wire, clock), { clock })
}

timedTest(
  "a connection that never sends a header is closed after ten seconds",
  async (wire, clock) => {
    const client = await wire.connect()
    const witness = await wire.open() // Accepted later: the broker knows of the first by now.
    clock.advance(9_000)
    await witness.openChannel(1)
    clock.advance(2_000)
    await client.expectClosed()
  },
)

timedTest("a handshake that stops halfway is closed after ten seconds", async (wire, clock) => {
  const afterHeader = await wire.connect()
  afterHeader.sendHeader()
  await afterHeader.expect("connection.start")
  const afterLogin = await wire.connect()
  afterLogin.sendHeader()
  await afterLogin.expect("connection.start")
  afterLogin.startOk()
  await afterLogin.expect("connection.tune")
  const established = await wire.open()
  clock.advance(11_000)
  await afterHeader.expectClosed()
  await afterLogin.expectClosed()
  await established.openChannel(1)
})

timedTest("an idle connection is sent heartbeats", async (wire, clock) => {
  const client = await wire.open({ heartbeat: 10 })
  for (let second = 0; second < 16; second++) clock.advance(1_000)
  await eventually(() =>
    assert.ok(client.heartbeatCount >= 2, `${client.heartbeatCount} heartbeats`),
  )
  assert.ok(client.heartbeatCount <= 4, `${client.heartbeatCount} heartbeats in 16 seconds`)
})

timedTest(
  "a silent client is dropped after two to three intervals, without a frame",
  async (wire, clock) => {
    const client = await wire.open({ heartbeat: 10 })
    for (let second = 0; second < 19; second++) clock.advance(1_000)
    await client.openChannel(1)
    for (let second = 0; second < 31; second++) clock.advance(1_000)
    await client.expectClosed()
  },
)

timedTest("any frame is a sign of life, not only heartbeats", async (wire, clock) => {
  const client = await wire.open({ heartbeat: 10 })
  await client.openChannel(1)
  for (let i = 0; i < 10; i++) {
    for (let second = 0; second < 9; second++) clock.advance(1_000)
    if (i % 2 === 0) client.sendBytes(HEARTBEAT_FRAME)
    await client.call("channel.flow", 1, { active: true })
  }
})

timedTest("heartbeat 0 switches both directions off", async (wire, clock) => {
  const client = await wire.open({ heartbeat: 0 })
  for (let minute = 0; minute < 60; minute++) clock.advance(60_000)
  await client.openChannel(1)
  assert.equal(client.heartbeatCount, 0)
})

timedTest("a client that never answers a close is dropped in the end", async (wire, clock) => {
  const client = await wire.open({ heartbeat: 10 })
  client.send("channel.open", 0)
  await client.expect("connection.close")
  for (let second = 0; second < 31; second++) clock.advance(1_000)
  await client.expectClosed()
})
