import assert from "node:assert/strict"
import { PROTOCOL_HEADER, PROTOCOL_HEADER_OLD } from "../../src/amqp/frames.ts"
import { isTable, tableToPlain } from "../../src/amqp/table.ts"
import { encodeTableEntries } from "../../src/amqp/table-codec.ts"
import { methodFrame } from "../support/wire-frames.ts"
import type { WireClient } from "../support/wire-client.ts"
import { declare, table, text, wireTest, type WireTest } from "./harness.ts"

/** Goes as far as connection.tune. */
async function upToTune(
  client: WireClient,
): Promise<{ channelMax: number; frameMax: number; heartbeat: number }> {
  client.sendHeader()
  await client.expect("connection.start")
  client.startOk()
  return client.expect("connection.tune")
}

wireTest("the server introduces itself in connection.start", async (wire) => {
  const client = await wire.connect()
  client.sendHeader()
  const start = await client.expect("connection.start")
  assert.deepEqual([start.versionMajor, start.versionMinor], [0, 9])
  const mechanisms = start.mechanisms.toString().split(" ")
  assert.ok(mechanisms.includes("PLAIN") && mechanisms.includes("AMQPLAIN"), String(mechanisms))
  assert.equal(start.locales.toString(), "en_US")
  const properties = tableToPlain(start.serverProperties)
  assert.equal(properties["product"], "Sluice")
  // Clients look at it as at RabbitMQ's: some refuse an old one.
  const { version } = properties
  assert.ok(typeof version === "string")
  assert.match(version, /^4\.[0-9]+\.[0-9]+$/)
  for (const name of ["sluice_version", "platform", "copyright", "information"])
    assert.equal(typeof properties[name], "string", name)
  const capabilities = start.serverProperties.get("capabilities")
  assert.ok(isTable(capabilities))
  for (const name of [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
  ])
    assert.equal(capabilities.get(name), true, name)
})

wireTest("the older 0-9 form of the header is accepted", async (wire) => {
  const client = await wire.connect()
  client.sendHeader(PROTOCOL_HEADER_OLD)
  await client.expect("connection.start")
})

wireTest(
  "a header sent byte by byte works, and so does the rest of the handshake",
  async (wire) => {
    const client = await wire.connect()
    await client.sendByteWise(PROTOCOL_HEADER)
    await client.expect("connection.start")
    await client.sendByteWise(
      methodFrame("connection.start-ok", 0, {
        mechanism: "PLAIN",
        response: text("\0guest\0guest"),
        locale: "en_US",
      }),
    )
    await client.expect("connection.tune")
  },
)

wireTest("any other beginning is answered with the server's header and a close", async (wire) => {
  const beginnings = [
    text("AMQP\x03\x01\0\0"),
    text("AMQP\0\x01\0\0"),
    text("AMQP\0\0\x09\0"),
    text("AMQP\x01\x01\x08\0"),
    text("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    Buffer.from("1603010200010001fc0303", "hex"),
    Buffer.alloc(8),
  ]
  for (const bytes of beginnings) {
    const client = await wire.connect()
    client.sendBytes(bytes)
    await client.expectBytesAndClose(PROTOCOL_HEADER)
  }
})

wireTest("tune offers bounds and open-ok ends the handshake", async (wire) => {
  const client = await wire.connect()
  const tune = await upToTune(client)
  assert.ok(tune.channelMax >= 1 && tune.channelMax <= 65535)
  assert.ok(tune.frameMax >= 131_072)
  client.tuneOk(tune)
  await client.call("connection.open", 0, { vhost: "/" })
  await client.close()
})

async function login(
  wire: WireTest,
  mechanism: string,
  response: Buffer,
  capabilities = { authentication_failure_close: true },
): Promise<WireClient> {
  const client = await wire.connect()
  client.sendHeader()
  await client.expect("connection.start")
  client.send("connection.start-ok", 0, {
    clientProperties: table({ capabilities }),
    mechanism,
    response,
    locale: "en_US",
  })
  return client
}

wireTest("PLAIN with and without an authorisation id logs in", async (wire) => {
  for (const response of ["\0guest\0guest", "ignored\0guest\0guest"])
    await (await login(wire, "PLAIN", text(response))).expect("connection.tune")
})

wireTest("AMQPLAIN logs in, whatever the order of its fields", async (wire) => {
  for (const response of [
    { LOGIN: "guest", PASSWORD: "guest" },
    { PASSWORD: "guest", LOGIN: "guest" },
  ])
    await (
      await login(wire, "AMQPLAIN", encodeTableEntries(table(response)))
    ).expect("connection.tune")
})

const REFUSED_LOGINS: readonly (readonly [string, string, Buffer])[] = [
  ["a wrong password", "PLAIN", text("\0guest\0wrong")],
  ["an unknown user", "PLAIN", text("\0nobody\0guest")],
  ["an empty password", "PLAIN", text("\0guest\0")],
  [
    "a wrong AMQPLAIN password",
    "AMQPLAIN",
    encodeTableEntries(table({ LOGIN: "guest", PASSWORD: "x" })),
  ],
]

for (const [what, mechanism, response] of REFUSED_LOGINS) {
  wireTest(`${what} closes the connection with 403 if the client can take it`, async (wire) => {
    const client = await login(wire, mechanism, response)
    await client.expectConnectionClose({
      code: 403,
      text: `ACCESS_REFUSED - Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`,
      method: "connection.start-ok",
    })
  })

  wireTest(`${what} ends the socket without a frame for other clients`, async (wire) => {
    const client = await login(wire, mechanism, response, { authentication_failure_close: false })
    await client.expectClosed()
  })
}

wireTest("an unknown mechanism is refused with 503", async (wire) => {
  const client = await login(wire, "EXTERNAL-X", text(""))
  await client.expectConnectionClose({
    code: 503,
    text: "COMMAND_INVALID - unknown authentication mechanism 'EXTERNAL-X'",
    method: "connection.start-ok",
  })
})

wireTest("malformed SASL responses are refused and crash nothing", async (wire) => {
  for (const [mechanism, response] of [
    ["PLAIN", ""],
    ["PLAIN", "guest"],
    ["PLAIN", "\0guest"],
    ["AMQPLAIN", "\x05LOGINS\0\0\xff\xff"],
    ["AMQPLAIN", ""],
  ] as const) {
    const client = await login(wire, mechanism, Buffer.from(response, "latin1"))
    const close = await client.expect("connection.close")
    assert.ok([403, 501, 502].includes(close.replyCode), `${mechanism}: ${close.replyText}`)
  }
})

wireTest("client properties near the frame limit before tune are accepted", async (wire) => {
  const client = await wire.connect()
  client.sendHeader()
  await client.expect("connection.start")
  client.send("connection.start-ok", 0, {
    clientProperties: table({ filler: "x".repeat(3_800) }),
    mechanism: "PLAIN",
    response: text("\0guest\0guest"),
    locale: "en_US",
  })
  await client.expect("connection.tune")
})

wireTest("a start-ok far beyond any frame limit is refused", async (wire) => {
  const client = await wire.connect()
  client.sendHeader()
  await client.expect("connection.start")
  client.sendBytes(Buffer.from("0100007fffffff000a000b", "hex"))
  const close = await client.expect("connection.close")
  assert.equal(close.replyCode, 501)
})

wireTest("a lowered channel-max holds", async (wire) => {
  const client = await wire.open({ channelMax: 2 })
  await client.openChannel(1)
  await client.openChannel(2)
  client.send("channel.open", 3)
  await client.expectConnectionClose({
    code: 530,
    text: "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)",
    method: "channel.open",
  })
})

wireTest("channel-max above the offer, or 0 for unlimited, is refused with 530", async (wire) => {
  for (const [offset, shown] of [
    [1, ""],
    [0, "0 (no limit)"],
  ] as const) {
    const client = await wire.connect()
    const tune = await upToTune(client)
    const channelMax = offset === 0 ? 0 : tune.channelMax + offset
    client.tuneOk({ ...tune, channelMax })
    await client.expectConnectionClose({
      code: 530,
      text: `NOT_ALLOWED - negotiated channel_max = ${shown === "" ? channelMax : shown} is higher than the maximum allowed value (${tune.channelMax})`,
      method: "connection.tune",
    })
  }
})

wireTest("frame-max above the offer, or 0 for unlimited, is refused with 530", async (wire) => {
  for (const isUnlimited of [false, true]) {
    const client = await wire.connect()
    const tune = await upToTune(client)
    client.tuneOk({ ...tune, frameMax: isUnlimited ? 0 : tune.frameMax + 1 })
    await client.expectConnectionClose({
      code: 530,
      text: `NOT_ALLOWED - negotiated frame_max = ${isUnlimited ? "0 (no limit)" : tune.frameMax + 1} is higher than the maximum allowed value (${tune.frameMax})`,
      method: "connection.tune",
    })
  }
})

wireTest("frame-max below the minimum is refused with 530", async (wire) => {
  const client = await wire.connect()
  const tune = await upToTune(client)
  client.tuneOk({ ...tune, frameMax: 4095 })
  await client.expectConnectionClose({
    code: 530,
    text: "NOT_ALLOWED - negotiated frame_max = 4095 is lower than the minimum allowed value (4096)",
    method: "connection.tune",
  })
})

wireTest("the smallest frame-max is accepted", async (wire) => {
  const client = await wire.open({ frameMax: 4096 })
  await client.openChannel(1)
})

wireTest("an unknown vhost is refused with 530", async (wire) => {
  for (const vhost of ["nowhere", ""]) {
    const client = await wire.connect()
    client.tuneOk(await upToTune(client))
    client.send("connection.open", 0, { vhost })
    await client.expectConnectionClose({
      code: 530,
      text: `NOT_ALLOWED - vhost ${vhost} not found`,
      method: "connection.open",
    })
  }
})

wireTest("methods out of turn in the handshake are refused with 504", async (wire) => {
  const beforeLogin = await wire.connect()
  beforeLogin.sendHeader()
  await beforeLogin.expect("connection.start")
  beforeLogin.send("connection.tune-ok", 0, { channelMax: 1, frameMax: 4096, heartbeat: 0 })
  await beforeLogin.expectConnectionClose({
    code: 504,
    text: /^CHANNEL_ERROR - unexpected method in connection state /,
    method: "connection.tune-ok",
  })
  const beforeTune = await wire.connect()
  await upToTune(beforeTune)
  beforeTune.send("connection.open", 0, { vhost: "/" })
  await beforeTune.expectConnectionClose({ code: 504, method: "connection.open" })
})

wireTest("a channel cannot be opened before the connection", async (wire) => {
  const client = await wire.connect()
  client.tuneOk(await upToTune(client))
  client.send("channel.open", 1)
  const close = await client.expect("connection.close")
  assert.ok([503, 504, 505].includes(close.replyCode), close.replyText)
})

wireTest("a second connection.open is refused with 504", async (wire) => {
  const client = await wire.open()
  client.send("connection.open", 0, { vhost: "/" })
  await client.expectConnectionClose({
    code: 504,
    text: "CHANNEL_ERROR - unexpected method in connection state running",
    method: "connection.open",
  })
})

wireTest("a handshake and first methods sent in one write are all handled", async (wire) => {
  const client = await wire.connect()
  client.sendBytes(
    Buffer.concat([
      PROTOCOL_HEADER,
      methodFrame("connection.start-ok", 0, {
        mechanism: "PLAIN",
        response: text("\0guest\0guest"),
        locale: "en_US",
      }),
      methodFrame("connection.tune-ok", 0, { channelMax: 10, frameMax: 8192, heartbeat: 0 }),
      methodFrame("connection.open", 0, { vhost: "/" }),
      methodFrame("channel.open", 1),
      methodFrame("queue.declare", 1, { queue: "q" }),
    ]),
  )
  for (const name of ["connection.start", "connection.tune", "connection.open-ok"] as const)
    await client.expect(name)
  await client.expect("channel.open-ok", 1)
  assert.equal((await client.expect("queue.declare-ok", 1)).queue, "q")
})

wireTest("exclusive queues are gone when close-ok arrives", async (wire) => {
  const first = await wire.channel()
  await declare(first, "mine", { exclusive: true })
  const second = await wire.channel()
  await first.call("connection.close", 0, { replyCode: 200 })
  await declare(second, "mine", { exclusive: true })
  await first.expectClosed()
})

wireTest("after the server closed, only close and close-ok count", async (wire) => {
  const client = await wire.channel()
  client.send("channel.open", 1)
  await client.expect("connection.close")
  client.send("queue.declare", 1, { queue: "too-late" })
  client.send("channel.open", 2)
  client.send("connection.close-ok")
  await client.expectClosed()
  const other = await wire.channel()
  other.send("queue.declare", 1, { queue: "too-late", passive: true })
  await other.expectChannelClose(1, { code: 404, method: "queue.declare" })
})

wireTest("a close of the client that crosses the server's is answered", async (wire) => {
  const client = await wire.channel()
  client.sendBytes(
    Buffer.concat([
      methodFrame("channel.open", 1),
      methodFrame("connection.close", 0, { replyCode: 200 }),
    ]),
  )
  await client.expect("connection.close")
  client.send("connection.close-ok")
  await client.expect("connection.close-ok")
  await client.expectClosed()
})

wireTest("update-secret is answered with ok for credentials that do not expire", async (wire) => {
  const client = await wire.open()
  client.send("connection.update-secret", 0, { newSecret: text("guest"), reason: "rotation" })
  const reply = await client.next(0, "connection.update-secret-ok")
  assert.equal(reply.name, "connection.update-secret-ok")
})
