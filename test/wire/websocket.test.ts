/** AMQP over WebSocket on the HTTP port: what is accepted, echoed, refused and bounded. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { request as httpRequest } from "node:http"
import type { IncomingMessage } from "node:http"
import { connect as connectSocket, type Socket } from "node:net"
import { test } from "node:test"
import { AMQPWebSocketClient } from "@cloudamqp/amqp-client/amqp-websocket-client"
import { WebSocket } from "ws"
import { encodePublish } from "../../src/amqp/content.ts"
import { PROTOCOL_HEADER } from "../../src/amqp/frames.ts"
import { tableFromPlain } from "../../src/amqp/table.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { CertificateAuthority } from "../support/certificates.ts"
import { eventually, within } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { methodFrame } from "../support/wire-frames.ts"

interface Bed {
  readonly running: RunningBroker
  readonly port: number
  readonly url: string
  /** A WebSocket that is open. */
  open(protocols?: readonly string[], headers?: Record<string, string>): Promise<WebSocket>
  /** Of a request for a WebSocket that is not granted. */
  refusal(path: string, headers?: Record<string, string>): Promise<IncomingMessage>
  /** Beyond the WebSocket handshake, as bytes. */
  raw(): Promise<Socket>
}

const UPGRADE = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
}

function webSocketTest(
  name: string,
  body: (bed: Bed) => Promise<void>,
  options: BrokerStartOptions = {},
): void {
  test(name, async () => {
    const http = { host: "127.0.0.1", port: 0 }
    const running = await startBroker({ ...options, amqp: { port: 0 }, http })
    const port = running.http?.port ?? 0
    const url = `ws://127.0.0.1:${port}/ws/amqp`
    const sockets: { terminate(): void }[] = []
    try {
      await body({
        running,
        port,
        url,
        async open(protocols = [], headers = {}) {
          const webSocket = new WebSocket(url, [...protocols], { headers })
          webSocket.on("error", () => {}) // It shows as a close.
          sockets.push(webSocket)
          await within(once(webSocket, "open"), "open")
          return webSocket
        },
        async refusal(path, headers = {}) {
          const request = httpRequest({
            port,
            host: "127.0.0.1",
            path,
            headers: { ...UPGRADE, ...headers },
          })
          request.end()
          const [response]: IncomingMessage[] = await within(once(request, "response"), "response")
          assert.ok(response !== undefined)
          return response
        },
        async raw() {
          const socket = connectSocket({ port, host: "127.0.0.1" })
          sockets.push({ terminate: () => socket.destroy() })
          const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...UPGRADE })
          const head = lines.map(([key, value]) => `${key}: ${value}\r\n`).join("")
          socket.write(`GET / HTTP/1.1\r\n${head}\r\n`)
          await within(once(socket, "data"), "101")
          return socket
        },
      })
    } finally {
      for (const socket of sockets) socket.terminate()
      await running.close()
    }
  })
}

/** Everything that arrives, as one stream. */
function bytesOf(webSocket: WebSocket): () => Buffer {
  const parts: Buffer[] = []
  webSocket.on("message", (data: Buffer) => parts.push(data))
  return () => Buffer.concat(parts)
}

function handshake(): Buffer {
  const startOk = methodFrame("connection.start-ok", 0, {
    clientProperties: tableFromPlain({ capabilities: { "connection.blocked": true } }),
    mechanism: "PLAIN",
    response: Buffer.from("\0guest\0guest"),
    locale: "en_US",
  })
  const tuneOk = methodFrame("connection.tune-ok", 0, {
    channelMax: 2047,
    frameMax: 131_072,
    heartbeat: 0,
  })
  const open = methodFrame("connection.open", 0, { vhost: "/" })
  return Buffer.concat([PROTOCOL_HEADER, startOk, tuneOk, open])
}

webSocketTest("amqp-client publishes, confirms, consumes, and connects again", async (bed) => {
  const connect = async (name: string): Promise<AMQPWebSocketClient> => {
    const client = new AMQPWebSocketClient({ url: bed.url, name, logger: null })
    await client.connect()
    return client
  }
  const first = await connect("first")
  const channel = await first.channel()
  await channel.queueDeclare("q", { durable: true })
  await channel.confirmSelect()
  const body = Buffer.alloc(1 << 20, "x")
  assert.equal(await channel.basicPublish("", "q", body, { deliveryMode: 2 }), 1)
  const info = [...bed.running.broker.connections][0]?.inspected.describe()
  assert.deepEqual(
    [info?.protocol, info?.isEncrypted, info?.peerHost, info?.clientName, info?.frameMax],
    ["Web AMQP 0-9-1", false, "127.0.0.1", "first", 8192],
  )
  await first.close()
  await eventually(() => assert.equal(bed.running.broker.connections.size, 0))
  const second = await connect("second")
  const message = await (await second.channel()).basicGet("q", { noAck: true })
  assert.deepEqual(Buffer.from(message?.body ?? []), body)
  await second.close()
})

webSocketTest("the first protocol that begins with amqp is echoed, others are not", async (bed) => {
  for (const [offered, echoed] of [
    [[], ""],
    [["amqp"], "amqp"],
    [["mqtt", "AMQPWSB10", "amqp"], "AMQPWSB10"],
  ] as const)
    assert.equal((await bed.open(offered)).protocol, echoed)
  // A client that gets none of those it offered ends the connection itself; the server does not mind.
  const request = httpRequest({
    port: bed.port,
    host: "127.0.0.1",
    path: "/",
    headers: { ...UPGRADE, "Sec-WebSocket-Protocol": "chat" },
  })
  request.end()
  const [response, socket]: [IncomingMessage, Socket] = await within(
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As the event is documented.
    once(request, "upgrade") as Promise<[IncomingMessage, Socket]>,
    "upgrade",
  )
  assert.equal(response.headers["sec-websocket-protocol"], undefined)
  socket.destroy()
})

webSocketTest("messages are a stream: cut anywhere, text as well as binary", async (bed) => {
  const webSocket = await bed.open()
  const received = bytesOf(webSocket)
  webSocket.send("AMQP\0\0\t\u0001") // The protocol header, as text.
  for (const octet of handshake().subarray(PROTOCOL_HEADER.length)) webSocket.send([octet])
  const openOk = methodFrame("connection.open-ok", 0, {})
  await eventually(() => assert.ok(received().includes(openOk)))
  const fragmented = await bed.open()
  const answer = bytesOf(fragmented)
  for (const part of [handshake().subarray(0, 11), handshake().subarray(11, 30)])
    fragmented.send(part, { fin: false })
  fragmented.send(handshake().subarray(30), { fin: true })
  await eventually(() => assert.ok(answer().includes(openOk)))
})

webSocketTest("other versions and broken requests are refused with what is right", async (bed) => {
  const old = await bed.refusal("/", { "Sec-WebSocket-Version": "8" })
  assert.deepEqual([old.statusCode, old.headers["sec-websocket-version"]], [426, "13"])
  const noKey = await bed.refusal("/", { "Sec-WebSocket-Key": "" })
  assert.equal(noKey.statusCode, 400)
})

webSocketTest("the API and other protocols get ordinary answers", async (bed) => {
  const authorization = `Basic ${btoa("guest:guest")}`
  const whoami = await bed.refusal("/api/whoami", { authorization })
  assert.equal(whoami.statusCode, 200)
  // As Java's client begins every connection.
  const headers = {
    authorization,
    "content-type": "application/json",
    Connection: "Upgrade, HTTP2-Settings",
    Upgrade: "h2c",
    "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
  }
  const options = { port: bed.port, host: "127.0.0.1", headers, method: "PUT" }
  const request = httpRequest({ ...options, path: "/api/queues/%2F/from-java" })
  request.end(JSON.stringify({ durable: true, arguments: { "x-max-length": 5 } }))
  const [created]: IncomingMessage[] = await within(once(request, "response"), "response")
  assert.equal(created?.statusCode, 201)
  assert.ok(bed.running.broker.vhosts.get("/")?.queues.has("from-java"))
})

webSocketTest("a page of a stranger is refused, one of the same host is not", async (bed) => {
  const refused = await bed.refusal("/", { Origin: "https://evil.example" })
  assert.equal(refused.statusCode, 403)
  const webSocket = await bed.open([], { Origin: "http://localhost:3000" })
  assert.equal(webSocket.readyState, webSocket.OPEN)
})

webSocketTest(
  "before login a message is small, after it larger, and never without bound",
  async (bed) => {
    const stranger = await bed.open()
    stranger.send(PROTOCOL_HEADER)
    stranger.send(Buffer.alloc(70_000), { fin: false })
    const [code]: unknown[] = await within(once(stranger, "close"), "close")
    assert.equal(code, 1009)
    const client = await bed.open()
    const received = bytesOf(client)
    client.send(handshake())
    client.send(methodFrame("channel.open", 1, {}))
    await eventually(() => assert.ok(received().includes(methodFrame("channel.open-ok", 1, {}))))
    client.send(methodFrame("queue.declare", 1, { queue: "q" }))
    client.send(encodePublish(1, { routingKey: "q", body: Buffer.alloc(3_000_000, "y") }, 131_072))
    const queueOf = (): number =>
      bed.running.broker.vhosts.get("/")?.queues.get("q")?.readyCount ?? 0
    await eventually(() => assert.equal(queueOf(), 1))
    client.send(Buffer.alloc(17 << 20))
    assert.equal((await within(once(client, "close"), "close"))[0], 1009)
  },
)

webSocketTest(
  "a client that does not read is held in bounds, then gets everything",
  async (bed) => {
    const { broker } = bed.running
    const socket = await bed.raw()
    const parts: Buffer[] = []
    let size = 0
    socket.on("data", (bytes: Buffer) => {
      parts.push(bytes)
      size += bytes.length
    })
    const send = (bytes: Buffer): void => void socket.write(masked(bytes))
    send(handshake())
    send(methodFrame("channel.open", 1, {}))
    send(methodFrame("queue.declare", 1, { queue: "q" }))
    const queue = await eventually(() => {
      const found = broker.vhosts.get("/")?.queues.get("q")
      assert.ok(found !== undefined)
      return found
    })
    const count = 400
    const publish = encodePublish(1, { routingKey: "q", body: Buffer.alloc(100_000, "z") }, 131_072)
    for (let i = 0; i < count; i++) send(publish)
    await eventually(() => assert.equal(queue.readyCount, count))
    socket.pause()
    send(methodFrame("basic.consume", 1, { queue: "q", noAck: true }))
    await eventually(() => assert.ok(queue.readyCount < count))
    let before = -1
    await eventually(() => {
      const now = queue.readyCount
      const isStill = now === before
      before = now
      assert.ok(isStill)
    })
    assert.ok(queue.readyCount > 0, "not all of 40 MB was taken")
    const pending = [...broker.connections][0]?.inspected.describe().pendingBytes ?? 0
    assert.ok(pending > 0 && pending < 5_000_000, String(pending))
    const sizeBefore = size
    socket.resume()
    await eventually(() => assert.ok(size - sizeBefore > count * 100_000), { timeoutMs: 30_000 })
    assert.equal(queue.readyCount, 0)
  },
)

webSocketTest("a publisher that floods is read no faster than others are served", async (bed) => {
  const socket = await bed.raw()
  socket.write(masked(handshake()))
  socket.write(masked(methodFrame("channel.open", 1, {})))
  socket.write(masked(methodFrame("queue.declare", 1, { queue: "q" })))
  const count = 20_000
  const publish = encodePublish(1, { routingKey: "q", body: Buffer.alloc(10) }, 131_072)
  const flood = Buffer.concat(Array.from({ length: count }, () => masked(publish)))
  socket.write(flood)
  const queue = (): number => bed.running.broker.vhosts.get("/")?.queues.get("q")?.readyCount ?? 0
  await eventually(() => assert.equal(queue(), count))
})

webSocketTest(
  "the limit of connections holds, and closing the broker closes WebSockets",
  async (bed) => {
    const client = new AMQPWebSocketClient({ url: bed.url, logger: null })
    await client.connect()
    const other = new AMQPWebSocketClient({ url: bed.url, logger: null })
    await assert.rejects(other.connect(), /connection limit \(1\) is reached|closed/)
    const gone = new Promise<void>((resolve) => {
      client.ondisconnect = () => resolve()
    })
    await within(bed.running.close(), "close")
    await within(gone, "the client hears of it")
  },
  { maxConnections: 1 },
)

const clock = new ManualClock()
webSocketTest(
  "who upgrades and is silent is cut off after ten seconds",
  async (bed) => {
    const webSocket = await bed.open()
    await eventually(() => assert.equal(bed.running.broker.connections.size, 1))
    clock.advance(9000)
    assert.equal(webSocket.readyState, webSocket.OPEN)
    clock.advance(2000)
    await within(once(webSocket, "close"), "close")
    assert.equal(bed.running.broker.connections.size, 0)
  },
  { clock },
)

webSocketTest(
  "a client that breaks the protocol and does not answer the close frame is cut off",
  async (bed) => {
    const socket = await bed.raw()
    socket.resume()
    socket.write(masked(handshake()).fill(0xff, 0, 1)) // Reserved bits, an unknown opcode.
    await eventually(() => assert.equal(bed.running.broker.connections.size, 1))
    await eventually(() => {
      clock.advance(1000)
      assert.equal(bed.running.broker.connections.size, 0)
    })
  },
  { clock },
)

webSocketTest(
  "a silent connection is pinged, and pings are answered",
  async (bed) => {
    const webSocket = await bed.open()
    webSocket.send(handshake())
    const received = bytesOf(webSocket)
    await eventually(() => assert.ok(received().includes(methodFrame("connection.open-ok", 0, {}))))
    const pinged = once(webSocket, "ping")
    clock.advance(61_000)
    await within(pinged, "ping")
    const answered = once(webSocket, "pong")
    webSocket.ping("there?")
    const [data]: unknown[] = await within(answered, "pong")
    assert.equal(String(data), "there?")
  },
  { clock },
)

test("over HTTPS the connection is one over TLS, and is shown as such", async (context) => {
  const authority = new CertificateAuthority(temporaryDirectory(context))
  const running = await startBroker({
    amqp: { port: 0 },
    http: { host: "127.0.0.1", port: 0, tls: { ...authority.issue("server"), port: 0 } },
  })
  try {
    const url = `wss://127.0.0.1:${running.http?.tlsPort ?? 0}/`
    const webSocket = new WebSocket(url, { ca: authority.pem })
    await within(once(webSocket, "open"), "open")
    const received = bytesOf(webSocket)
    webSocket.send(handshake())
    await eventually(() => assert.ok(received().includes(methodFrame("connection.open-ok", 0, {}))))
    const headers = { authorization: `Basic ${btoa("guest:guest")}` }
    const response = await fetch(
      `http://127.0.0.1:${running.http?.port ?? 0}/api/connections?columns=protocol,ssl,ssl_protocol,peer_host`,
      { headers },
    )
    const [shown] = JSON.parse(await response.text())
    assert.deepEqual(
      [shown.protocol, shown.ssl, shown.peer_host],
      ["Web AMQP 0-9-1", true, "127.0.0.1"],
    )
    webSocket.terminate()
  } finally {
    await running.close()
  }
})

/** One binary message as a client sends it; the mask changes nothing. */
function masked(payload: Buffer): Buffer {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14)
  head[0] = 0x82
  if (length < 126) head[1] = 0x80 | length
  else if (length < 65_536) {
    head[1] = 0x80 | 126
    head.writeUInt16BE(length, 2)
  } else {
    head[1] = 0x80 | 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  return Buffer.concat([head, payload])
}
