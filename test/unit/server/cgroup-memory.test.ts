import assert from "node:assert/strict"
import { test } from "node:test"
import { CgroupMemory } from "../../../src/server/cgroup-memory.ts"

const MIB = 2 ** 20
const SELF = "/proc/self/cgroup"
const ROOT = "/sys/fs/cgroup"

class Tree {
  readonly files: Map<string, string>
  readonly limits: CgroupMemory

  constructor(files: Readonly<Record<string, string>>) {
    this.files = new Map(Object.entries(files))
    this.limits = new CgroupMemory((path) => this.files.get(path) ?? null)
  }
}

function limitOf(files: Readonly<Record<string, string>>): number {
  return new Tree(files).limits.limitBytes
}

test("version 2: the own group's limit counts, and `max` is none", () => {
  const own = `${ROOT}/system.slice/sluice.service`
  const files = { [SELF]: "0::/system.slice/sluice.service\n" }
  assert.equal(limitOf(files), Infinity)
  assert.equal(
    limitOf({ ...files, [`${own}/memory.max`]: "max\n", [`${own}/memory.high`]: "max\n" }),
    Infinity,
  )
  assert.equal(limitOf({ ...files, [`${own}/memory.max`]: `${String(512 * MIB)}\n` }), 512 * MIB)
})

test("version 2: the limit at which the kernel slows the process down counts if it is lower", () => {
  const files = { [SELF]: "0::/a\n", [`${ROOT}/a/memory.max`]: String(512 * MIB) }
  assert.equal(limitOf({ ...files, [`${ROOT}/a/memory.high`]: String(400 * MIB) }), 400 * MIB)
  assert.equal(limitOf({ ...files, [`${ROOT}/a/memory.high`]: String(600 * MIB) }), 512 * MIB)
})

test("version 2: the limits of the groups around it count", () => {
  const files = {
    [SELF]: "0::/a/b/c\n",
    [`${ROOT}/a/memory.max`]: String(512 * MIB),
    [`${ROOT}/a/memory.high`]: "max\n",
    [`${ROOT}/a/b/memory.max`]: "max\n",
    [`${ROOT}/a/b/memory.high`]: String(300 * MIB),
    [`${ROOT}/a/b/c/memory.max`]: String(800 * MIB),
  }
  assert.equal(limitOf(files), 300 * MIB)
})

test("version 2: in a container whose mount shows its own group as the root", () => {
  const limit = { [`${ROOT}/memory.max`]: String(256 * MIB) }
  assert.equal(limitOf({ [SELF]: "0::/\n", ...limit }), 256 * MIB)
  assert.equal(limitOf({ [SELF]: "0::/docker/0123abcd\n", ...limit }), 256 * MIB)
  assert.equal(limitOf({ [SELF]: "0::/../0123abcd\n", ...limit }), 256 * MIB)
})

test("version 1: the controller of memory is found among the others", () => {
  const none = "9223372036854771712\n"
  const files = {
    [SELF]: "9:name=systemd:/\n5:cpu,memory:/a/b\n1:cpu:/other\n0::/\n",
    [`${ROOT}/memory/memory.limit_in_bytes`]: none,
    [`${ROOT}/memory/a/memory.limit_in_bytes`]: String(512 * MIB),
  }
  assert.equal(limitOf({ ...files, [`${ROOT}/memory/a/b/memory.limit_in_bytes`]: none }), 512 * MIB)
  assert.equal(
    limitOf({ ...files, [`${ROOT}/memory/a/b/memory.limit_in_bytes`]: String(64 * MIB) }),
    64 * MIB,
  )
})

test("a limit that changes is seen", () => {
  const path = `${ROOT}/a/memory.max`
  const tree = new Tree({ [SELF]: "0::/a\n", [path]: "max\n" })
  assert.equal(tree.limits.limitBytes, Infinity)
  tree.files.set(path, String(100 * MIB))
  assert.equal(tree.limits.limitBytes, 100 * MIB)
  tree.files.delete(path)
  assert.equal(tree.limits.limitBytes, Infinity)
})

test("without control groups, or with text that makes no sense, there is no limit", () => {
  assert.equal(limitOf({}), Infinity)
  assert.equal(limitOf({ [SELF]: "rubbish\n\n::" }), Infinity)
  for (const text of ["", "0", "-1", "many", "12 34"])
    assert.equal(limitOf({ [SELF]: "0::/a\n", [`${ROOT}/a/memory.max`]: text }), Infinity, text)
  const deep = `0::${"/a".repeat(100_000)}\n`
  assert.equal(limitOf({ [SELF]: deep }), Infinity)
})

test("of this process it is a number above zero", () => {
  assert.ok(new CgroupMemory().limitBytes > 0)
})
