import assert from "node:assert/strict"
import { test } from "node:test"
import { formatLine, LogRing } from "../../../src/util/log-ring.ts"

test("the ring keeps the last lines in order, with ids that only rise", () => {
  const ring = new LogRing()
  for (let i = 0; i < 3000; i++) ring.add(1000 + Math.floor(i / 10), "info", { i }, "line")
  const entries = ring.since()
  assert.equal(entries.length, 1024)
  assert.equal(entries[0]?.fields, '{"i":1976}')
  assert.equal(entries.at(-1)?.fields, '{"i":2999}')
  for (const [index, { id }] of entries.entries())
    assert.ok(index === 0 || id > entries[index - 1]!.id)
  assert.deepEqual(ring.since(entries[1000]!.id), entries.slice(1001))
  ring.add(5, "info", {}, "the clock was set back")
  assert.ok(ring.since().at(-1)!.id > entries.at(-1)!.id)
  assert.equal(ring.since().at(-1)!.timeMs, 5)
})

test("what a line is about is its source; large ones are cut", () => {
  const ring = new LogRing()
  ring.add(1, "warn", { vhost: "/", queue: "q", connection: "c" }, "text")
  ring.add(2, "warn", {}, "text")
  ring.add(3, "warn", { vhost: "/", text: "x".repeat(100_000) }, "text")
  const [first, second, third] = ring.since()
  assert.equal(first?.source, "connection")
  assert.equal(first?.message, "text vhost=/ queue=q connection=c")
  assert.equal(second?.source, "broker")
  assert.equal(third?.message.length, 2049)
  assert.equal(third?.fields, '{"truncated":true}')
})

test("values that JSON has no word for are shown all the same", () => {
  const cycle: Record<string, unknown> = {}
  cycle["self"] = cycle
  const error = Object.assign(new Error("broken"), { code: "EIO" })
  const ring = new LogRing()
  ring.add(1, "info", { big: 10n, err: error, none: undefined }, "text")
  ring.add(2, "info", { cycle }, "text")
  assert.deepEqual(JSON.parse(ring.since()[0]!.fields), {
    big: "10",
    err: { type: "Error", message: "broken", code: "EIO" },
  })
  assert.equal(ring.since()[1]?.fields, '"[cannot be shown]"')
  assert.equal(formatLine("t", { a: "x y", b: null, c: true }), 't a="x y" b=null c=true')
  assert.equal(
    formatLine("t", { user: "a\nb\u001b[1m\u009b31m", "\u202ekey": ["\u2066"] }),
    String.raw`t user="a\nb\u001b[1m\u009b31m" \u202ekey=["\u2066"]`,
  )
})

test("those who listen hear each line until they leave, or the ring closes", () => {
  const ring = new LogRing()
  const heard: string[] = []
  const listener = {
    logged: ({ text }: { text: string }): void => void heard.push(text),
    closed: (): void => void heard.push("closed"),
  }
  ring.listen(listener)
  ring.add(1, "info", {}, "one")
  ring.leave(listener)
  ring.add(2, "info", {}, "two")
  ring.listen(listener)
  ring.close()
  ring.add(3, "info", {}, "three")
  assert.equal(ring.listenerCount, 0)
  ring.listen(listener)
  assert.deepEqual(heard, ["one", "closed", "closed"])
})
