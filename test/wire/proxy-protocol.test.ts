/** Connections behind proxies: whose they are, who is believed, and what half a header costs. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { connect as connectSocket } from "node:net"
import type { Socket } from "node:net"
import { join } from "node:path"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { connect as connectTls } from "node:tls"
import { PROTOCOL_HEADER } from "../../src/amqp/frames.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { AmqpListenOptions } from "../../src/server/listeners.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { CertificateAuthority } from "../support/certificates.ts"
import { eventually, within } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { WireClient } from "../support/wire-client.ts"

interface Bed {
  readonly running: RunningBroker
  readonly warnings: Readonly<Record<string, unknown>>[]
  connect(): Promise<Socket>
}

const V1 = Buffer.from("PROXY TCP4 203.0.113.9 198.51.100.7 50000 5672\r\n")
const V1_LOCAL = Buffer.from("PROXY TCP4 127.0.0.1 127.0.0.1 50000 5672\r\n")
const V2_LOCAL = Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex")
const V2_SIX = Buffer.from(
  `0d0a0d0a000d0a515549540a21210024${"00".repeat(15)}01${"00".repeat(15)}01c3501628`,
  "hex",
)

const none = (): void => {}

async function start(
  context: TestContext,
  amqp: AmqpListenOptions,
  options: BrokerStartOptions = {},
): Promise<Bed> {
  const warnings: Record<string, unknown>[] = []
  const running = await startBroker({
    logger: {
      debug: none,
      info: none,
      warn: (fields, text) => void warnings.push({ ...fields, text }),
      error: none,
    },
    ...options,
    amqp: { port: 0, ...amqp },
  })
  const sockets: Socket[] = []
  context.after(async () => {
    for (const socket of sockets) socket.destroy()
    await eventually(() => assert.equal(running.broker.connections.size, 0))
    await running.close()
  })
  return {
    running,
    warnings,
    async connect() {
      const socket = connectSocket({ port: running.amqpPort, host: "127.0.0.1" })
      sockets.push(socket)
      socket.on("error", () => {})
      await once(socket, "connect")
      return socket
    },
  }
}

function ended(socket: Socket): Promise<void> {
  socket.on("data", () => {})
  const gone = new Promise<void>((resolve) => void socket.once("close", () => resolve()))
  return within(gone, "close")
}

function namesOf({ running }: Bed): string[] {
  return [...running.broker.connections].map(({ inspected }) => inspected.name)
}

test("the announced address is shown, whatever the version and however it is cut", async (context) => {
  const bed = await start(context, { proxyProtocol: { tcp: true } })
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [V1_LOCAL, /^127\.0\.0\.1:50000 -> 127\.0\.0\.1:5672$/],
    [V2_SIX, /^::1:50000 -> ::1:5672$/],
    [V2_LOCAL, /^127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+$/],
  ]
  for (const [header, name] of cases) {
    const socket = await bed.connect()
    socket.write(header)
    const client = await WireClient.over(socket).shakeHands()
    assert.match(namesOf(bed)[0] ?? "", name)
    await client.openChannel(1)
    client.destroy()
    await eventually(() => assert.equal(bed.running.broker.connections.size, 0))
  }
  for (let cut = 1; cut < V1_LOCAL.length; cut += 7) {
    const socket = await bed.connect()
    socket.setNoDelay(true)
    socket.write(V1_LOCAL.subarray(0, cut))
    await new Promise((resolve) => setImmediate(resolve))
    // The protocol header comes in the same segment as the end of the PROXY header.
    socket.write(Buffer.concat([V1_LOCAL.subarray(cut), PROTOCOL_HEADER]))
    await WireClient.over(socket).expect("connection.start")
    socket.destroy()
  }
})

test("the announced address is the one that must be local for the default user", async (context) => {
  const bed = await start(context, { proxyProtocol: { tcp: true } })
  const socket = await bed.connect()
  socket.write(V1)
  const client = WireClient.over(socket)
  client.sendHeader()
  await client.expect("connection.start")
  client.startOk()
  assert.equal((await client.expect("connection.close")).replyCode, 403)
})

test("a proxy that is not trusted is refused, a client without proxy is not", async (context) => {
  const bed = await start(context, {
    proxyProtocol: { tcp: true, trustedSources: ["192.0.2.0/24"] },
  })
  const stranger = await bed.connect()
  stranger.write(V1_LOCAL)
  await ended(stranger)
  assert.match(String(bed.warnings.at(-1)?.["reason"]), /not from a trusted source/)
  await WireClient.over(await bed.connect()).shakeHands()
  // With the proxy in the list it is the other way round.
  const proxyProtocol = { tcp: true, trustedSources: ["127.0.0.0/8"] }
  bed.running.reconfigure({ amqp: { proxyProtocol } })
  const direct = await bed.connect()
  direct.write(PROTOCOL_HEADER)
  await ended(direct)
  assert.match(String(bed.warnings.at(-1)?.["reason"]), /must send a header/)
  const proxied = await bed.connect()
  proxied.write(V1_LOCAL)
  await WireClient.over(proxied).shakeHands()
  bed.running.reconfigure({ amqp: { proxyProtocol: { tcp: false } } })
  await WireClient.over(await bed.connect()).shakeHands()
})

test("half a header and garbage cost one connection", async (context) => {
  const clock = new ManualClock()
  const bed = await start(context, { proxyProtocol: { tcp: true } }, { clock })
  for (const bytes of [
    Buffer.from("PROXY nonsense\r\n"),
    Buffer.from(`PROXY ${"x".repeat(5000)}`),
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    Buffer.concat([V2_LOCAL.subarray(0, 14), Buffer.from("ffff", "hex")]),
  ]) {
    const socket = await bed.connect()
    socket.write(bytes)
    await ended(socket)
  }
  const cut = await bed.connect()
  cut.end(V1.subarray(0, 10))
  await ended(cut)
  const stalled = await bed.connect()
  stalled.write(V1.subarray(0, 10))
  const silent = await bed.connect()
  const gone = Promise.all([ended(stalled), ended(silent)])
  const good = await bed.connect()
  good.write(V1_LOCAL)
  const client = await WireClient.over(good).shakeHands()
  clock.advance(10_000)
  await gone
  await client.openChannel(1)
})

test("a header comes before the TLS handshake, too", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const tls = { port: 0, ...ca.issue("server") }
  const bed = await start(context, { tls, proxyProtocol: { tcp: true } })
  const socket = connectSocket({ port: bed.running.amqpTlsPort, host: "127.0.0.1" })
  socket.write(V1_LOCAL)
  const secure = connectTls({ socket, ca: ca.pem, servername: "localhost" })
  context.after(() => secure.destroy())
  await once(secure, "secureConnect")
  await WireClient.over(secure).shakeHands()
  assert.deepEqual(namesOf(bed), ["127.0.0.1:50000 -> 127.0.0.1:5672"])
  secure.destroy()
})

test("what the proxy says of the client's TLS is shown, and logs nobody in", async (context) => {
  const bed = await start(context, { proxyProtocol: { tcp: true } })
  const ssl = "200020 05 00000000 210007 544c5376312e33 220005 6775657374 230006 414553323536"
  const fields = Buffer.from(ssl.replaceAll(" ", ""), "hex")
  const header = Buffer.from(V2_SIX)
  header.writeUInt16BE(36 + fields.length, 14)
  const socket = await bed.connect()
  socket.write(Buffer.concat([header, fields]))
  const client = WireClient.over(socket)
  client.sendHeader()
  const { mechanisms } = await client.expect("connection.start")
  assert.equal(mechanisms.toString(), "PLAIN AMQPLAIN")
  const [session] = bed.running.broker.connections
  const encryption = session?.inspected.describe().encryption
  assert.equal(encryption?.protocol, "TLSv1.3")
  assert.equal(encryption?.certificate?.commonName, "guest")
  assert.equal(encryption?.certificate?.isVerified, false)
})

test("a Unix socket may be a proxy's", async (context) => {
  const unixPath = join(temporaryDirectory(context), "amqp.sock")
  const bed = await start(context, { unixPath, proxyProtocol: { unix: true } })
  const socket = connectSocket({ path: unixPath })
  context.after(() => socket.destroy())
  socket.write(V1)
  const client = WireClient.over(socket)
  client.sendHeader()
  await client.expect("connection.start")
  assert.deepEqual(namesOf(bed), ["203.0.113.9:50000 -> 198.51.100.7:5672"])
  client.startOk()
  assert.equal((await client.expect("connection.close")).replyCode, 403)
  socket.destroy()
})

test("trusted sources that are none are an error at the start", async () => {
  const proxyProtocol = { tcp: true, trustedSources: ["10.0.0.0/99"] }
  await assert.rejects(startBroker({ amqp: { port: 0, proxyProtocol } }), {
    name: "StartError",
    message: /10\.0\.0\.0\/99/,
  })
})
