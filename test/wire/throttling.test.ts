/** Guessing passwords, and clients that are slow or many: bounded, and nobody else is kept out. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { connect as connectSocket, type Socket } from "node:net"
import { test } from "node:test"
import { HttpListener } from "../../src/http/listener.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { RunningBroker } from "../../src/server/start-broker.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { silentLogger } from "../../src/util/logger.ts"
import { eventually, within } from "../support/eventually.ts"
import { WireClient } from "../support/wire-client.ts"
import { wireTest } from "./harness.ts"

/** Up to start-ok with a wrong password. */
async function guess(client: WireClient): Promise<void> {
  client.sendHeader()
  await client.expect("connection.start")
  client.startOk({ password: "wrong" })
}

const clock = new ManualClock()

wireTest(
  "after twenty failures on this machine the next ones wait, and the right password does not",
  async (wire) => {
    for (let i = 0; i < 20; i++) {
      const client = await wire.connect()
      await guess(client)
      await client.expectConnectionClose({ code: 403 })
    }
    const slow = await wire.connect()
    await guess(slow)
    const { throttle } = wire.broker().logins
    await eventually(() => assert.equal(throttle.waitingCount, 1))
    await (await wire.open()).close()
    clock.advance(200)
    assert.equal(throttle.waitingCount, 1)
    clock.advance(100)
    await slow.expectConnectionClose({ code: 403 })
    assert.equal(throttle.waitingCount, 0)
    assert.deepEqual(wire.broker().authAttempts.amqp, { succeeded: 1, failed: 21, throttled: 0 })
  },
  { clock },
)

wireTest(
  "guesses that do not wait for the answer are refused without a look, and leave nothing behind",
  async (wire) => {
    const { logins, connections } = wire.broker()
    const clients = await Promise.all(Array.from({ length: 60 }, () => wire.connect()))
    for (const client of clients) await guess(client)
    await eventually(() => assert.ok(logins.attempts.amqp.throttled >= 15))
    assert.equal(logins.throttle.waitingCount, 20)
    for (const client of clients) client.destroy()
    await eventually(() => assert.equal(connections.size, 0))
    clock.advance(1000)
    assert.equal(logins.throttle.waitingCount, 0)
  },
  { clock },
)

wireTest(
  "connections that say nothing, or stop halfway, end after ten seconds",
  async (wire) => {
    const silent = await wire.connect()
    const halfway = await wire.connect()
    halfway.sendBytes(Buffer.from("AMQ"))
    const greeted = await wire.connect()
    greeted.sendHeader()
    await greeted.expect("connection.start")
    const { connections } = wire.broker()
    await eventually(() => assert.equal(connections.size, 3))
    clock.advance(9000)
    assert.equal(connections.size, 3)
    clock.advance(2000)
    for (const client of [silent, halfway, greeted]) await client.expectClosed()
    assert.equal(connections.size, 0)
  },
  { clock },
)

interface HttpBed {
  readonly running: RunningBroker
  readonly port: number
  connect(): Promise<Socket>
}

/** A listener with short timeouts before the application of a broker. */
function httpTest(name: string, body: (bed: HttpBed) => Promise<void>): void {
  test(name, async () => {
    const http = { host: "127.0.0.1", port: 0 }
    const running = await startBroker({ amqp: { port: 0 }, http })
    assert.ok(running.http !== null)
    await running.http.load() // Not within the time of the first request.
    const limits = { headersMs: 300, requestMs: 600, checkMs: 100, connectionsMax: 20 }
    const listener = new HttpListener(running.http.app, silentLogger, () => {}, limits)
    const port = await listener.listen("127.0.0.1", 0)
    const sockets: Socket[] = []
    try {
      await body({
        running,
        port,
        async connect() {
          const socket = connectSocket({ port, host: "127.0.0.1" })
          sockets.push(socket)
          socket.on("error", () => {})
          await within(once(socket, "connect"), "connect")
          return socket
        },
      })
    } finally {
      for (const socket of sockets) socket.destroy()
      await listener.close()
      await running.close()
    }
  })
}

httpTest("HTTP and AMQP count the failures of an address together", async ({ running, port }) => {
  const ask = async (password: string): Promise<number> => {
    const headers = { authorization: `Basic ${btoa(`guest:${password}`)}` }
    const response = await fetch(`http://127.0.0.1:${port}/api/whoami`, { headers })
    await response.arrayBuffer()
    return response.status
  }
  for (let i = 0; i < 10; i++) {
    assert.equal(await ask("wrong"), 401)
    const client = await WireClient.connect(running.amqpPort)
    await guess(client)
    await client.expectConnectionClose({ code: 403 })
    client.destroy()
  }
  const slow = ask("wrong")
  await eventually(() => assert.equal(running.broker.logins.throttle.waitingCount, 1))
  assert.equal(await ask("guest"), 200)
  assert.equal(await slow, 401)
  const { amqp, http } = running.broker.authAttempts
  assert.deepEqual([amqp.failed, http.failed, http.succeeded], [10, 11, 1])
})

httpTest("who keeps all connections keeps nobody out", async (bed) => {
  const kept: Socket[] = []
  for (let i = 0; i < 20; i++) {
    const socket = await bed.connect()
    socket.write("GET /api/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
    await within(once(socket, "data"), "an answer")
    kept.push(socket)
  }
  const gone = Promise.all(kept.map((socket) => once(socket, "close")))
  await eventually(async () => {
    const response = await fetch(`http://127.0.0.1:${bed.port}/api/whoami`)
    assert.equal(response.status, 401)
    await response.arrayBuffer()
  })
  await within(gone, "the end of idle connections")
})

httpTest("a request whose headers never end is answered 408 and cut off", async (bed) => {
  const slow = await bed.connect()
  slow.write("GET /api/overview HTTP/1.1\r\nHost: x\r\n")
  const silent = await bed.connect()
  const dripping = await bed.connect()
  dripping.write("GET /api/overview HTTP/1.1\r\n")
  const answer = once(slow, "data")
  const closed = Promise.all(
    [slow, silent.resume(), dripping.resume()].map(
      (socket) => new Promise((resolve) => void socket.once("close", resolve)),
    ),
  )
  let isClosed = false
  void closed.then(() => (isClosed = true))
  await eventually(() => {
    // It may be reset by what it writes too late; the others get to read their answer.
    if (dripping.writable) dripping.write("X-Slow: 1\r\n")
    assert.ok(isClosed)
  })
  const [status]: unknown[] = await answer
  assert.match(String(status), /^HTTP\/1\.1 408 /)
  assert.equal(bed.running.broker.connections.size, 0)
})

httpTest("a body that never ends is cut off as well", async (bed) => {
  const socket = await bed.connect()
  const authorization = `Basic ${btoa("guest:guest")}`
  socket.write(
    "PUT /api/queues/%2F/q HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
      `Authorization: ${authorization}\r\nContent-Length: 1000\r\n\r\n{`,
  )
  await within(once(socket.resume(), "close"), "close")
})

httpTest("more connections than the HTTP port takes are closed at once", async (bed) => {
  const sockets: Socket[] = []
  for (let i = 0; i < 20; i++) sockets.push(await bed.connect())
  const one = await bed.connect()
  await within(once(one.resume(), "close"), "close")
  for (const socket of sockets) socket.destroy()
  await eventually(async () => {
    const response = await fetch(`http://127.0.0.1:${bed.port}/api/openapi.json`)
    await response.arrayBuffer()
    assert.equal(response.status, 200)
  })
})
