/** Where a command goes: options, environment, contexts; and names in paths. */
import assert from "node:assert/strict"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { Contexts } from "../../../src/cli/contexts.ts"
import { CliError } from "../../../src/cli/exit-codes.ts"
import { segment } from "../../../src/cli/session.ts"
import { resolveTarget } from "../../../src/cli/target.ts"
import { Values } from "../../../src/cli/values.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const NOWHERE = { XDG_CONFIG_HOME: "/nonexistent/config", SLUICE_DATADIR: "/nonexistent/data" }

function values(options: Readonly<Record<string, unknown>>): Values {
  return new Values(new Map(Object.entries(options)))
}

function exitsWith(exitCode: number): (error: unknown) => boolean {
  return (error) => error instanceof CliError && error.exitCode === exitCode
}

test("a URL gives host, port, user and prefix, and the name shows no password", () => {
  const target = resolveTarget(values({ uri: "https://a%40b:p%3Aw@[::1]/proxy/" }), NOWHERE)
  assert.deepEqual(target.credentials, { user: "a@b", password: "p:w" })
  assert.equal(target.prefix, "/proxy")
  assert.equal(target.name, "https://[::1]:15671")
  const [endpoint] = target.endpoints
  assert.ok(endpoint?.kind === "tcp")
  assert.equal(endpoint.host, "::1")
  assert.equal(endpoint.isSecure, true)
})

test("host, port and scheme make a URL; without a scheme it is http", () => {
  const named = resolveTarget(values({ hostname: "::1", port: "99", scheme: "https" }), NOWHERE)
  assert.equal(named.name, "https://[::1]:99")
  assert.equal(resolveTarget(values({ host: "broker:8080" }), NOWHERE).name, "http://broker:8080")
  assert.equal(resolveTarget(values({ host: "broker" }), NOWHERE).name, "http://broker:15672")
})

test("what cannot be meant is an error, and never shows the password", () => {
  assert.throws(
    () => resolveTarget(values({ uri: "ftp://u:secret@x" }), NOWHERE),
    (error) => {
      assert.ok(error instanceof CliError)
      assert.doesNotMatch(error.message, /secret/)
      return error.exitCode === 64
    },
  )
  assert.throws(
    () => resolveTarget(values({ uri: "http://x", "control-unix-path": "/s" }), NOWHERE),
    exitsWith(64),
  )
  assert.throws(() => resolveTarget(values({ uri: "http://user@x" }), NOWHERE), exitsWith(64))
  assert.throws(() => resolveTarget(values({}), NOWHERE), exitsWith(69))
  const long = `/${"x".repeat(200)}`
  assert.throws(() => resolveTarget(values({ "control-unix-path": long }), NOWHERE), exitsWith(64))
})

test("an option goes before a context, that before the variable", (context) => {
  const env = { ...NOWHERE, XDG_CONFIG_HOME: temporaryDirectory(context) }
  new Contexts(env).set("prod", { uri: "http://prod", user: "ops", password: "x" })
  const withHost = { ...env, SLUICECTL_HOST: "http://other", SLUICECTL_PASSWORD: "y" }
  assert.equal(resolveTarget(values({ context: "prod" }), withHost).name, "http://prod:15672")
  assert.equal(resolveTarget(values({}), withHost).name, "http://other:15672")
  new Contexts(env).use("prod")
  const current = resolveTarget(values({}), env)
  assert.deepEqual(current.credentials, { user: "ops", password: "x" })
  const explicit = resolveTarget(values({ uri: "http://z", password: "p" }), env)
  assert.deepEqual(explicit.credentials, { user: "guest", password: "p" })
  assert.throws(() => resolveTarget(values({ context: "absent" }), env), exitsWith(64))
})

test("the file of contexts: broken, or open to others with passwords in it", (context) => {
  const env = { ...NOWHERE, XDG_CONFIG_HOME: temporaryDirectory(context) }
  const file = join(env.XDG_CONFIG_HOME, "sluice", "contexts.json")
  mkdirSync(join(env.XDG_CONFIG_HOME, "sluice"))
  writeFileSync(file, "{")
  assert.throws(() => new Contexts(env), exitsWith(78))
  writeFileSync(file, '{"contexts":{"a":{"uri":"http://a","password":"x"}}}')
  chmodSync(file, 0o644)
  assert.throws(() => new Contexts(env), exitsWith(78))
  chmodSync(file, 0o600)
  assert.equal(new Contexts(env).get("a").password, "x")
  assert.throws(() => new Contexts(env).set("../x", { uri: "http://a" }), exitsWith(64))
})

test("names are escaped in paths, and directions are refused", () => {
  assert.equal(segment("a/b %"), "a%2Fb%20%25")
  for (const name of [".", ".."]) assert.throws(() => segment(name), exitsWith(65))
})
