/** The bundle as the broker serves it: built, within its budget, and without anything that the policy forbids. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { gunzipSync, brotliDecompressSync } from "node:zlib"
import { BUDGET_BYTES, buildUi } from "../../scripts/build-ui.ts"
import { openUiAssets } from "../../src/server/ui-assets.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

test("all JavaScript and CSS together stay within the budget", async (context) => {
  const folder = join(temporaryDirectory(context), "ui")
  const manifest = await buildUi(folder)
  assert.ok(manifest !== null, "esbuild is not installed")
  assert.ok(manifest.gzipSize < BUDGET_BYTES, `${String(manifest.gzipSize)} bytes gzipped`)
  // What shows the login is small: the pages are loaded after it.
  const entry = manifest.assets.find(({ name }) => name.startsWith("app-"))
  assert.ok(entry !== undefined && entry.gzipSize < BUDGET_BYTES / 4)
  assert.ok(manifest.assets.some(({ name }) => name.startsWith("all-")))
  for (const { name } of manifest.assets) {
    const bytes = readFileSync(join(folder, name))
    assert.deepEqual(gunzipSync(readFileSync(join(folder, `${name}.gz`))), bytes)
    assert.deepEqual(brotliDecompressSync(readFileSync(join(folder, `${name}.br`))), bytes)
    assert.ok(!/\beval\(|new Function\(/.test(bytes.toString()), `${name} evaluates text`)
  }
  const assets = openUiAssets([folder])
  assert.ok(assets !== null)
  assert.ok(assets.index().plain.length > 0)
  assert.equal(assets.asset("../manifest.json"), null)
})

test("a broker whose UI was not built says so", (context) => {
  assert.equal(openUiAssets([temporaryDirectory(context)]), null)
})
