import assert from "node:assert/strict"
import { test } from "node:test"
import { AuthError } from "../../../src/auth/errors.ts"
import { Pattern, PATTERN_SIZE_MAX } from "../../../src/auth/pattern.ts"
import { Permissions, VhostPermissions } from "../../../src/auth/permissions.ts"

function matches(source: string, name: string): boolean {
  return new Pattern(source).test(name)
}

test("an expression is searched anywhere in the name", () => {
  assert.ok(matches("b", "abc"))
  assert.ok(!matches("^b", "abc"))
  assert.ok(matches("^a.*c$", "abc"))
  assert.ok(matches(".*", ""))
  assert.ok(matches(".*", "anything"))
  assert.ok(matches("^(a|b)-", "b-1"))
})

test("the empty expression and ^$ match the empty name only", () => {
  for (const source of ["", "^$"]) {
    assert.ok(!matches(source, "a"))
    assert.ok(matches(source, ""))
  }
})

test("spellings of PCRE that differ in JavaScript are understood", () => {
  assert.ok(matches("(?i)^ABC", "abcd"))
  assert.ok(matches("\\Aab\\z", "ab"))
  assert.ok(!matches("\\Aab\\Z", "abc"))
  assert.ok(matches("^a\\-b\\_c$", "a-b_c"))
  assert.ok(matches("^\\\\Z$", "\\Z"))
  for (const name of ["]", "a"]) assert.ok(matches("^[]a]$", name)) // The first ] does not close the class.
  assert.ok(matches("^[^]a]$", "b"))
  assert.ok(!matches("^[^]a]$", "]"))
  assert.ok(matches("^[(a|*+?]$", "*"))
  assert.ok(matches("^[a\\]]$", "]"))
})

test("expressions that cannot be honoured are refused when they are set", () => {
  for (const source of [
    "(",
    "[a",
    "[]",
    "a++",
    "*",
    "\\Qa\\E",
    "[[:alpha:]]",
    "\\h",
    "(?>a)",
    "[\\A]",
  ])
    assert.throws(() => new Pattern(source), AuthError, source)
  assert.throws(() => new Pattern("a".repeat(PATTERN_SIZE_MAX + 1)), /longer than 4096/)
  assert.ok(matches("a".repeat(PATTERN_SIZE_MAX), "a".repeat(PATTERN_SIZE_MAX)))
})

test("an expression that would take for ever is given up and denies", () => {
  const name = `${"a".repeat(250)}!`
  for (const source of [
    "^(a+)+$",
    "^(a|a)*$",
    "^(a?){99}a{99}$",
    "a*a*a*a*a*a*a*$b",
    "^(\\w+\\s?)*$",
    `${"(a|a)".repeat(60)}b`,
  ]) {
    const startedAt = process.hrtime.bigint()
    assert.equal(matches(source, name), false, source)
    const tookMs = Number(process.hrtime.bigint() - startedAt) / 1e6
    assert.ok(tookMs < 1_000, `${source}: ${tookMs} ms`)
  }
})

test("the usual expressions need no watchdog", () => {
  const usual = [
    "^(foo|bar)\\.",
    "^a.*b$",
    "^(eu|us|ap)-.*$",
    "a|b|c|d|e",
    "^[a-z]+-[0-9]+$",
    "^(?!amq\\.).*",
  ]
  for (const source of usual) assert.ok(!new Pattern(source).isGuarded, source)
})

test("an expression under the watchdog still gives right answers", () => {
  const pattern = new Pattern("^(foo|bar)+-[a-z]+\\.[a-z]*$")
  for (let i = 0; i < 3; i++) {
    assert.equal(pattern.test("foobar-a.b"), true)
    assert.equal(pattern.test("baz-a.b"), false)
  }
})

test("configure, write and read are separate, and a vhost without entry denies all", () => {
  const user = {
    topicPermissions: new Map(),
    permissions: new Map([
      ["/", new VhostPermissions({ configure: "^c", write: "^w", read: "^r" })],
      ["none", new VhostPermissions({ configure: "", write: "^$", read: "" })],
    ]),
  }
  const permissions = new Permissions()
  const verdicts = (vhostName: string, name: string): boolean[] => [
    permissions.mayConfigure(user, vhostName, name),
    permissions.mayWrite(user, vhostName, name),
    permissions.mayRead(user, vhostName, name),
  ]
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(verdicts("/", "c1"), [true, false, false])
    assert.deepEqual(verdicts("/", "w1"), [false, true, false])
    assert.deepEqual(verdicts("/", "r1"), [false, false, true])
    assert.deepEqual(verdicts("none", "x"), [false, false, false])
    assert.deepEqual(verdicts("other", "c1"), [false, false, false])
  }
  assert.equal(permissions.mayConnect(user, "none"), true)
  assert.equal(permissions.mayConnect(user, "other"), false)
})

function mayPublishToDefault(write: string): boolean {
  const entry = new VhostPermissions({ configure: "", write, read: "" })
  const user = { permissions: new Map([["/", entry]]), topicPermissions: new Map() }
  return new Permissions().mayWrite(user, "/", "")
}

test("the default exchange is checked as amq.default, so an empty expression denies it", () => {
  assert.equal(mayPublishToDefault(".*"), true)
  assert.equal(mayPublishToDefault("^amq\\.default$"), true)
  assert.equal(mayPublishToDefault("^a"), true)
  assert.equal(mayPublishToDefault(""), false)
  assert.equal(mayPublishToDefault("^$"), false)
})

test("verdicts on ever new names do not pile up wrongly", () => {
  const entry = new VhostPermissions({ configure: "", write: "[02468]$", read: "" })
  for (let i = 0; i < 5_000; i++) assert.equal(entry.mayWrite(`q${i}`), i % 2 === 0)
})
