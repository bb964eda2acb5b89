/** sluiceperf as a process against the broker: bounded counts, output, exit codes. */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { TestContext } from "node:test"
import { connect } from "amqplib"
import { startBroker } from "../../src/server/start-broker.ts"
import { RunningProcess } from "../support/broker-process.ts"

interface Output {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function broker(context: TestContext): Promise<string> {
  const running = await startBroker({ amqp: { port: 0 } })
  context.after(() => running.close())
  return `amqp://127.0.0.1:${String(running.amqpPort)}`
}

async function perf(...args: string[]): Promise<Output> {
  const child = new RunningProcess(["src/bin/sluiceperf.ts", ...args])
  const { code } = await child.exited()
  return { code, stdout: child.stdout, stderr: child.stderr }
}

async function json(...args: string[]): Promise<Record<string, number>> {
  const { code, stdout, stderr } = await perf(...args, "--json")
  assert.equal(code, 0, stderr)
  assert.equal(stderr, "")
  const result: Record<string, number> = JSON.parse(stdout)
  return result
}

test("bounded runs publish and consume exactly what was asked for", async (context) => {
  const uri = await broker(context)
  const bounds = ["-C", "1003", "-D", "1003"]
  for (const flags of [
    [],
    ["-x", "3", "-y", "2", "-c", "10", "-a", "7", "-P", "20", "-p", "-V"],
    ["-t", "100", "-T", "50", "-u", ""],
    ["-g", "-a", "1", "--threads", "1"],
    ["-e", "amq.topic", "-k", "some.key", "-u", "topic-queue"],
    ["-x", "2", "-y", "4", "--queue-pattern", "p-%", "--queue-pattern-to", "4"],
    ["--random-bodies", "-s", "1000", "--properties", '{"headers":{"a":1}}'],
    ["-s", "300000", "-V", "-C", "50", "-D", "50"],
    ["-R", "2000", "-r", "2000"],
  ]) {
    const result = await json("throughput", "--uri", uri, ...bounds, ...flags)
    const expected = flags.includes("300000") ? 50 : 1003
    assert.equal(result["published"], expected, flags.join(" "))
    assert.equal(result["consumed"], expected, flags.join(" "))
    assert.ok(result["elapsed_seconds"]! > 0 && result["avg_pub_rate"]! > 0)
  }
})

test("latency is measured for every message", async (context) => {
  const uri = await broker(context)
  const result = await json("throughput", "--uri", uri, "-l", "-C", "500", "-D", "500")
  assert.equal(result["latency_count"], 500)
  assert.equal(result["latency_sample_size"], 500)
  assert.ok(result["latency_min_ms"]! > 0)
  assert.ok(result["latency_p99_ms"]! >= result["latency_median_ms"]!)
})

test("messages carry the body, the mode and the properties asked for", async (context) => {
  const uri = await broker(context)
  await json(
    "throughput",
    "--uri",
    uri,
    ..."-y 0 -C 1 -p -s 30 --properties".split(" "),
    '{"content_type":"text/x"}',
    "--queue-args",
    '{"x-max-length":5}',
  )
  const connection = await connect(uri)
  const channel = await connection.createChannel()
  const message = await channel.get("perf-test", { noAck: true })
  await connection.close()
  assert.ok(message !== false)
  assert.equal(message.content.toString(), "@ABCDEFGHIJKLMNOPQRSTUVWXYZ@AB")
  assert.equal(message.properties.deliveryMode, 2)
  assert.equal(message.properties.contentType, "text/x")
})

test("an interrupt ends a run with its summary", async (context) => {
  const uri = await broker(context)
  const child = new RunningProcess(["src/bin/sluiceperf.ts", "throughput", "--uri", uri])
  await child.waitForOutput(/^Publish rate: \d+ msgs\/s Consume rate: \d+ msgs\/s\n/m)
  const { code } = await child.stop("SIGINT")
  assert.equal(code, 0, child.stderr)
  const summary =
    /\nSummary:\nAverage publish rate: \d+ msgs\/s\nAverage consume rate: \d+ msgs\/s\n$/
  assert.match(child.stdout, summary)
})

test("a lost connection is told, and the run goes on when the broker is back", async () => {
  const first = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
  const port = first.amqpPort
  const uri = `amqp://127.0.0.1:${String(port)}`
  const child = new RunningProcess([
    "src/bin/sluiceperf.ts",
    "throughput",
    "--uri",
    uri,
    "-r",
    "100",
  ])
  await child.waitForOutput(/Consume rate: [1-9]/)
  await first.close()
  const second = await startBroker({ amqp: { host: "127.0.0.1", port } })
  const before = child.stdout.length
  await child.waitForOutput(new RegExp(`^[\\s\\S]{${String(before)}}[\\s\\S]*Consume rate: [1-9]`))
  const { code } = await child.stop("SIGINT")
  assert.equal(code, 0)
  assert.match(child.stderr, /publisher 1: .*CONNECTION_FORCED/)
  assert.match(child.stderr, /consumer 1: .*CONNECTION_FORCED/)
  await second.close()
})

test("every other mode works through its iterations", async (context) => {
  const uri = await broker(context)
  for (const [mode, names] of [
    ["bind-churn", ["bind non-durable queue", "bind durable queue"]],
    ["queue-churn", ["transient queue", "durable queue"]],
    ["connection-churn", ["open-close connection and channel"]],
    ["channel-churn", ["open-close channel"]],
    ["consumer-churn", ["consume-cancel"]],
  ] as const) {
    const { code, stdout, stderr } = await perf(mode, "--uri", uri, "-C", "20", "-j")
    assert.equal(code, 0, stderr)
    const rows: { readonly name: string; readonly iterations: number }[] = JSON.parse(stdout)
    assert.deepEqual(
      rows.map(({ name, iterations }) => `${name} ${String(iterations)}`),
      names.map((name) => `${name} 20`),
    )
  }
  const connections = await perf("connection-count", "--uri", uri, ..."-x 120 -c 2 -C 1".split(" "))
  assert.equal(connections.code, 0, connections.stderr)
  assert.match(
    connections.stdout,
    /^\.{100} \d+ ms\n\.{20} \d+ ms\n120 connections 240 channels 240 consumers\n/,
  )
  for (const flags of [[], ["-n"], ["-D", "--arguments", '{"x-expires":60000}']]) {
    const queues = await perf("queue-count", "--uri", uri, "-q", "250", ...flags)
    assert.equal(queues.code, 0, queues.stderr)
    assert.match(queues.stdout, /^\.{3} \d+ ms\n250 queues\nUsing [\d.]+ MiB here\n$/)
  }
})

test("what cannot work ends with one line and exit code 1", async (context) => {
  const uri = await broker(context)
  const wrong = uri.replace("amqp://", "amqp://guest:wrong@")
  for (const [args, pattern] of [
    [["nonsense"], /^sluiceperf: unknown mode 'nonsense'\n$/],
    [["throughput", "--nonsense"], /^sluiceperf: throughput: unknown option '--nonsense'\n$/],
    [["throughput", "--uri", wrong], /^403 ACCESS_REFUSED.*\n$/],
    [["channel-churn", "--uri", wrong], /^403 ACCESS_REFUSED.*\n$/],
    [["throughput", "--uri", "http://x"], /^bad AMQP URI.*\n$/],
    [["queue-count", "--uri", "amqp://127.0.0.1:1"], /ECONNREFUSED/],
  ] as const) {
    const { code, stdout, stderr } = await perf(...args)
    assert.equal(code, 1, stderr)
    assert.match(stderr, pattern)
    assert.equal(stdout, "")
  }
})
