import assert from "node:assert/strict"
import { test } from "node:test"
import * as fc from "fast-check"
import { decodeProperties, encodeProperties } from "../../../src/amqp/properties.ts"
import { PropertyScan, SCAN_OK } from "../../../src/amqp/property-scan.ts"
import { replaceReplyTo } from "../../../src/amqp/reply-to.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { properties, RUNS } from "./arbitraries.ts"

test("the reply-to is another one and all else stays as it is", () => {
  fc.assert(
    fc.property(properties, fc.string({ maxLength: 60 }), (before, name) => {
      const text = Buffer.from(name)
      const wire = encodeProperties({ ...before, replyTo: before.replyTo ?? "queue" })
      const source = new Chunk(Buffer.concat([Buffer.alloc(3, 0xff), wire, Buffer.alloc(3, 0xff)]))
      const scan = new PropertyScan()
      const end = 3 + wire.length
      assert.equal(scan.scan(source, 3, end), SCAN_OK)
      const after = replaceReplyTo(source, 3, end, scan.replyToStart, scan.replyToEnd, text)
      assert.deepEqual(decodeProperties(after.bytes), { ...before, replyTo: text.toString() })
    }),
    RUNS,
  )
})
