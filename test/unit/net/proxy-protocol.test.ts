/** PROXY headers: what is read, what is refused, and that no bytes whatever do any harm. */
import assert from "node:assert/strict"
import { isIPv6 } from "node:net"
import { test } from "node:test"
import * as fc from "fast-check"
import { PROXY_HEADER_SIZE_MAX, parseProxyHeader } from "../../../src/net/proxy-protocol.ts"
import { TrustedSources } from "../../../src/net/proxy-policy.ts"
import { chooseSeed } from "../../support/seed.ts"

const SEED = chooseSeed("proxy-protocol")
const SIGNATURE = "0d0a0d0a000d0a515549540a"

function v2(command: string, family: string, hex: string): Buffer {
  const rest = Buffer.from(hex.replaceAll(" ", ""), "hex")
  const length = rest.length.toString(16).padStart(4, "0")
  return Buffer.concat([Buffer.from(SIGNATURE + command + family + length, "hex"), rest])
}

test("version 1: addresses, unknown, and what breaks the rules", () => {
  const line = Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.7 50000 5672\r\nAMQP")
  assert.deepEqual(parseProxyHeader(line), {
    kind: "header",
    size: line.length - 4,
    addresses: {
      remoteAddress: "192.0.2.1",
      remotePort: 50_000,
      localAddress: "198.51.100.7",
      localPort: 5672,
    },
    tls: null,
  })
  const six = parseProxyHeader(Buffer.from("PROXY TCP6 2001:db8::1 ::ffff:10.0.0.1 1 2\r\n"))
  assert.equal(six.kind === "header" && six.addresses?.remoteAddress, "2001:db8::1")
  const unknown = parseProxyHeader(Buffer.from("PROXY UNKNOWN what ever\r\n"))
  assert.equal(unknown.kind === "header" && unknown.addresses, null)
  for (const bad of [
    "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
    "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n",
    "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n",
    "PROXY TCP6 1::2::3 ::1 1 2\r\n",
    "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
    `PROXY ${"x".repeat(200)}`,
  ])
    assert.equal(parseProxyHeader(Buffer.from(bad)).kind, "invalid", bad)
})

test("version 2: IPv4, IPv6, LOCAL, fields, and what breaks the rules", () => {
  const four = parseProxyHeader(v2("21", "11", "c0000201 c6336407 c350 1628"))
  assert.deepEqual(four.kind === "header" && four.addresses, {
    remoteAddress: "192.0.2.1",
    remotePort: 50_000,
    localAddress: "198.51.100.7",
    localPort: 5672,
  })
  const ssl =
    "20 0022 05 00000000 21 0007 544c5376312e33 22 0006 6f7264657273 23 0007 41455332353647"
  const six = parseProxyHeader(
    v2("21", "21", `20010db8000000000000000000000001 ${"00".repeat(15)}01 0001 0002 ${ssl}`),
  )
  assert.ok(six.kind === "header", six.kind)
  assert.equal(six.addresses?.remoteAddress, "2001:db8::1")
  assert.equal(six.addresses?.localAddress, "::1")
  assert.deepEqual(six.tls, {
    protocol: "TLSv1.3",
    cipher: "AES256G",
    commonName: "orders",
    isVerified: true,
  })
  const local = parseProxyHeader(v2("20", "00", "ffff"))
  assert.deepEqual(local, { kind: "header", size: 18, addresses: null, tls: null })
  for (const bad of [
    v2("31", "11", ""),
    v2("22", "11", ""),
    v2("21", "11", "c0000201"),
    v2("21", "12", "c0000201 c6336407 c350 1628"),
    v2("21", "11", "c0000201 c6336407 c350 1628 200000 20ffff"),
    v2("21", "11", "00".repeat(5000)),
  ])
    assert.equal(parseProxyHeader(bad).kind, "invalid", bad.toString("hex", 0, 30))
})

test("every beginning of a header is incomplete, and every other text is none", () => {
  const headers = [
    Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.7 50000 5672\r\n"),
    v2("21", "11", "c0000201 c6336407 c350 1628"),
  ]
  for (const header of headers) {
    for (let size = 0; size < header.length; size++)
      assert.equal(parseProxyHeader(header.subarray(0, size)).kind, "incomplete")
    const more = Buffer.concat([header, Buffer.from("AMQP\0\0\x09\x01", "latin1")])
    const verdict = parseProxyHeader(more)
    assert.equal(verdict.kind === "header" && verdict.size, header.length)
  }
  for (const none of ["AMQP\0\0\x09\x01", "GET / HTTP/1.1", "\x16\x03\x01", "PROXX", "\r\n\r\n\r"])
    assert.equal(parseProxyHeader(Buffer.from(none, "latin1")).kind, "absent", none)
})

test("whatever the bytes: a verdict, within the limits", () => {
  const prefix = fc.constantFrom(
    "",
    "50524f585920",
    SIGNATURE,
    `${SIGNATURE}21`,
    `${SIGNATURE}2111`,
  )
  fc.assert(
    fc.property(prefix, fc.uint8Array({ maxLength: 300 }), (start, rest) => {
      const bytes = Buffer.concat([Buffer.from(start, "hex"), rest])
      const verdict = parseProxyHeader(bytes)
      if (verdict.kind === "header") assert.ok(verdict.size <= bytes.length)
      if (verdict.kind === "incomplete") assert.ok(bytes.length < PROXY_HEADER_SIZE_MAX)
    }),
    { seed: SEED, numRuns: 5000 },
  )
})

test("an IPv6 address is shown in the usual form", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 }),
      (groups) => {
        const hex = groups.map((group) => group.toString(16).padStart(4, "0")).join("")
        const verdict = parseProxyHeader(v2("21", "21", `${hex}${"00".repeat(16)}00010002`))
        assert.ok(verdict.kind === "header")
        const shown = verdict.addresses?.remoteAddress ?? ""
        assert.ok(isIPv6(shown), shown)
        if (!shown.startsWith("::ffff:")) {
          const text = groups.map((group) => group.toString(16)).join(":")
          assert.equal(new URL(`http://[${shown}]/`).host, new URL(`http://[${text}]/`).host)
        }
      },
    ),
    { seed: SEED },
  )
})

test("trusted sources are addresses and networks of both families", () => {
  const sources = new TrustedSources(["10.0.0.0/8", "192.0.2.1", "fd00::/8"])
  const verdicts: readonly (readonly [string | null, boolean])[] = [
    ["10.200.3.4", true],
    ["::ffff:10.1.1.1", true],
    ["192.0.2.1", true],
    ["192.0.2.2", false],
    ["fd12::1", true],
    ["fe80::1", false],
    ["nonsense", false],
    [null, true],
  ]
  for (const [address, isTrusted] of verdicts)
    assert.equal(sources.trusts(address), isTrusted, String(address))
  assert.ok(new TrustedSources([]).trusts("203.0.113.9"))
  for (const bad of ["10.0.0.0/33", "fd00::/129", "host", "10.0.0.0/8/8", "", "1.2.3"])
    assert.throws(() => new TrustedSources([bad]), RangeError, bad)
})
