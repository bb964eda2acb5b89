/** The log exchanges over restarts, with and without the option that makes them. */
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { connect } from "amqplib"
import { BrokerProcess } from "../support/broker-process.ts"
import { eventually } from "../support/eventually.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

test("a bound queue keeps its binding, and exchanges without one go with the option", async (context) => {
  const dataDirectory = join(temporaryDirectory(context), "data")
  const start = async (...flags: string[]): Promise<BrokerProcess> => {
    const broker = await BrokerProcess.start({ dataDirectory, flags })
    context.after(() => broker.stop("SIGKILL"))
    return broker
  }
  const first = await start("--log-exchange", "true")
  const connection = await connect(first.url)
  const channel = await connection.createChannel()
  await channel.assertQueue("log", { durable: true })
  await channel.bindQueue("log", "amq.rabbitmq.log", "info")
  const other = await connect(first.url, { clientProperties: { connection_name: "shop" } })
  await other.close()
  const opened = await eventually(async () => {
    const message = await channel.get("log", { noAck: true })
    assert.ok(message !== false && message.content.includes("connection opened"))
    return message
  })
  assert.match(opened.content.toString(), /\[info\] connection opened .*client=shop/)
  assert.equal(opened.properties.contentType, "text/plain")
  assert.equal(opened.properties.headers?.["source"], "connection")
  await connection.close()
  await first.stop()
  const second = await start()
  const later = await connect(second.url)
  const checking = await later.createChannel()
  checking.on("error", () => {})
  await checking.checkExchange("amq.rabbitmq.log")
  await assert.rejects(checking.checkExchange("amq.lavinmq.log"), /no exchange 'amq.lavinmq.log'/)
  await later.close()
  await second.stop()
})
