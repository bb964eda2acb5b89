/** Rounds of syncs: what they cover, when they begin, and what a failure means. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { GroupCommit } from "../../src/storage/group-commit.ts"
import { RoundFailure } from "../../src/storage/round-failure.ts"
import { OpenFiles } from "../../src/storage/open-files.ts"
import { FaultyDisk } from "../support/faulty-disk.ts"
import { createRandom } from "../support/seed.ts"

class Setup {
  readonly disk = new FaultyDisk()
  readonly openFiles = new OpenFiles(this.disk, 8)
  readonly commit: GroupCommit
  readonly ended: string[] = []

  constructor(options: { readonly sync?: boolean; readonly parallelSyncsMax?: number } = {}) {
    this.commit = new GroupCommit(this.disk, this.openFiles, { sync: true, ...options })
    this.commit.onComplete = (round, error) => {
      assert.equal(this.commit.completedRound, round)
      this.ended.push(`${String(round)}${error === null ? "" : ` ${error.message}`}`)
    }
    this.disk.writeFile("/d/queue/b/first", "")
    this.disk.writeFile("/d/queue/c/first", "")
    this.disk.writeFile("/d/first", "") // The directory itself is on the medium.
    this.disk.holdSyncs = true
  }

  write(name: string, text: string, position = 0): void {
    const path = `/d/${name}`
    this.disk.write(this.openFiles.acquire(path, true), Buffer.from(text), 0, text.length, position)
    this.commit.touchFile(path)
  }

  /** Lets the syncs in flight end, and what follows from it. */
  async step(): Promise<void> {
    this.disk.releaseSyncs()
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }
}

test("a round covers all that was touched before it began", async () => {
  const setup = new Setup()
  const { disk, commit, ended } = setup
  setup.write("a", "1")
  setup.write("b", "2")
  commit.touchDirectory("/d")
  assert.equal(commit.request(), 1)
  assert.equal(commit.completedRound, 0)
  await setup.step()
  assert.deepEqual(ended, ["1"])
  assert.equal(disk.calls.sync, 2)
  for (let seed = 0; seed < 20; seed++) {
    const after = disk.crash("power", seed)
    assert.equal(after.readFile("/d/a")?.toString(), "1")
    assert.equal(after.readFile("/d/b")?.toString(), "2")
  }
})

test("a turn that touched nothing waits for nothing, also while a round is in flight", async () => {
  const setup = new Setup()
  assert.equal(setup.commit.request(), 0)
  setup.write("a", "1")
  assert.equal(setup.commit.request(), 1)
  assert.equal(setup.commit.request(), 0)
  await setup.step()
  assert.equal(setup.commit.request(), 1)
  assert.deepEqual(setup.ended, ["1"])
  assert.equal(setup.disk.calls.sync, 1)
})

test("what is touched during a round shares the next one", async () => {
  const setup = new Setup()
  setup.write("a", "1")
  assert.equal(setup.commit.request(), 1)
  for (const name of ["a", "b", "a", "c"]) {
    setup.write(name, "2")
    assert.equal(setup.commit.request(), 2)
  }
  assert.equal(setup.disk.heldSyncCount, 1, "one round at a time")
  await setup.step()
  assert.deepEqual(setup.ended, ["1"])
  assert.equal(setup.disk.heldSyncCount, 3, "a, b and c once each")
  await setup.step()
  assert.deepEqual(setup.ended, ["1", "2"])
})

test("the end of a round is never reported within request()", async () => {
  const setup = new Setup()
  setup.commit.touchFile("/d/absent")
  const round = setup.commit.request()
  assert.deepEqual([round, setup.commit.completedRound, setup.ended.length], [1, 0, 0])
  await setup.step()
  assert.deepEqual(setup.ended, ["1"], "a file that is gone needs no sync")
})

test("a file whose sync is in flight may be deleted or closed by the limit", async () => {
  const setup = new Setup()
  setup.write("a", "1")
  setup.write("b", "1")
  setup.commit.request()
  setup.openFiles.forget("/d/a")
  setup.disk.remove("/d/a")
  for (let i = 0; i < 20; i++) setup.openFiles.acquire(`/d/x${String(i)}`, true)
  await setup.step()
  assert.deepEqual(setup.ended, ["1"])
  setup.openFiles.closeAll()
  assert.equal(setup.disk.openCount, 0)
})

test("a failed sync fails its round, tells the owner first, and the next round succeeds", async () => {
  const setup = new Setup()
  setup.write("a", "1")
  setup.disk.failCall("sync", 2, "EIO")
  setup.commit.touchFile("/d/a", () => assert.fail("the callback of the first touch counts"))
  setup.openFiles.acquire("/d/b", true)
  setup.commit.touchFile("/d/b", (error) => setup.ended.push(`b: ${error.message}`))
  setup.openFiles.acquire("/d/c", true)
  setup.commit.touchFile("/d/c", (error) => setup.ended.push(`c: ${error.message}`))
  setup.commit.request()
  await setup.step()
  assert.deepEqual(setup.ended, ["b: cannot sync /d/b: EIO", "1 cannot sync /d/b: EIO"])
  setup.write("a", "2")
  assert.equal(setup.commit.request(), 2)
  await setup.step()
  assert.equal(setup.ended.at(-1), "2")
})

test("what was written to a file before its sync failed fails with the next round, too", async () => {
  const setup = new Setup()
  setup.disk.failCall("sync", 1, "EIO")
  setup.write("a", "1")
  assert.equal(setup.commit.request(), 1)
  setup.write("a", "2", 1)
  assert.equal(setup.commit.request(), 2)
  await setup.step()
  await setup.step()
  setup.write("a", "3", 2)
  assert.equal(setup.commit.request(), 3)
  await setup.step()
  const failure = "cannot sync /d/a: EIO"
  assert.deepEqual(setup.ended, [`1 ${failure}`, `2 ${failure}`, "3"])
})

test("a directory that cannot be synced fails the round", async () => {
  const setup = new Setup()
  setup.write("a", "1")
  setup.commit.touchDirectory("/d")
  setup.disk.failCall("syncDirectory", 1, "EIO")
  setup.commit.request()
  await setup.step()
  assert.match(setup.ended[0]!, /^1 .*EIO/)
  setup.write("b", "1")
  assert.equal(setup.commit.request(), 2)
  await setup.step()
  assert.equal(setup.ended[1], "2")
  assert.equal(setup.disk.calls.syncDirectory, 2, "the next round relies on its names, too")
})

test("a file that cannot be opened fails the round", async () => {
  const setup = new Setup()
  setup.write("a", "1")
  setup.openFiles.closeAll()
  setup.disk.failCall("open", 1, "EACCES")
  let told = 0
  setup.commit.touchFile("/d/b", () => told++)
  setup.commit.request()
  await setup.step()
  assert.match(setup.ended[0]!, /^1 .*EACCES/)
  assert.equal(told, 1)
})

test("a turn whose files went with a round that failed before its end gets the failure", async () => {
  const setup = new Setup()
  setup.write("a", "1")
  assert.equal(setup.commit.request(), 1)
  setup.write("b", "1")
  assert.equal(setup.commit.request(), 2)
  setup.write("c", "1") // A turn that is not over yet.
  setup.disk.failCall("sync", 2, "EIO")
  await setup.step()
  await setup.step()
  assert.deepEqual(setup.ended, ["1", "2 cannot sync /d/b: EIO"])
  assert.equal(setup.commit.request(), 3, "the turn does not take the failed round for its own")
  await setup.step()
  assert.equal(setup.ended[2], "3 cannot sync /d/b: EIO")
})

test("a turn whose files went with an earlier round waits for that one", async () => {
  const setup = new Setup()
  setup.write("a", "1")
  setup.commit.request()
  setup.write("b", "1")
  setup.commit.request()
  setup.write("c", "1") // A turn that is not over yet.
  await setup.step()
  assert.equal(setup.commit.request(), 2)
  await setup.step()
  assert.deepEqual(setup.ended, ["1", "2"])
})

test("no more syncs at a time than allowed", async () => {
  const setup = new Setup({ parallelSyncsMax: 3 })
  for (let i = 0; i < 7; i++) setup.write(String(i), "1")
  setup.commit.touchDirectory("/d")
  setup.commit.request()
  await setup.step()
  for (const expected of [3, 2, 0]) {
    assert.equal(setup.ended.length, expected === 0 ? 1 : 0)
    assert.ok(setup.disk.heldSyncCount <= 3)
    await setup.step()
  }
  assert.equal(setup.disk.calls.sync, 7)
})

test("5,000 touched files that are gone end the round without a deep stack", async () => {
  const setup = new Setup()
  for (let i = 0; i < 5000; i++) setup.commit.touchFile(`/d/${String(i)}`)
  setup.commit.request()
  await setup.commit.drain()
  assert.deepEqual(setup.ended, ["1"])
})

test("without sync nothing is touched and nothing waits", async () => {
  const setup = new Setup({ sync: false })
  setup.write("a", "1")
  setup.commit.touchDirectory("/d")
  assert.equal(setup.commit.request(), 0)
  await setup.commit.drain()
  assert.equal(setup.disk.calls.sync, 0)
})

test("drain waits for what was touched, requested or not", async () => {
  const setup = new Setup()
  setup.disk.holdSyncs = false
  setup.write("a", "1")
  setup.commit.request()
  setup.write("b", "1")
  await setup.commit.drain()
  assert.deepEqual(setup.ended, ["1", "2"])
  await setup.commit.drain()
  assert.deepEqual(setup.ended, ["1", "2"])
})

test("runBetweenRounds runs at once when idle, else after the round and before the next", async () => {
  const setup = new Setup()
  setup.commit.runBetweenRounds(() => setup.ended.push("idle"))
  setup.write("a", "1")
  setup.commit.request()
  setup.write("a", "1")
  setup.commit.request()
  setup.commit.runBetweenRounds(() =>
    setup.ended.push(`between, ${String(setup.disk.heldSyncCount)} in flight`),
  )
  await setup.step()
  assert.deepEqual(setup.ended, ["idle", "between, 0 in flight", "1"])
})

test("whatever the order of turns, syncs and failures, a good round has its files on the medium", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = createRandom(seed)
    const setup = new Setup({ parallelSyncsMax: 1 + random.below(4) })
    if (random.chance(0.5)) setup.disk.failCall("sync", 1 + random.below(15), "EIO")
    if (random.chance(0.2)) setup.disk.failCall("syncDirectory", 1 + random.below(4), "EIO")
    const failedRounds = new Set<number>()
    setup.commit.onComplete = (round, error) => {
      if (error !== null) failedRounds.add(round)
    }
    /** Like a store, the owner of a file goes on in a new one when a sync of it has failed. */
    const generations = new Map<string, number>()
    const lengths = new Map<string, number>()
    const writtenInTurn = new Map<string, number>()
    /** What the end of each round promises: the writes of the turn that asked for it. */
    const promises: { readonly round: number; readonly files: Map<string, number> }[] = []
    const write = (owner: string): void => {
      const generation = generations.get(owner) ?? 0
      const path = `/d/${owner}.${String(generation)}`
      const length = lengths.get(path) ?? 0
      const fd = setup.openFiles.acquire(path, true)
      setup.disk.write(fd, Buffer.from("x"), 0, 1, length)
      setup.commit.touchFile(path, () => generations.set(owner, generation + 1))
      if (length === 0) setup.commit.touchDirectory("/d")
      lengths.set(path, length + 1)
      writtenInTurn.set(path, length + 1)
    }
    for (let step = 0; step < 60; step++) {
      const action = random.below(5)
      if (action < 3) write(String(random.below(6)))
      else if (action === 3) {
        promises.push({ round: setup.commit.request(), files: new Map(writtenInTurn) })
        writtenInTurn.clear()
      } else await setup.step()
      const after = setup.disk.crash("power", random.below(1000))
      for (const { round, files } of promises) {
        if (round > setup.commit.completedRound || failedRounds.has(round)) continue
        for (const [path, length] of files) {
          const content = after.readFile(path)?.toString() ?? ""
          assert.ok(content.startsWith("x".repeat(length)), `seed ${String(seed)}: ${path}`)
        }
      }
    }
  }
})

test("a failure names its files and directories, and nothing else is hit", async () => {
  const setup = new Setup()
  const { disk, commit } = setup
  const failures: (RoundFailure | null)[] = []
  commit.onComplete = (_round, failure) => failures.push(failure)
  setup.write("queue/b/msgs.1", "1")
  setup.write("queue/c/msgs.1", "1")
  setup.write("log", "1")
  disk.failCall("sync", 1, "EIO", { path: "/queue/b/", repeat: true })
  commit.request()
  setup.write("queue/b/msgs.1", "2")
  await setup.step()
  const [first] = failures
  assert.ok(first instanceof RoundFailure)
  for (const path of ["/d/queue/b/msgs.1", "/d/queue/b", "/d/queue", "/d"])
    assert.ok(first.hits(path), path)
  for (const path of ["/d/queue/c", "/d/queue/c/msgs.1", "/d/log", "/d/queue/b/msgs.2", "/e"])
    assert.ok(!first.hits(path), path)
  disk.heal()
  // What was written to the file meanwhile may be lost with it.
  commit.request()
  setup.write("queue/b/msgs.1", "3")
  await setup.step()
  assert.ok(failures[1]?.hits("/d/queue/b") === true && !failures[1].hits("/d/queue/c"))
  disk.failCall("syncDirectory", 1, "EIO")
  commit.touchDirectory("/d/queue")
  commit.request()
  await setup.step()
  await setup.step()
  const last = failures.at(-1)
  assert.ok(last !== undefined && last !== null)
  for (const path of ["/d/queue", "/d/queue/b", "/d/queue/c/msgs.1", "/d"])
    assert.ok(last.hits(path), path)
  assert.ok(!last.hits("/d/log"))
})
