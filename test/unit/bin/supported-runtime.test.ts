import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { NODE_MIN, isSupported } from "../../../src/bin/supported-runtime.ts"

test("the oldest runtime that is taken is the one that the package promises", () => {
  const manifest: { readonly engines: { readonly node: string } } = JSON.parse(
    readFileSync("package.json", "utf8"),
  )
  assert.equal(manifest.engines.node, `>=${NODE_MIN.join(".")}`)
})

test("runtimes are compared by number", () => {
  for (const version of ["22.18.0", "22.100.1", "24.0.0", "26.10.0", "100.0.0-nightly"])
    assert.ok(isSupported(version), version)
  for (const version of ["22.17.9", "22.9.0", "20.99.0", "4.0.0"])
    assert.ok(!isSupported(version), version)
})
