import assert from "node:assert/strict"
import { test } from "node:test"
import {
  decodeProperties,
  encodeProperties,
  type BasicProperties,
} from "../../../../src/amqp/properties.ts"
import { PropertyScan, SCAN_OK } from "../../../../src/amqp/property-scan.ts"
import { Decimal, TypedNumber, type FieldValue, type Table } from "../../../../src/amqp/table.ts"
import { Refusal } from "../../../../src/broker/errors.ts"
import {
  collectRoutingKeys,
  hasRoutingHeaders,
  stripBcc,
} from "../../../../src/broker/exchange/routing-headers.ts"
import { IncomingMessage } from "../../../../src/storage/message.ts"
import { Chunk } from "../../../../src/util/bytes.ts"

const scan = new PropertyScan()

function headersOf(entries: Readonly<Record<string, FieldValue>>): Table {
  return new Map(Object.entries(entries))
}

function messageWith(properties: BasicProperties): IncomingMessage {
  const message = new IncomingMessage()
  const bytes = encodeProperties(properties)
  message.properties = new Chunk(Buffer.concat([Buffer.from("??"), bytes, Buffer.from("?")]))
  message.propertiesStart = 2
  message.propertiesEnd = 2 + bytes.length
  return message
}

function propertiesOf(message: IncomingMessage): BasicProperties {
  return decodeProperties(message.properties.bytes, message.propertiesStart, message.propertiesEnd)
}

function has(headers: Table): boolean {
  const { properties, propertiesStart, propertiesEnd } = messageWith({ headers })
  assert.equal(scan.scan(properties, propertiesStart, propertiesEnd), SCAN_OK)
  return hasRoutingHeaders(properties, scan.headersStart, scan.headersEnd)
}

test("CC and BCC are found among other headers, and nothing else is taken for them", () => {
  assert.equal(has(headersOf({})), false)
  assert.equal(has(headersOf({ CC: ["a"] })), true)
  assert.equal(has(headersOf({ BCC: [] })), true)
  assert.equal(has(headersOf({ x: "1", nested: headersOf({ CC: [] }), BCC: null })), true)
  assert.equal(has(headersOf({ x: true, y: new Decimal(1, 2), CC: "no array" })), true)
  assert.equal(has(headersOf({ nested: headersOf({ CC: [] }), list: ["CC", "BCC"] })), false)
  for (const name of ["", "C", "cc", "Cc", "BC", "bcc", "BCCC", "CCC", "xCC", "CC "])
    assert.equal(has(headersOf({ [name]: ["a"] })), false, name)
})

test("the keys are the message's own, then CC, then BCC; what is no string does not count", () => {
  assert.deepEqual(collectRoutingKeys("k", {}), ["k"])
  assert.deepEqual(collectRoutingKeys("k", { headers: headersOf({ other: ["a"] }) }), ["k"])
  const headers = headersOf({
    BCC: ["d", headersOf({})],
    CC: ["a", new TypedNumber("I", 1), "b", null, ["c"], "k"],
  })
  assert.deepEqual(collectRoutingKeys("k", { headers }), ["k", "a", "b", "k", "d"])
})

test("a header that is no array is refused in RabbitMQ's words", () => {
  for (const [name, value, type] of [
    ["CC", "a", "longstr"],
    ["BCC", "a", "longstr"],
    ["CC", new TypedNumber("I", 1), "signedint"],
    ["CC", new TypedNumber("l", 1n), "long"],
    ["BCC", null, "void"],
    ["BCC", true, "bool"],
    ["CC", headersOf({}), "table"],
  ] as const)
    assert.throws(
      () => collectRoutingKeys("k", { headers: headersOf({ [name]: value }) }),
      (error) =>
        error instanceof Refusal &&
        error.kind === "precondition-failed" &&
        error.message === `invalid message: {unacceptable_type_in_header,"${name}",${type}}`,
    )
})

test("BCC is taken out wherever it stands, and all else stays as it was", () => {
  const others: BasicProperties = {
    contentType: "text/plain",
    deliveryMode: 2,
    correlationId: "c",
    timestamp: 5n,
    appId: "app",
  }
  const big = "x".repeat(10_000)
  for (const names of [
    ["BCC"],
    ["BCC", "CC", "z"],
    ["a", "BCC", "CC"],
    ["CC", "big", "BCC"],
    ["BCC", "big"],
  ]) {
    const headers = new Map<string, FieldValue>()
    for (const name of names) headers.set(name, name === "big" ? big : ["one", "two"])
    const message = messageWith({ ...others, headers })
    stripBcc(message)
    const expected = new Map(headers)
    expected.delete("BCC")
    assert.deepEqual(propertiesOf(message), { ...others, headers: expected })
    stripBcc(message)
    assert.deepEqual(propertiesOf(message), { ...others, headers: expected }, "twice is once")
  }
})

test("BCC that occurs twice is taken out twice", () => {
  const headers = headersOf({ BCC: ["a"], BcC: ["b"], CC: ["c"] })
  const message = messageWith({ headers })
  const at = message.properties.bytes.indexOf("BcC")
  message.properties.bytes.write("BCC", at)
  stripBcc(message)
  assert.deepEqual(propertiesOf(message), { headers: headersOf({ CC: ["c"] }) })
})

test("a message without BCC is not touched", () => {
  for (const properties of [{}, { deliveryMode: 2 }, { headers: headersOf({ CC: ["a"] }) }]) {
    const message = messageWith(properties)
    const before = message.properties
    stripBcc(message)
    assert.equal(message.properties, before)
    assert.equal(message.propertiesStart, 2)
  }
})
