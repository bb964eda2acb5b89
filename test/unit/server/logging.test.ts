/** The log of a broker: severities, floods, secrets, files, formats. */
import assert from "node:assert/strict"
import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { BrokerLog } from "../../../src/server/logging.ts"
import type { LogOutput } from "../../../src/server/log-output.ts"
import { journalOutput } from "../../../src/server/log-output.ts"
import { StartError } from "../../../src/server/start-error.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

interface Line {
  readonly severity: string
  readonly fields: object
  readonly text: string
}

class Recorder implements LogOutput {
  readonly lines: Line[] = []
  write(severity: string, fields: object, text: string): void {
    this.lines.push({ severity, fields, text })
  }
  close(): void {}
  get texts(): string[] {
    return this.lines.map(({ text }) => text)
  }
}

test("what is not severe enough is left out, until the level changes", () => {
  const output = new Recorder()
  const log = new BrokerLog({ clock: new ManualClock(), level: "warn", output })
  log.info({}, "an info")
  log.warn({}, "a warning")
  log.level = "debug"
  log.debug({}, "a detail")
  log.level = "silent"
  log.error({}, "an error")
  assert.deepEqual(output.texts, ["a warning", "a detail"])
  assert.deepEqual(
    log.ring.since().map(({ text }) => text),
    ["a warning", "a detail"],
  )
  log.close()
})

test("a flood of lines of one kind is cut, counted, and hides no other kind", () => {
  const clock = new ManualClock()
  const output = new Recorder()
  const log = new BrokerLog({ clock, level: "info", output })
  for (let i = 0; i < 1000; i++) log.warn({ i }, "again")
  log.warn({}, "something else")
  assert.equal(output.texts.filter((text) => text === "again").length, 100)
  assert.equal(output.texts.at(-1), "something else")
  clock.advance(1000)
  for (let i = 0; i < 1000; i++) log.warn({ i }, "again")
  assert.equal(output.texts.filter((text) => text === "again").length, 110)
  const notes = (): object[] =>
    output.lines.filter(({ text }) => text.includes("left out")).map(({ fields }) => fields)
  assert.deepEqual(notes(), [{ line: "again", count: 900 }])
  clock.advance(10_000)
  assert.deepEqual(notes(), [
    { line: "again", count: 900 },
    { line: "again", count: 990 },
  ])
  log.close()
})

test("a minute of a client in a loop stays small", () => {
  const clock = new ManualClock()
  const output = new Recorder()
  const log = new BrokerLog({ clock, level: "info", output })
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 10_000; i++) log.info({}, "connection opened")
    clock.advance(1000)
  }
  assert.ok(output.lines.length < 60 * 13 + 100, `${String(output.lines.length)} lines`)
  log.close()
})

test("what was left out is said when the broker stops, and no timer remains", () => {
  const clock = new ManualClock()
  const output = new Recorder()
  const log = new BrokerLog({ clock, level: "info", output })
  for (let i = 0; i < 103; i++) log.info({}, "again")
  log.close()
  assert.deepEqual(output.lines.at(-1)?.fields, { line: "again", count: 3 })
  const count = output.lines.length
  clock.advance(60_000)
  assert.equal(output.lines.length, count)
})

test("an embedder's logger gets everything but secrets; the ring what is severe enough", () => {
  const lines: Line[] = []
  const note =
    (severity: string) =>
    (fields: object, text: string): void =>
      void lines.push({ severity, fields, text })
  const logger = {
    debug: note("debug"),
    info: note("info"),
    warn: note("warn"),
    error: note("error"),
  }
  const log = new BrokerLog({ clock: new ManualClock(), logger })
  log.debug({ password: "x" }, "a detail")
  log.info({ uri: "amqp://a:b@c" }, "an info")
  assert.deepEqual(lines, [
    { severity: "debug", fields: { password: "[redacted]" }, text: "a detail" },
    { severity: "info", fields: { uri: "amqp://a:[redacted]@c" }, text: "an info" },
  ])
  assert.equal(log.ring.since().length, 1)
  log.close()
})

function linesOf(path: string): Record<string, unknown>[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
}

test("a log file is appended to, and opened anew where it was moved away", (context) => {
  const path = join(temporaryDirectory(context), "sluice.log")
  writeFileSync(path, '{"msg":"before"}\n')
  const log = new BrokerLog({ clock: new ManualClock(), level: "info", file: path })
  log.info({ queue: "q" }, "one")
  renameSync(path, `${path}.1`)
  log.info({}, "two")
  log.reopen(path)
  log.info({}, "three")
  log.close()
  assert.deepEqual(
    linesOf(`${path}.1`).map(({ msg }) => msg),
    ["before", "one", "two"],
  )
  const [three] = linesOf(path)
  assert.equal(three?.["msg"], "three")
  assert.equal(three?.["level"], 30)
  assert.ok(typeof three?.["time"] === "number")
})

test("a file that cannot be opened keeps the old one, which says so", (context) => {
  const directory = temporaryDirectory(context)
  const path = join(directory, "sluice.log")
  const log = new BrokerLog({ clock: new ManualClock(), level: "info", file: path })
  log.reopen(join(directory, "absent", "sluice.log"))
  log.info({}, "still here")
  log.close()
  const lines = linesOf(path)
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ["the log stays where it is: its file cannot be opened", "still here"],
  )
  assert.match(String(lines[0]?.["path"]), /absent/)
})

test("a start with a log file that cannot be opened says what is wrong", (context) => {
  const directory = temporaryDirectory(context)
  assert.throws(
    () =>
      new BrokerLog({ clock: new ManualClock(), level: "info", file: join(directory, "x", "y") }),
    (error) =>
      error instanceof StartError && /log file .* ENOENT \(see log_file\)/.test(error.message),
  )
})

test("the journal gets a priority and one line, and no time", () => {
  let written = ""
  const output = journalOutput({ write: (text: string) => void (written += text) })
  output.write(
    "warn",
    { user: "a b", peer: "127.0.0.1", count: 2, err: new Error("no\nluck") },
    "refused",
  )
  output.write("error", { list: ["x"], none: undefined }, "broken")
  output.write("info", {}, "fine")
  output.write("debug", {}, "detail")
  assert.equal(
    written,
    '<4>refused user="a b" peer=127.0.0.1 count=2 err="no\\nluck"\n' +
      '<3>broken list=["x"]\n<6>fine\n<7>detail\n',
  )
})
