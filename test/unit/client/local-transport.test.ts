/** The stream within a process: order, back-pressure, and an end that both sides learn of. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { LocalDialer } from "../../../src/client/local-transport.ts"
import type { LocalSocket } from "../../../src/client/local-transport.ts"
import type { ClientTransport } from "../../../src/client/transport.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { turn } from "./support.ts"

function pair(): {
  readonly client: ClientTransport
  readonly server: LocalSocket
  readonly events: string[]
} {
  const events: string[] = []
  let server: LocalSocket | null = null
  const dialer = new LocalDialer({
    clock: new ManualClock(),
    accept: (socket) => {
      server = socket
      return {
        onChunk: (chunk, size) => events.push(`server ${chunk.bytes.toString("utf8", 0, size)}`),
        onClosed: () => events.push("server closed"),
      }
    },
    otherwise: {
      dial: () => {
        throw new Error("the target was local")
      },
    },
  })
  const client = dialer.dial(
    { host: "", port: 5672, tls: null },
    {
      onOpen: () => events.push("open"),
      onChunk: (chunk, size) => events.push(`client ${chunk.bytes.toString("utf8", 0, size)}`),
      onClosed: (error) => events.push(`client closed ${String(error)}`),
    },
  )
  return { client, server: server!, events }
}

test("bytes arrive in a later turn, in order, and then count as taken", async () => {
  const { client, server, events } = pair()
  await turn()
  let done = 0
  client.write(Buffer.from("a"), () => done++)
  client.write(Buffer.from("bc"))
  server.write(Buffer.from("d"))
  assert.deepEqual(events, ["open"])
  assert.equal(client.writableLength, 3)
  await turn()
  assert.deepEqual(events, ["open", "server a", "server bc", "client d"])
  assert.equal(client.writableLength, 0)
  assert.equal(done, 1)
  assert.equal(server.bytesRead, 3)
  assert.equal(server.bytesWritten, 1)
})

test("a side that is paused lets the other one's bytes wait", async () => {
  const { client, server, events } = pair()
  await turn()
  server.pause()
  client.write(Buffer.from("late"))
  await turn()
  await turn()
  assert.equal(client.writableLength, 4)
  server.resume()
  await turn()
  assert.deepEqual(events, ["open", "server late"])
})

test("end() closes after what was written, destroy() drops it; both sides hear of it once", async () => {
  const ended = pair()
  await turn()
  ended.client.write(Buffer.from("last"))
  ended.client.end()
  ended.client.write(Buffer.from("too late"))
  await turn()
  await turn()
  await turn()
  assert.deepEqual(ended.events, ["open", "server last", "client closed null", "server closed"])
  const broken = pair()
  await turn()
  let done = 0
  broken.client.write(Buffer.from("lost"), () => done++)
  broken.server.destroy()
  broken.client.destroy()
  await turn()
  await turn()
  assert.equal(done, 1)
  assert.deepEqual(broken.events.slice(-2), ["client closed null", "server closed"])
})
