/** The micro benchmarks still run: in their smallest size, and nobody looks at the figures. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { test } from "node:test"

/** A small count for those that take one, the flag for the others. */
const SMOKE = ["20000", "--smoke"]

for (const path of globSync("bench/micro/*.bench.ts").toSorted())
  test(`${path} runs`, () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--expose-gc", path, ...SMOKE],
      { encoding: "utf8", timeout: 60_000, env: { ...process.env, NODE_OPTIONS: "" } },
    )
    assert.equal(status, 0, stderr)
    assert.notEqual(stdout, "", "it printed nothing")
  })
