/** definitions.amqp: what was appended comes back, also after damage, faults and while it is rewritten. */
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import {
  DefinitionsLog,
  type DefinitionsContext,
  type DefinitionsReport,
} from "../../src/storage/definitions-log.ts"
import { StorageError } from "../../src/storage/disk.ts"
import { GroupCommit } from "../../src/storage/group-commit.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { OpenFiles } from "../../src/storage/open-files.ts"
import { silentLogger } from "../../src/util/logger.ts"
import { cpuMs } from "../support/cpu-time.ts"
import { DEAD, FaultyDisk } from "../support/faulty-disk.ts"
import { chooseSeed, createRandom } from "../support/seed.ts"

const DIRECTORY = "/data/vhost"
const PATH = `${DIRECTORY}/definitions.amqp`
const CORRUPT = `${PATH}.corrupt`
const HEADER_SIZE = 8
const QUEUE_DECLARE = 0x32_000a
const QUEUE_DELETE = 0x32_0028

/** A method frame whose payload carries the text. */
function frame(text: string, method = QUEUE_DECLARE): Buffer {
  const bytes = Buffer.alloc(12 + text.length)
  bytes.writeUInt8(1, 0)
  bytes.writeUInt32BE(4 + text.length, 3)
  bytes.writeUInt32BE(method, 7)
  bytes.write(text, 11, "latin1")
  bytes.writeUInt8(0xce, bytes.length - 1)
  return bytes
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1", 11, bytes.length - 1)
}

interface Process {
  readonly log: DefinitionsLog
  readonly commit: GroupCommit
  readonly openFiles: OpenFiles
  readonly loaded: string[]
  readonly report: DefinitionsReport
  /** Rounds that failed. */
  readonly failedRounds: Set<number>
}

/** What a broker does at start. */
function start(
  disk: DefinitionsContext["disk"],
  { sync = true, parallelSyncsMax = 16 } = {},
): Process {
  const openFiles = new OpenFiles(disk)
  const commit = new GroupCommit(disk, openFiles, { sync, parallelSyncsMax })
  const failedRounds = new Set<number>()
  commit.onComplete = (round, error) => {
    if (error !== null) failedRounds.add(round)
  }
  disk.makeDirectory(DIRECTORY)
  const log = new DefinitionsLog({ disk, openFiles, commit, log: silentLogger }, DIRECTORY)
  const loaded: string[] = []
  const report = log.load((bytes) => loaded.push(textOf(bytes)))
  return { log, commit, openFiles, loaded, report, failedRounds }
}

function load(disk: FaultyDisk): string[] {
  return start(disk).loaded
}

/** A log with these entries, and the offsets at which they end. */
function logWith(texts: readonly string[]): { readonly disk: FaultyDisk; readonly ends: number[] } {
  const disk = new FaultyDisk()
  disk.writeFile(`${DIRECTORY}/.vhost`, "v")
  const { log } = start(disk, { sync: false })
  const ends: number[] = []
  for (const text of texts) {
    log.append(frame(text))
    log.write()
    ends.push(disk.readFile(PATH)!.length)
  }
  return { disk: disk.crash("kill"), ends }
}

function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function isStorageError(error: unknown): boolean {
  return error instanceof StorageError
}

describe("appending", () => {
  test("an absent or empty log has no frames and is not made before the first write", () => {
    const disk = new FaultyDisk()
    const { log, report } = start(disk)
    assert.deepEqual(report, { frames: 0, deletions: 0, quarantinedBytes: 0 })
    log.write()
    assert.deepEqual(disk.paths(), [])
    disk.writeFile(PATH, "")
    assert.deepEqual(load(disk), [])
  })

  test("frames come back byte by byte, in order, also in the next process but one", () => {
    const { disk } = logWith(["a", "", "long".repeat(5000)])
    const { log, loaded } = start(disk)
    assert.deepEqual(loaded, ["a", "", "long".repeat(5000)])
    log.append(frame("b"))
    log.append(frame("c"))
    log.write()
    assert.deepEqual(load(disk), ["a", "", "long".repeat(5000), "b", "c"])
  })

  test("one write per turn, however many frames", () => {
    const disk = new FaultyDisk()
    const { log } = start(disk)
    for (let i = 0; i < 1000; i++) log.append(frame(`q${String(i)}`))
    log.write()
    log.write()
    assert.equal(disk.calls.write, 1)
    assert.equal(load(disk).length, 1000)
  })

  test("a completed round survives a power failure, the directories too", async () => {
    const disk = new FaultyDisk()
    disk.writeFile("/data/schema_version", "1")
    const { log, commit } = start(disk)
    log.append(frame("a"))
    log.write()
    assert.equal(commit.request(), 1)
    await commit.drain()
    for (let seed = 0; seed < 40; seed++) assert.deepEqual(load(disk.crash("power", seed)), ["a"])
  })

  test("100,000 frames are loaded in less than 300 ms", () => {
    const disk = new MemoryDisk()
    const { log } = start(disk)
    for (let i = 0; i < 100_000; i++) log.append(frame(`queue-${String(i)}`))
    log.write()
    const started = cpuMs()
    const { report } = start(disk)
    const elapsed = cpuMs() - started
    assert.equal(report.frames, 100_000)
    assert.ok(elapsed < 300, `${elapsed.toFixed(0)} ms`)
  })
})

describe("damage", () => {
  const TEXTS = ["first", "\u0001\u0000\u0000 looks like a frame", "third", "fourth"]

  test("cut off at any offset, everything whole is loaded and new entries follow it", () => {
    const { disk, ends } = logWith(TEXTS)
    for (let size = 0; size <= ends.at(-1)!; size++) {
      const damaged = disk.crash("kill")
      damaged.cut(PATH, size)
      const whole = TEXTS.filter((_, index) => ends[index]! <= size)
      const { log, loaded, report } = start(damaged)
      assert.deepEqual(loaded, whole, `size ${String(size)}`)
      const border = Math.max(0, ...[HEADER_SIZE, ...ends].filter((end) => end <= size))
      assert.equal(report.quarantinedBytes, size - border)
      assert.equal(damaged.readFile(CORRUPT)?.length ?? 0, size - border, "the rest is set aside")
      log.append(frame("new"))
      log.write()
      const after = start(damaged)
      assert.deepEqual(after.loaded, [...whole, "new"])
      assert.equal(after.report.quarantinedBytes, 0)
    }
  })

  test("with a byte flipped at any offset, all other entries are loaded", () => {
    const { disk, ends } = logWith(TEXTS)
    for (let offset = HEADER_SIZE; offset < ends.at(-1)!; offset++)
      for (const mask of [0xff, 0x01, 0x80]) {
        const damaged = disk.crash("kill")
        damaged.flip(PATH, offset, mask)
        const hit = ends.findIndex((end) => offset < end)
        const rest = TEXTS.filter((_, index) => index !== hit)
        const { log, loaded, report } = start(damaged)
        assert.deepEqual(loaded, rest, `offset ${String(offset)}`)
        const size = ends[hit]! - (ends[hit - 1] ?? HEADER_SIZE)
        assert.equal(report.quarantinedBytes, size)
        assert.equal(damaged.readFile(CORRUPT)!.length, size)
        assert.equal(log.needsCompaction, hit < TEXTS.length - 1, "a hole is to be removed")
      }
  })

  test("with a damaged header the entries are loaded, and the file is made good", async () => {
    for (let offset = 0; offset < 4; offset++) {
      const { disk } = logWith(TEXTS)
      disk.flip(PATH, offset)
      const { log, loaded } = start(disk)
      assert.deepEqual(loaded, TEXTS)
      assert.equal(log.needsCompaction, true)
      log.compact((emit) => loaded.forEach((text) => emit(frame(text))))
      await settle()
      const after = start(disk)
      assert.deepEqual(after.loaded, TEXTS)
      assert.equal(after.report.quarantinedBytes, 0)
    }
  })

  test("a file of another kind is set aside as a whole", () => {
    const disk = new FaultyDisk()
    disk.writeFile(PATH, "something else")
    const { log, loaded } = start(disk)
    assert.deepEqual(loaded, [])
    assert.equal(disk.readFile(CORRUPT)?.toString(), "something else")
    log.append(frame("a"))
    log.write()
    assert.deepEqual(load(disk), ["a"])
  })

  test("what is set aside later is added to what was set aside before", () => {
    const { disk } = logWith(["a"])
    disk.writeFile(CORRUPT, "before")
    const content = disk.readFile(PATH)!
    disk.writeFile(PATH, Buffer.concat([content, Buffer.from("torn")]))
    start(disk)
    assert.equal(disk.readFile(CORRUPT)?.toString(), "beforetorn")
  })

  test("without space to set damage aside, it stays where it is and nothing else is lost", () => {
    const { disk, ends } = logWith(TEXTS)
    disk.flip(PATH, ends[0]! + 8)
    disk.cut(PATH, ends[3]! - 1)
    disk.capacityBytes = disk.usedBytes
    const first = start(disk)
    assert.deepEqual(first.loaded, ["first", "third"])
    assert.equal(disk.readFile(PATH)!.length, ends[3]! - 1)
    disk.heal()
    first.log.append(frame("new"))
    first.log.write()
    assert.deepEqual(load(disk), ["first", "third", "new"])
  })

  test("a log of a newer version is refused and not touched", () => {
    const { disk } = logWith(["a"])
    const content = disk.readFile(PATH)!
    content.writeUInt32LE(2, 4)
    disk.writeFile(PATH, content)
    assert.throws(() => start(disk), /newer version/)
    assert.deepEqual(disk.readFile(PATH), content)
  })

  test("after a power failure, whole entries come back and never anything else", () => {
    const seed = chooseSeed("definitions after power failure")
    const random = createRandom(seed)
    for (let run = 0; run < 100; run++) {
      const { disk } = logWith(["base"])
      const { log } = start(disk)
      const texts = Array.from({ length: 30 }, (_, i) =>
        `${String(i)}-`.repeat(1 + random.below(60)),
      )
      for (const text of texts) {
        log.append(frame(text))
        if (random.chance(0.3)) log.write()
      }
      log.write()
      const loaded = load(disk.crash("power", random.below(1_000_000)))
      assert.equal(loaded.shift(), "base")
      let previous = -1
      for (const text of loaded) {
        const index = texts.indexOf(text, previous + 1)
        assert.ok(index > previous, `seed ${String(seed)}: "${text}" was not next`)
        previous = index
      }
    }
  })
})

describe("a disk that fails", () => {
  test("a full disk: frames are kept, more are refused, and it goes on when there is space", () => {
    const { disk } = logWith(["a"])
    const { log } = start(disk)
    disk.capacityBytes = disk.usedBytes + 5
    log.append(frame("b"))
    log.write()
    assert.equal(log.failed, true)
    assert.equal(log.lastError?.code, "ENOSPC")
    assert.throws(() => log.append(frame("c")), isStorageError)
    log.write()
    assert.equal(log.failed, true)
    assert.deepEqual(load(disk.crash("kill")), ["a"])
    disk.heal()
    log.write()
    assert.equal(log.failed, false)
    log.append(frame("d"))
    log.write()
    assert.deepEqual(load(disk), ["a", "b", "d"])
  })

  test("whichever call fails, what was written before stays and write() never throws", () => {
    for (const kind of ["open", "write"] as const)
      for (let n = 1; n <= 4; n++) {
        const { disk } = logWith(["a"])
        const { log, openFiles } = start(disk)
        disk.failCall(kind, n, "EIO", { partialBytes: 7 })
        const kept = ["a"]
        for (let i = 0; i < 6; i++) {
          openFiles.closeAll()
          try {
            log.append(frame(String(i)))
            kept.push(String(i))
          } catch (error) {
            assert.ok(isStorageError(error))
          }
          log.write()
          assert.equal(load(disk.crash("kill"))[0], "a")
        }
        assert.deepEqual(load(disk.crash("kill")), kept, `${kind} ${String(n)}`)
      }
  })

  test("after a failed sync the round fails and the file is to be made anew", async () => {
    const { disk } = logWith(["a"])
    const { log, commit, failedRounds } = start(disk)
    log.append(frame("b"))
    log.write()
    disk.failCall("sync", 1, "EIO")
    const round = commit.request()
    await commit.drain()
    assert.ok(failedRounds.has(round))
    assert.equal(log.needsCompaction, true)
    let result: unknown = "open"
    log.compact(
      (emit) => ["a", "b"].forEach((text) => emit(frame(text))),
      (error) => {
        result = error
      },
    )
    await settle()
    commit.request()
    await commit.drain()
    assert.equal(result, null)
    assert.equal(log.needsCompaction, false)
    for (let seed = 0; seed < 40; seed++)
      assert.deepEqual(load(disk.crash("power", seed)), ["a", "b"])
  })
})

describe("compaction", () => {
  test("is wanted after 8,192 deletions, and after a start with as many", () => {
    const disk = new FaultyDisk()
    const { log } = start(disk)
    for (let i = 0; i < 8191; i++) log.append(frame("q", QUEUE_DELETE), true)
    assert.equal(log.needsCompaction, false)
    log.append(frame("q", QUEUE_DELETE), true)
    assert.equal(log.needsCompaction, true)
    log.write()
    const { log: next, report } = start(disk)
    assert.equal(report.deletions, 8192)
    assert.equal(next.needsCompaction, true)
    next.compact(() => {})
    assert.equal(next.needsCompaction, false)
  })

  test("leaves just what is emitted, and what is appended meanwhile and after", async () => {
    const { disk } = logWith(["a", "b", "c"])
    const { log, commit, openFiles } = start(disk)
    disk.holdSyncs = true
    log.append(frame("buffered"))
    const long = "long".repeat(100_000)
    log.compact((emit) => ["a", "buffered", long].forEach((text) => emit(frame(text))))
    log.append(frame("during"))
    log.write()
    commit.request()
    log.append(frame("still during"))
    log.write()
    const before = ["a", "b", "c", "buffered", "during", "still during"]
    assert.deepEqual(load(disk.crash("kill")), before)
    disk.holdSyncs = false
    disk.releaseSyncs()
    await commit.drain()
    log.append(frame("after"))
    log.write()
    const expected = ["a", "buffered", long, "during", "still during", "after"]
    assert.ok(load(disk.crash("kill")).join() === expected.join())
    assert.deepEqual(disk.paths(DIRECTORY), [`${DIRECTORY}/.vhost`, PATH])
    log.close()
    openFiles.closeAll()
    assert.equal(disk.openCount, 0)
  })

  test("if any call fails, the log stays as it was and goes on", async () => {
    for (const kind of ["open", "write", "sync", "rename", "remove"] as const) {
      const { disk } = logWith(["a", "b"])
      const { log, commit } = start(disk)
      disk.failCall(kind, 1, "EIO", { partialBytes: 9 })
      let result: StorageError | null | undefined
      log.compact(
        (emit) => emit(frame("a")),
        (error) => {
          result = error
        },
      )
      await settle()
      assert.ok(result instanceof StorageError, `${kind}: ${String(result)}`)
      log.append(frame("c"))
      log.write()
      assert.equal(log.failed, false)
      commit.request()
      await commit.drain()
      assert.deepEqual(load(disk.crash("kill")), ["a", "b", "c"], kind)
      assert.equal(log.needsCompaction, false, "it is not tried again at once")
    }
  })

  test("is given up by close, without leaving anything open", async () => {
    const { disk } = logWith(["a", "b"])
    const { log, openFiles } = start(disk)
    disk.holdSyncs = true
    log.compact((emit) => emit(frame("a")))
    log.append(frame("c"))
    log.close()
    openFiles.closeAll()
    disk.releaseSyncs()
    await settle()
    assert.equal(disk.openCount, 0)
    assert.deepEqual(load(disk), ["a", "b", "c"])
    assert.deepEqual(disk.paths(DIRECTORY), [`${DIRECTORY}/.vhost`, PATH])
  })

  test("at whatever write, sync or rename the process dies, everything confirmed is there", async () => {
    const seed = chooseSeed("definitions compaction")
    const random = createRandom(seed)
    for (let run = 0; run < 300; run++) {
      const { disk } = logWith(["base"])
      const { log, commit, failedRounds } = start(disk, {
        parallelSyncsMax: 1 + random.below(3),
      })
      disk.holdSyncs = true
      const kind = random.pick(["write", "sync", "syncDirectory", "rename", "open"] as const)
      const code = random.chance(0.5) ? DEAD : "EIO"
      disk.failCall(kind, 1 + random.below(12), code, { partialBytes: random.below(60) })
      const present = ["base"]
      const promises: { readonly round: number; readonly text: string }[] = []
      for (let step = 0; step < 60 && !disk.isDead; step++) {
        const action = random.below(6)
        if (action < 3 && !log.failed) {
          const text = String(step)
          log.append(frame(text))
          present.push(text)
          log.write()
          const round = commit.request()
          if (!log.failed) promises.push({ round, text })
        } else if (action === 3) log.compact((emit) => present.forEach((text) => emit(frame(text))))
        else if (action === 4) {
          log.write()
          commit.request()
        } else {
          disk.releaseSyncs()
          await settle()
        }
      }
      const confirmed = promises.filter(
        ({ round }) => round <= commit.completedRound && !failedRounds.has(round),
      )
      const what = `seed ${String(seed)}, run ${String(run)}, ${kind}, ${code}`
      for (const how of ["kill", "power"] as const) {
        const loaded = load(disk.crash(how, random.below(1_000_000)))
        const unique = [...new Set(loaded)]
        assert.deepEqual(
          unique,
          present.filter((text) => unique.includes(text)),
          what,
        )
        for (const { text } of confirmed)
          assert.ok(unique.includes(text), `${what}: ${text} is gone after ${how}`)
      }
    }
  })
})
