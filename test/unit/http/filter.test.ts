/** Filters of lists: parts of names and expressions, none of which can hold the broker up. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { HttpError } from "../../../src/http/errors.ts"
import { eventually } from "../../support/eventually.ts"
import { regexFilter, substringFilter } from "../../../src/http/filter.ts"

test("a part of a name, and an expression that is searched in it", () => {
  assert.deepEqual(substringFilter("b").test(["abc", "acd"]), [true, false])
  assert.deepEqual(regexFilter("^a.c$").test(["abc", "abcd", "xabc"]), [true, false, false])
})

test("an expression that is none, too long, or takes too long is refused", async () => {
  assert.throws(() => regexFilter("("), HttpError)
  assert.throws(() => regexFilter("x".repeat(2000)), HttpError)
  const slow = regexFilter("^(a+)+$")
  assert.equal(slow.test([`${"a".repeat(40)}!`]), null)
  // On a busy machine one attempt may run into the limit.
  await eventually(() => assert.deepEqual(slow.test(["aaa", "b"]), [true, false]))
})
