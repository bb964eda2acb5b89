/** Logins that are refused, in every way in which the refusal and the client's bytes can cross: one close, no bug in the log. */
import assert from "node:assert/strict"
import { tableFromPlain } from "../../src/amqp/table.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { eventually } from "../support/eventually.ts"
import type { WireClient } from "../support/wire-client.ts"
import { wireTest } from "./harness.ts"

const REFUSALS = [
  ["PLAIN", "\0guest\0wrong", 403],
  ["PLAIN", "\0nobody\0guest", 403],
  ["PLAIN", "rubbish", 403],
  ["EXTERNAL", "", 503],
  ["MAGIC", "", 503],
] as const

function logIn(client: WireClient, mechanism: string, response: string): void {
  const capabilities = tableFromPlain({ authentication_failure_close: true })
  client.send("connection.start-ok", 0, {
    clientProperties: new Map([["capabilities", capabilities]]),
    mechanism,
    response: Buffer.from(response),
    locale: "en_US",
  })
}

async function greeted(client: WireClient): Promise<WireClient> {
  client.sendHeader()
  await client.expect("connection.start")
  return client
}

const TUNE_OK = { channelMax: 10, frameMax: 131_072, heartbeat: 0 }

wireTest("the refusal is the only answer, whether bytes follow the login or not", async (wire) => {
  for (const [mechanism, response, code] of REFUSALS) {
    const patient = await greeted(await wire.connect())
    logIn(patient, mechanism, response)
    await patient.expectConnectionClose({ code, method: "connection.start-ok" })
    const hasty = await greeted(await wire.connect())
    logIn(hasty, mechanism, response)
    hasty.tuneOk(TUNE_OK)
    hasty.sendBytes(Buffer.alloc(500, 1))
    const close = await hasty.expect("connection.close")
    // A password is compared in a later turn: then the bytes behind it come first, and are not allowed.
    assert.ok([code, 501, 504].includes(close.replyCode), String(close.replyCode))
    hasty.destroy()
  }
  await eventually(() => assert.equal(wire.broker().connections.size, 0))
})

const clock = new ManualClock()

wireTest(
  "who leaves, or goes on talking, while a refusal is delayed is forgotten",
  async (wire) => {
    const { logins, connections } = wire.broker()
    for (let i = 0; i < 20; i++) {
      const client = await greeted(await wire.connect())
      client.startOk({ password: "wrong" })
      await client.expectConnectionClose({ code: 403 })
    }
    const left = await greeted(await wire.connect())
    left.startOk({ password: "wrong" })
    const talking = await greeted(await wire.connect())
    talking.startOk({ password: "wrong" })
    await eventually(() => assert.equal(logins.throttle.waitingCount, 2))
    left.destroy()
    talking.tuneOk(TUNE_OK)
    await talking.expectConnectionClose({ code: 504 })
    await eventually(() => assert.equal(connections.size, 0))
    clock.advance(2000)
    await eventually(() => assert.equal(logins.throttle.waitingCount, 0))
    assert.equal(connections.size, 0)
  },
  { clock },
)
