import assert from "node:assert/strict"
import { test } from "node:test"
import { isAllowedOrigin } from "../../../src/net/websocket-origin.ts"

function sameHost(origin: string | undefined, host: string | undefined, isLocal = false): boolean {
  return isAllowedOrigin({ origin, host, isLocal }, ["same-host"])
}

test("pages of the same host are let in, whatever the port, others are not", () => {
  assert.ok(sameHost("https://broker.example.com", "broker.example.com:15672"))
  assert.ok(sameHost("http://192.0.2.1:3000", "192.0.2.1:15672"))
  assert.ok(sameHost("http://[2001:db8::1]:3000", "[2001:db8::1]:15672"))
  assert.equal(sameHost("https://evil.example", "broker.example.com:15672"), false)
  assert.equal(sameHost("https://broker.example.com.evil.example", "broker.example.com"), false)
  assert.equal(sameHost("null", "broker.example.com"), false)
  assert.equal(sameHost("https://broker.example.com", undefined), false)
  assert.ok(sameHost(undefined, "broker.example.com"), "no browser")
})

test("on this machine the names of this machine are one host, and no other name is", () => {
  assert.ok(sameHost("http://localhost:3000", "127.0.0.1:15672", true))
  assert.ok(sameHost("http://127.0.0.1:3000", "[::1]:15672", true))
  assert.ok(sameHost("http://app.localhost", "localhost:15672", true))
  assert.equal(sameHost("http://rebound.example:15672", "rebound.example:15672", true), false)
  assert.equal(sameHost("http://evil.example", "localhost:15672", true), false)
  assert.equal(sameHost("http://localhost.evil.example", "localhost:15672", true), false)
})

test("origins can be listed, and * lets everybody in", () => {
  const allowed = ["https://app.example.com"]
  const facts = { host: "broker.example.com:15672", isLocal: false }
  assert.ok(isAllowedOrigin({ ...facts, origin: "https://app.example.com" }, allowed))
  assert.equal(isAllowedOrigin({ ...facts, origin: "http://app.example.com" }, allowed), false)
  assert.equal(isAllowedOrigin({ ...facts, origin: "https://broker.example.com" }, allowed), false)
  assert.ok(isAllowedOrigin({ ...facts, origin: "null" }, ["*"]))
})
