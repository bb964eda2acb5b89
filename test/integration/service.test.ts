/**
 * The broker as a service: what systemd is told, the directories that it gives, the pid file. A script
 * stands in for systemd-notify and writes down what it is asked to say.
 */
import assert from "node:assert/strict"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { BrokerProcess, RunningProcess, brokerArguments } from "../support/broker-process.ts"
import { eventually } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

/** Environment with a systemd-notify that appends its arguments to `<folder>/said`. */
function serviceEnvironment(folder: string, exitCode = 0): Record<string, string> {
  const programs = join(folder, "bin")
  mkdirSync(programs)
  const script = `#!/bin/sh\necho "$@" >> "${join(folder, "said")}"\nexit ${String(exitCode)}\n`
  writeFileSync(join(programs, "systemd-notify"), script, { mode: 0o755 })
  return {
    NOTIFY_SOCKET: join(folder, "notify.sock"),
    PATH: `${programs}${delimiter}${process.env["PATH"] ?? ""}`,
  }
}

function said(folder: string): string[] {
  const path = join(folder, "said")
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : []
}

async function started(
  context: TestContext,
  folder: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<BrokerProcess> {
  const broker = await BrokerProcess.start({ dataDirectory: join(folder, "data"), flags, env })
  context.after(() => broker.stop("SIGKILL"))
  return broker
}

test("systemd hears that the broker is ready, reloads and stops, in this order", async (context) => {
  const folder = temporaryDirectory(context)
  const broker = await started(context, folder, [], serviceEnvironment(folder))
  await eventually(() => assert.deepEqual(said(folder), ["READY=1"]))
  broker.child.kill("SIGHUP")
  await eventually(() => assert.deepEqual(said(folder), ["READY=1", "RELOADING=1", "READY=1"]))
  assert.deepEqual(await broker.stop(), { code: 0, signal: null })
  await eventually(() => assert.equal(said(folder).at(-1), "STOPPING=1"))
})

test("a systemd-notify that fails is a warning, not the end", async (context) => {
  const folder = temporaryDirectory(context)
  const broker = await started(context, folder, [], serviceEnvironment(folder, 1))
  await eventually(() => assert.match(broker.stderr, /systemd could not be told/))
  assert.deepEqual(await broker.stop(), { code: 0, signal: null })
})

test("the service's directories hold data and configuration, unless the command line says otherwise", async (context) => {
  const folder = temporaryDirectory(context)
  const state = join(folder, "state")
  const etc = join(folder, "etc")
  mkdirSync(etc)
  writeFileSync(join(etc, "sluice.ini"), "[main]\nlog_level = fatal\n[amqp]\nchannel_max = 7\n")
  const args = ["src/bin/sluice.ts", "--bind", "127.0.0.1", "-p", "0", "--http-port", "off"]
  const env = { STATE_DIRECTORY: `${state}:/var/empty`, CONFIGURATION_DIRECTORY: etc }
  const broker = new RunningProcess(args, env)
  context.after(() => broker.stop("SIGKILL"))
  await broker.waitForOutput(new RegExp(`Data in ${state}\n`))
  await broker.stop()
  writeFileSync(join(etc, "sluice.ini"), "[main]\nlog_level = loud\n")
  const refused = new RunningProcess(args, env)
  assert.deepEqual(await refused.exited(), { code: 2, signal: null })
  assert.match(refused.stderr, /sluice\.ini:2: .*log_level/)
  const other = join(folder, "other")
  const explicit = new RunningProcess([...args, "-D", other], { STATE_DIRECTORY: state })
  context.after(() => explicit.stop("SIGKILL"))
  await explicit.waitForOutput(new RegExp(`Data in ${other}\n`))
})

test("a broker whose first lines nobody reads to the end runs on", async (context) => {
  const dataDirectory = temporaryDirectory(context)
  const broker = new RunningProcess(
    brokerArguments({ dataDirectory, flags: ["--log-level", "info"] }),
  )
  try {
    broker.child.stdout?.destroy()
    await eventually(() => assert.match(broker.stderr, /broker started/))
    assert.deepEqual(await broker.stop("SIGTERM"), { code: 0, signal: null })
    assert.doesNotMatch(broker.stderr, /EPIPE/)
  } finally {
    await broker.stop("SIGKILL")
  }
})

test("the pid file names the process while it runs", async (context) => {
  const folder = temporaryDirectory(context)
  const path = join(folder, "sluice.pid")
  writeFileSync(path, "not a pid\n")
  const broker = await started(context, folder, ["--pidfile", path])
  assert.equal(readFileSync(path, "utf8"), `${String(broker.pid)}\n`)
  const second = new RunningProcess(
    brokerArguments({ dataDirectory: join(folder, "second"), flags: ["--pidfile", path] }),
  )
  assert.deepEqual(await second.exited(), { code: 1, signal: null })
  assert.match(second.stderr, new RegExp(`names process ${String(broker.pid)}, which is running`))
  assert.equal(readFileSync(path, "utf8"), `${String(broker.pid)}\n`)
  await broker.stop()
  assert.ok(!existsSync(path))
})

test("the pid file of a process that is gone is replaced, and one that cannot be written is refused", async (context) => {
  const folder = temporaryDirectory(context)
  const path = join(folder, "sluice.pid")
  const first = await started(context, folder, ["--pidfile", path])
  await first.stop("SIGKILL")
  assert.equal(readFileSync(path, "utf8"), `${String(first.pid)}\n`)
  const second = await started(context, folder, ["--pidfile", path])
  assert.equal(readFileSync(path, "utf8"), `${String(second.pid)}\n`)
  const nowhere = join(folder, "missing", "sluice.pid")
  const refused = new RunningProcess(
    brokerArguments({ dataDirectory: join(folder, "third"), flags: ["--pidfile", nowhere] }),
  )
  assert.deepEqual(await refused.exited(), { code: 1, signal: null })
  assert.match(refused.stderr, /cannot write the pid file .*ENOENT/)
})
