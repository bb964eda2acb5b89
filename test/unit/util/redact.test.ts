import assert from "node:assert/strict"
import { test } from "node:test"
import { REDACTED, redact, redactText } from "../../../src/util/redact.ts"

test("passwords in URIs are hidden, the rest stays", () => {
  for (const [text, shown] of [
    ["amqp://user:secret@host:5672/vhost", `amqp://user:${REDACTED}@host:5672/vhost`],
    ["amqps://user:p@ss:w@host/", `amqps://user:${REDACTED}@host/`],
    [
      "to amqp://a:b@h and http://c:d@e/f.",
      `to amqp://a:${REDACTED}@h and http://c:${REDACTED}@e/f.`,
    ],
    ["amqp://:x@h", `amqp://:${REDACTED}@h`],
    ["amqp://host:5672/a@b", "amqp://host:5672/a@b"],
    ["http://user@host/", "http://user@host/"],
    ["127.0.0.1:1 -> 127.0.0.1:2", "127.0.0.1:1 -> 127.0.0.1:2"],
  ] as const)
    assert.equal(redactText(text), shown)
})

test("values under names that mean a secret are hidden at every depth", () => {
  const value = {
    user: "u",
    password: "p1",
    password_hash: "h1",
    hashing_algorithm: "sha256",
    count: 3,
    headers: { Authorization: "Basic x", cookie: ["a"], "x-other": "y" },
    users: [{ name: "n", passwordHash: "h2" }],
    value: { "src-uri": ["amqp://u:p2@h"], secret: "" },
  }
  const shown = JSON.stringify(redact(value))
  for (const secret of ["p1", "h1", "h2", "p2", "Basic", '"a"'])
    assert.ok(!shown.includes(secret), `${secret} in ${shown}`)
  for (const kept of ["sha256", '"count":3', '"x-other":"y"', '"secret":""'])
    assert.ok(shown.includes(kept), `${kept} not in ${shown}`)
  assert.equal(value.password, "p1", "the original stays")
})

test("a field called __proto__ is a field like others", () => {
  const value: unknown = JSON.parse('{"__proto__":{"password":"p1","a":"b"},"token":"t1"}')
  assert.equal(
    JSON.stringify(redact(value)),
    `{"__proto__":{"password":"${REDACTED}","a":"b"},"token":"${REDACTED}"}`,
  )
})

test("what has no secret is not copied", () => {
  const value = { a: [1, { b: "c" }], d: null, e: undefined }
  assert.equal(redact(value), value)
  const error = new Error("plain")
  assert.equal(redact(error), error)
})

test("errors lose the passwords of their texts", () => {
  const shown = redact({ err: new TypeError("cannot reach amqp://u:pw@h") })
  assert.ok(typeof shown === "object" && shown !== null && "err" in shown)
  const { err } = shown
  assert.ok(err instanceof Error)
  assert.equal(err.name, "TypeError")
  assert.equal(err.message, `cannot reach amqp://u:${REDACTED}@h`)
  assert.ok(!String(err.stack).includes("pw"))
})

test("nesting without end has an end", () => {
  const loop: Record<string, unknown> = {}
  loop["self"] = loop
  assert.match(JSON.stringify(redact(loop)), /too deep/)
})
