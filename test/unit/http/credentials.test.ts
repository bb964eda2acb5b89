/** Basic authentication: what is read, and how guessing is slowed down. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { Login, parseBasic } from "../../../src/http/credentials.ts"
import { HttpError } from "../../../src/http/errors.ts"
import { startBroker } from "../../../src/server/start-broker.ts"
import { ManualClock } from "../../../src/util/clock.ts"

const basic = (text: string): string => `Basic ${btoa(text)}`

test("names end at the first colon, and whatever is no basic authentication is refused", () => {
  assert.deepEqual(parseBasic(basic("u:p:q")), { name: "u", password: "p:q" })
  assert.deepEqual(parseBasic(basic("u:")), { name: "u", password: "" })
  assert.deepEqual(parseBasic(`basic  ${btoa("u:p")}`), { name: "u", password: "p" })
  for (const text of ["", "Basic", "Basic ", "Bearer x", basic("nocolon"), "Basic a b"])
    assert.equal(parseBasic(text), null, text)
})

test("after some failures each takes a second, and the right password does not", async () => {
  const clock = new ManualClock()
  const broker = await startBroker({ amqp: { port: 0 } })
  try {
    const login = new Login(broker.administration, clock)
    const attempt = (password: string, address = "::1"): Promise<unknown> =>
      login.authenticate(basic(`guest:${password}`), address).catch((error: unknown) => error)
    for (let i = 0; i < 10; i++) assert.ok((await attempt("wrong")) instanceof HttpError)
    let isAnswered = false
    const slow = attempt("wrong").then(() => (isAnswered = true))
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(isAnswered, false)
    const user = await attempt("guest")
    assert.ok(!(user instanceof HttpError))
    clock.advance(1000)
    await slow
    assert.ok(isAnswered)
    const flood = Array.from({ length: 30 }, () => attempt("wrong"))
    await new Promise((resolve) => setImmediate(resolve))
    const refused = await attempt("wrong")
    assert.ok(refused instanceof HttpError && refused.status === 429)
    assert.ok((await attempt("wrong", "127.0.0.1")) instanceof HttpError, "another address")
    clock.advance(1000)
    await Promise.all(flood)
    clock.advance(61_000)
    assert.ok((await attempt("wrong")) instanceof HttpError, "forgotten")
  } finally {
    await broker.close()
  }
})
