/** AMQP over TLS: who gets in by which certificate, what names and reloads do, and how much a stranger can cost. */
import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { once } from "node:events"
import { connect as connectPlain } from "node:net"
import type { Socket } from "node:net"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { connect as connectTls } from "node:tls"
import type { ConnectionOptions, TLSSocket } from "node:tls"
import { promisify } from "node:util"
import { connect as connectAmqplib, credentials } from "amqplib"
import { Connection as RabbitmqClient } from "rabbitmq-client"
import { tableFromPlain } from "../../src/amqp/table.ts"
import type { Vhost } from "../../src/broker/vhost.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import type { TlsListenOptions } from "../../src/server/listeners.ts"
import { ManualClock } from "../../src/util/clock.ts"
import { CertificateAuthority } from "../support/certificates.ts"
import { eventually, within } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { WireClient } from "../support/wire-client.ts"

const run = promisify(execFile)

interface LogEntry {
  readonly text: string
  readonly fields: Readonly<Record<string, unknown>>
}

interface Bed {
  readonly running: RunningBroker
  readonly log: LogEntry[]
  /** A socket whose TLS handshake is done. */
  connect(options: ConnectionOptions): Promise<TLSSocket>
  open(options: ConnectionOptions): Promise<WireClient>
}

async function startTls(
  context: TestContext,
  tls: TlsListenOptions,
  options: BrokerStartOptions = {},
): Promise<Bed> {
  const log: LogEntry[] = []
  const write = (fields: object, text: string): void =>
    void log.push({ text, fields: { ...fields } })
  const running = await startBroker({
    logger: { debug: write, info: write, warn: write, error: write },
    ...options,
    amqp: { port: 0, ...options.amqp, tls: { port: 0, ...tls } },
  })
  const sockets: Socket[] = []
  context.after(async () => {
    for (const socket of sockets) socket.destroy()
    if (!(options.clock instanceof ManualClock)) await running.close()
  })
  const connect = async (tlsOptions: ConnectionOptions): Promise<TLSSocket> => {
    const socket = connectTls({ port: running.amqpTlsPort, host: "127.0.0.1", ...tlsOptions })
    sockets.push(socket)
    await within(once(socket, "secureConnect"), "secureConnect")
    return socket
  }
  return {
    running,
    log,
    connect,
    open: async (tlsOptions) => WireClient.over(await connect(tlsOptions)).shakeHands(),
  }
}

function vhostOf(running: RunningBroker): Vhost {
  const vhost = running.broker.vhosts.get("/")
  assert.ok(vhost !== undefined)
  return vhost
}

/** The connection as the management shows it. */
function shown(
  running: RunningBroker,
): ReturnType<RunningBroker["broker"]["connections"]["values"]> {
  return running.broker.connections.values()
}

/** The certificate that the server shows, by OpenSSL's own client. */
async function subjectShown(port: number, name: string | null, ca: string): Promise<string> {
  const asked = name === null ? ["-noservername"] : ["-servername", name]
  const { stdout } = await run("sh", [
    "-c",
    `openssl s_client -connect 127.0.0.1:${port} -CAfile ${ca} ${asked.join(" ")} </dev/null 2>&1`,
  ]).catch((error: { stdout: string }) => error)
  return /^subject=(.*)$/m.exec(stdout)?.[1]?.replaceAll(" ", "") ?? stdout
}

/** Also with an error. */
function closed(socket: Socket): Promise<void> {
  const gone = new Promise<void>((resolve) => void socket.once("close", () => resolve()))
  return within(gone, "close")
}

const CLOSED = /ECONNRESET|EPIPE|closed|disconnected|alert|hang up|end/i

/** Whatever the version of TLS, the server lets go of the client. */
async function assertRefused(bed: Bed, options: ConnectionOptions): Promise<void> {
  await assert.rejects(async () => {
    const socket = await bed.connect(options)
    socket.write("AMQP\0\0\x09\x01")
    const ended = once(socket, "close").then(() => {
      throw new Error("closed")
    })
    await within(Promise.race([ended, once(socket, "data")]), "an answer or the end")
  }, CLOSED)
}

test("amqplib publishes and consumes over TLS with an authority of one's own", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const { running } = await startTls(context, ca.issue("server"))
  const url = `amqps://guest:guest@localhost:${running.amqpTlsPort}`
  const connection = await connectAmqplib(url, { ca: [ca.pem], host: "127.0.0.1" })
  const channel = await connection.createConfirmChannel()
  await channel.assertQueue("q")
  const body = Buffer.alloc(3 << 20, "x")
  channel.sendToQueue("q", body)
  await channel.waitForConfirms()
  const message = await channel.get("q", { noAck: true })
  assert.ok(message !== false && message.content.equals(body))
  const [session] = shown(running)
  const info = session?.inspected.describe()
  assert.equal(info?.isEncrypted, true)
  assert.equal(info?.encryption?.protocol, "TLSv1.3")
  assert.match(info?.encryption?.cipher ?? "", /^TLS_/)
  assert.equal(info?.encryption?.certificate, null)
  assert.match(session?.inspected.name ?? "", /^127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+$/)
  await connection.close()
})

test("a client refuses a server of another authority and one that has expired", async (context) => {
  const directory = temporaryDirectory(context)
  const ca = new CertificateAuthority(directory)
  const other = new CertificateAuthority(directory, "other")
  const stranger = await startTls(context, other.issue("stranger"))
  await assert.rejects(stranger.connect({ ca: ca.pem }), /unable to verify|self-signed/)
  const expired = await startTls(context, ca.issue("expired", { days: -1 }))
  await assert.rejects(expired.connect({ ca: ca.pem }), /expired/)
  await eventually(() => assert.ok(expired.log.some(({ text }) => /has expired/.test(text))))
  // Neither has cost the server anything but the connection.
  await stranger.open({ ca: other.pem })
})

test("with mutual TLS only clients with a certificate of the authority get in", async (context) => {
  const directory = temporaryDirectory(context)
  const ca = new CertificateAuthority(directory)
  const other = new CertificateAuthority(directory, "other")
  const bed = await startTls(context, { ...ca.issue("server"), ca: ca.pem, verifyPeer: true })
  const cases: readonly (readonly [string, ConnectionOptions, RegExp])[] = [
    ["none", {}, /no certificate/],
    ["of another authority", other.issue("foreign"), /not accepted/],
    ["expired", ca.issue("old", { days: -1 }), /not accepted.*EXPIRED/i],
  ]
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const)
    for (const [what, certificate, reason] of cases) {
      bed.log.length = 0
      await assertRefused(bed, { ca: ca.pem, maxVersion, ...certificate })
      const why = bed.log.find(({ text }) => text.startsWith("TLS connection refused"))
      assert.match(String(why?.fields["reason"]), reason, `${what}, ${maxVersion}`)
    }
  await bed.open({ ca: ca.pem, ...ca.issue("client") })
})

test("a session without certificate cannot be resumed into one that counts as verified", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const server = ca.issue("server", { names: ["localhost", "open.test"] })
  const bed = await startTls(context, {
    ...server,
    ca: ca.pem,
    verifyPeer: true,
    hosts: { "open.test": { ...server, verifyPeer: false } },
  })
  const sessions: Buffer[] = []
  const open = await bed.connect({ ca: ca.pem, servername: "open.test" })
  open.on("session", (session) => sessions.push(session))
  await WireClient.over(open).shakeHands()
  open.destroy()
  assert.ok(sessions.length > 0)
  for (const session of sessions) {
    await assertRefused(bed, { ca: ca.pem, servername: "localhost", session })
    const again = await bed.connect({ ca: ca.pem, servername: "open.test", session })
    assert.equal(again.isSessionReused(), false)
  }
})

test("EXTERNAL logs in as the user whom the certificate names", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const bed = await startTls(context, { ...ca.issue("server"), ca: ca.pem, verifyPeer: true })
  const { running } = bed
  const orders = ca.issue("orders", { subject: "/O=Example/CN=orders" })
  const tls = { ca: [ca.pem], host: "127.0.0.1", ...orders }
  const url = `amqps://localhost:${running.amqpTlsPort}`
  const external = { ...tls, credentials: credentials.external() }
  await assert.rejects(connectAmqplib(url, external), /403|ACCESS.REFUSED/i)
  await running.administration.putUser("orders", { tags: [] })
  await running.administration.setPermissions("orders", "/", {
    configure: ".*",
    write: ".*",
    read: ".*",
  })
  const connection = await connectAmqplib(url, external)
  const [session] = shown(running)
  const info = session?.inspected.describe()
  assert.equal(info?.user, "orders")
  assert.equal(info?.mechanism, "EXTERNAL")
  assert.equal(info?.encryption?.certificate?.distinguishedName, "CN=orders,O=Example")
  assert.equal(info?.encryption?.certificate?.isVerified, true)
  await connection.close()
  running.reconfigure({ certificateLoginFrom: "distinguished_name" })
  await assert.rejects(connectAmqplib(url, external), /403|ACCESS.REFUSED/i)
  await running.administration.putUser("CN=orders,O=Example", { tags: [] })
  await assert.rejects(connectAmqplib(url, external), /ConnectionClose/) // Logged in, but without permissions.
})

test("rabbitmq-client works over mutual TLS with a password", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const { running } = await startTls(context, {
    ...ca.issue("server"),
    ca: ca.pem,
    verifyPeer: true,
  })
  const client = new RabbitmqClient({
    url: `amqps://guest:guest@127.0.0.1:${running.amqpTlsPort}`,
    tls: { ca: ca.pem, servername: "localhost", ...ca.issue("client") },
  })
  const errors: unknown[] = []
  client.on("error", (error) => errors.push(error))
  await client.queueDeclare({ queue: "q" })
  const publisher = client.createPublisher({ confirm: true })
  await publisher.send("q", "hello")
  const message = await client.basicGet({ queue: "q", noAck: true })
  assert.equal(message?.body, "hello")
  await publisher.close()
  await client.close()
  assert.deepEqual(errors, [])
})

test("EXTERNAL is neither offered nor accepted without a verified certificate", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const bed = await startTls(context, ca.issue("server"))
  const client = WireClient.over(await bed.connect({ ca: ca.pem, ...ca.issue("guest") }))
  client.sendHeader()
  const start = await client.expect("connection.start")
  assert.equal(start.mechanisms.toString(), "PLAIN AMQPLAIN")
  client.send("connection.start-ok", 0, {
    clientProperties: tableFromPlain({}),
    mechanism: "EXTERNAL",
    response: Buffer.from("guest"),
    locale: "en_US",
  })
  const close = await client.expect("connection.close")
  assert.equal(close.replyCode, 503)
})

test("each host name has its certificate: exact before wildcard, one label", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const { running } = await startTls(context, {
    ...ca.issue("fallback"),
    hosts: {
      "mq.example.com": ca.issue("exact"),
      "*.example.com": ca.issue("wildcard"),
    },
  })
  const port = running.amqpTlsPort
  const expected: readonly (readonly [string | null, string])[] = [
    ["mq.example.com", "CN=exact"],
    ["MQ.Example.com", "CN=exact"],
    ["other.example.com", "CN=wildcard"],
    ["a.b.example.com", "CN=fallback"],
    ["example.com", "CN=fallback"],
    ["localhost", "CN=fallback"],
    [null, "CN=fallback"],
  ]
  for (const [name, subject] of expected)
    assert.equal(await subjectShown(port, name, ca.file), subject, String(name))
})

test("a host may ask for a newer version", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const bed = await startTls(context, {
    ...ca.issue("fallback"),
    hosts: {
      "strict.test": { ...ca.issue("strict", { names: ["strict.test"] }), minVersion: "1.3" },
    },
  })
  const old: ConnectionOptions = { ca: ca.pem, maxVersion: "TLSv1.2" }
  await bed.open({ ...old, servername: "localhost" })
  await assertRefused(bed, { ...old, servername: "strict.test" })
  await bed.open({ ca: ca.pem, servername: "strict.test" })
})

test("the oldest version and the cipher suites are those that were asked for", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const bed = await startTls(context, {
    ...ca.issue("server"),
    minVersion: "1.3",
    ciphers: "TLS_CHACHA20_POLY1305_SHA256",
  })
  await assert.rejects(bed.connect({ ca: ca.pem, maxVersion: "TLSv1.2" }), /protocol version/i)
  const socket = await bed.connect({ ca: ca.pem })
  assert.equal(socket.getCipher().name, "TLS_CHACHA20_POLY1305_SHA256")
})

test("certificates are replaced while connections stay, and bad ones are not taken", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const first = ca.issue("first")
  const bed = await startTls(context, first)
  const { running, log } = bed
  const port = running.amqpTlsPort
  const old = await bed.open({ ca: ca.pem })
  await old.openChannel(1)
  assert.equal(await subjectShown(port, null, ca.file), "CN=first")
  running.reconfigure({ amqp: { tls: ca.issue("second") } })
  assert.equal(await subjectShown(port, null, ca.file), "CN=second")
  assert.ok(log.some(({ text }) => text === "certificates were replaced"))
  for (const bad of [
    { cert: "no certificate" },
    { cert: first.cert, key: ca.issue("third").key },
    { ...first, verifyPeer: true },
    { ...first, ciphers: "NONSENSE" },
    { ...first, hosts: { "a.test": { cert: "" } } },
  ]) {
    log.length = 0
    running.reconfigure({ amqp: { tls: bad } })
    assert.ok(log.some(({ text }) => text === "the certificates stay as they were"))
    assert.equal(await subjectShown(port, null, ca.file), "CN=second")
  }
  // From now on clients need a certificate, too.
  running.reconfigure({ amqp: { tls: { ...first, ca: ca.pem, verifyPeer: true } } })
  await assertRefused(bed, { ca: ca.pem })
  await bed.open({ ca: ca.pem, ...ca.issue("client") })
  await old.call("queue.declare", 1, { queue: "q" })
  assert.ok(vhostOf(running).queues.has("q"))
})

test("a broker does not start with a certificate that cannot be used", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const { cert } = ca.issue("one")
  const { key } = ca.issue("two")
  await assert.rejects(startBroker({ amqp: { port: 0, tls: { port: 0, cert, key } } }), {
    name: "StartError",
    message: /TLS: the certificate cannot be used: .*key/i,
  })
})

test("garbage and half a handshake end one connection, not the broker", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const bed = await startTls(context, ca.issue("server"))
  const port = bed.running.amqpTlsPort
  const clientHello = Buffer.from("16030100c8010000c40303", "hex")
  for (const bytes of [
    Buffer.from("AMQP\0\0\x09\x01", "latin1"),
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    Buffer.alloc(100_000, 0xff),
    Buffer.concat([clientHello, Buffer.alloc(200, 7)]),
  ]) {
    const socket = connectPlain({ port, host: "127.0.0.1" })
    socket.on("error", () => {})
    socket.on("data", () => {})
    socket.write(bytes)
    await closed(socket)
  }
  for (const size of [0, 1, 5, clientHello.length]) {
    const socket = connectPlain({ port, host: "127.0.0.1" })
    socket.on("error", () => {})
    await once(socket, "connect")
    socket.end(clientHello.subarray(0, size))
    socket.on("data", () => {})
    await closed(socket)
  }
  await bed.open({ ca: ca.pem })
})

test("handshakes that stall are bounded in time, and keep nobody out", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const clock = new ManualClock(Date.now())
  const bed = await startTls(context, ca.issue("server"), { clock })
  const port = bed.running.amqpTlsPort
  let closedCount = 0
  const stalled = Array.from({ length: 1000 }, () => {
    const socket = connectPlain({ port, host: "127.0.0.1" })
    socket.on("error", () => {})
    socket.on("close", () => closedCount++)
    socket.write(Buffer.from("1603", "hex"))
    return socket
  })
  context.after(() => stalled.forEach((socket) => socket.destroy()))
  await Promise.all(stalled.map((socket) => within(once(socket, "connect"), "connect", 30_000)))
  const client = await bed.open({ ca: ca.pem })
  await client.openChannel(1)
  assert.equal(closedCount, 0)
  assert.equal([...shown(bed.running)].length, 1)
  clock.advance(10_000)
  await eventually(() => assert.equal(closedCount, 1000))
  client.destroy()
  await eventually(() => assert.equal([...shown(bed.running)].length, 0))
  await bed.running.close()
})

test("a client cannot ask for one handshake after the other", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const bed = await startTls(context, ca.issue("server"))
  const socket = await bed.connect({ ca: ca.pem, servername: "localhost", maxVersion: "TLSv1.2" })
  const outcome = new Promise<string>((resolve) => {
    socket.once("error", (error) => resolve(error.message))
    socket.once("close", () => resolve("closed"))
    socket.renegotiate({ rejectUnauthorized: true }, (error) =>
      resolve(error === null ? "renegotiated" : error.message),
    )
  })
  assert.match(await within(outcome, "the end"), /no renegotiation|closed/)
  const client = await bed.open({ ca: ca.pem, servername: "localhost" })
  await client.openChannel(1)
})

test("a client that does not read, and one that floods, cost no more than over plain TCP", async (context) => {
  const ca = new CertificateAuthority(temporaryDirectory(context))
  const bed = await startTls(context, ca.issue("server"))
  const body = Buffer.alloc(256 << 10, "x")
  const publisher = await bed.open({ ca: ca.pem })
  await publisher.openChannel(1)
  await publisher.call("queue.declare", 1, { queue: "q" })
  await publisher.call("confirm.select", 1)
  for (let i = 0; i < 80; i++) publisher.publish(1, { routingKey: "q", body })
  await eventually(() => assert.equal(vhostOf(bed.running).queues.get("q")?.readyCount, 80))
  const socket = await bed.connect({ ca: ca.pem })
  const reader = await WireClient.over(socket).shakeHands()
  await reader.openChannel(1)
  socket.pause()
  reader.send("basic.consume", 1, { queue: "q", consumerTag: "c", noAck: true })
  const consumer = [...shown(bed.running)].at(-1)
  let pending = -1
  await eventually(() => {
    const now = consumer?.inspected.describe().pendingBytes ?? 0
    const isSame = now === pending && now > 0
    pending = now
    assert.ok(isSame)
  })
  assert.ok(pending < 5 << 20, `${pending} bytes wait for a client that does not read`)
  assert.ok((vhostOf(bed.running).queues.get("q")?.readyCount ?? 0) > 40)
  socket.resume()
  await reader.expect("basic.consume-ok", 1)
  for (let i = 0; i < 80; i++) {
    const delivery = await reader.expect("basic.deliver", 1)
    assert.ok(delivery.body.equals(body))
  }
})
