/**
 * A broker with things to look at: vhosts, users, queues, policies, links, and clients that publish and
 * consume all the time. For pictures of the management UI (scripts/screenshot-ui.ts) and for trying it:
 * `node scripts/demo-broker.ts` prints where it is and runs until Ctrl-C.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { AmqpClient } from "../src/client/client.ts"
import type { ClientChannel } from "../src/client/channel.ts"
import { PublishTarget } from "../src/client/publish-target.ts"
import { startBroker } from "../src/server/start-broker.ts"

export interface DemoBroker {
  /** `http://127.0.0.1:40000` */
  readonly url: string
  readonly amqpPort: number
  close(): Promise<void>
}

const VHOST = "shop"
const WORKERS = ["emails", "invoices", "stock", "search-index", "recommendations", "thumbnails"]

async function call(url: string, line: string, body?: unknown): Promise<void> {
  const [method = "", path = ""] = line.split(" ")
  const response = await fetch(`${url}/api/${path}`, {
    method,
    headers: {
      authorization: `Basic ${btoa("guest:guest")}`,
      "content-type": "application/json",
    },
    body: body === undefined ? null : JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${line}: ${String(response.status)} ${await response.text()}`)
}

const EVERYTHING = { configure: ".*", write: ".*", read: ".*" }

const ADMINISTRATION: readonly (readonly [line: string, body: unknown])[] = [
  [
    `PUT vhosts/${VHOST}`,
    { description: "The web shop", tags: "production", protected_from_deletion: true },
  ],
  ["PUT vhosts/staging", { description: "For trying things" }],
  ["PUT users/shop-web", { password: "shop-web", tags: [] }],
  ["PUT users/shop-workers", { password: "shop-workers", tags: [] }],
  ["PUT users/grafana", { password: "grafana", tags: ["monitoring"] }],
  ["PUT users/deploy", { password: "deploy", tags: ["policymaker", "management"] }],
  ["PUT users/alice", { password: "alice", tags: ["administrator"] }],
  [`PUT permissions/${VHOST}/shop-web`, { configure: "", write: "^(orders|events)$", read: "" }],
  [`PUT permissions/${VHOST}/shop-workers`, { configure: "^$", write: ".*", read: ".*" }],
  [`PUT permissions/${VHOST}/deploy`, EVERYTHING],
  [`PUT permissions/${VHOST}/alice`, EVERYTHING],
  ["PUT permissions/staging/deploy", EVERYTHING],
  [
    `PUT topic-permissions/${VHOST}/shop-web`,
    { exchange: "orders", write: "^order\\.", read: ".*" },
  ],
  [`PUT vhost-limits/${VHOST}/max-connections`, { value: 500 }],
  [`PUT vhost-limits/${VHOST}/max-queues`, { value: 200 }],
  ["PUT user-limits/shop-web/max-channels", { value: 100 }],
  [`PUT exchanges/${VHOST}/orders`, { type: "topic", durable: true }],
  [`PUT exchanges/${VHOST}/events`, { type: "fanout", durable: true }],
  [`PUT exchanges/${VHOST}/dead-letters`, { type: "fanout", durable: true }],
  [
    `PUT exchanges/${VHOST}/reminders`,
    { type: "direct", arguments: { "x-delayed-exchange": true } },
  ],
  [`PUT queues/${VHOST}/orders.new`, { durable: true }],
  [`PUT queues/${VHOST}/orders.paid`, { durable: true, arguments: { "x-max-priority": 5 } }],
  [`PUT queues/${VHOST}/orders.failed`, { durable: true }],
  [`PUT queues/${VHOST}/reports`, { durable: true }],
  [
    `PUT queues/${VHOST}/history`,
    { durable: true, arguments: { "x-queue-type": "stream", "x-max-age": "7D" } },
  ],
  ...WORKERS.map((name) => [`PUT queues/${VHOST}/work.${name}`, { durable: true }] as const),
  [
    `PUT policies/${VHOST}/dead-letters`,
    {
      pattern: "^orders\\.(new|paid)$",
      "apply-to": "queues",
      priority: 5,
      definition: { "dead-letter-exchange": "dead-letters", "delivery-limit": 10 },
    },
  ],
  [
    `PUT policies/${VHOST}/work`,
    {
      pattern: "^work\\.",
      "apply-to": "queues",
      definition: { "max-length": 100_000, overflow: "reject-publish" },
    },
  ],
  [
    `PUT operator-policies/${VHOST}/ceiling`,
    { pattern: "", "apply-to": "queues", definition: { "max-length-bytes": 1_073_741_824 } },
  ],
  [`POST bindings/${VHOST}/e/orders/q/orders.new`, { routing_key: "order.new" }],
  [`POST bindings/${VHOST}/e/orders/q/orders.paid`, { routing_key: "order.paid" }],
  [`POST bindings/${VHOST}/e/orders/q/history`, { routing_key: "order.#" }],
  [`POST bindings/${VHOST}/e/orders/e/events`, { routing_key: "order.*" }],
  [`POST bindings/${VHOST}/e/dead-letters/q/orders.failed`, { routing_key: "" }],
  [`POST bindings/${VHOST}/e/events/q/reports`, { routing_key: "" }],
  ...WORKERS.map(
    (name) => [`POST bindings/${VHOST}/e/events/q/work.${name}`, { routing_key: "" }] as const,
  ),
  [
    `PUT parameters/shovel/${VHOST}/reports-to-staging`,
    {
      value: {
        "src-uri": `amqp:///${VHOST}`,
        "src-queue": "reports",
        "dest-uri": "amqp:///staging",
        "dest-queue": "reports",
        "ack-mode": "on-confirm",
      },
    },
  ],
  [
    `PUT parameters/federation-upstream/${VHOST}/warehouse`,
    {
      value: {
        uri: "amqps://shop:secret@warehouse.example/shop",
        "prefetch-count": 500,
        expires: 3_600_000,
        "ack-mode": "on-confirm",
      },
    },
  ],
  ["PUT global-parameters/cluster_name", { value: "shop" }],
]

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

/** So many messages each second, a few at a time. */
function publishing(
  channel: ClientChannel,
  perSecond: number,
  publish: (index: number) => void,
): NodeJS.Timeout {
  let index = 0
  return setInterval(() => {
    for (let i = 0; i < perSecond / 10 && channel.isOpen && channel.canPublish; i++)
      publish(index++)
  }, 100)
}

async function startTraffic(port: number): Promise<() => Promise<void>> {
  const client = new AmqpClient()
  const connect = (user: string, name: string): ReturnType<typeof client.connect> =>
    client.connect(`amqp://${user}:${user}@127.0.0.1:${String(port)}/${VHOST}`, { name })
  const web = await connect("shop-web", "shop-web 1")
  const orders = await web.openChannel()
  await orders.confirmSelect({ window: 1000 })
  const targets = ["order.new", "order.paid", "order.sent"].map(
    (routingKey) => new PublishTarget({ exchange: "orders", routingKey }),
  )
  const timers = [
    publishing(orders, 180, (index) => {
      const target = targets[index % targets.length]
      const body = encode({
        order: 10_000 + index,
        customer: `c-${String(index % 97)}`,
        total: 19.9,
        currency: "EUR",
      })
      if (target !== undefined)
        orders.publish(target, body, {
          contentType: "application/json",
          deliveryMode: 2,
          messageId: `m-${String(index)}`,
          headers: new Map([["tenant", index % 2 === 0 ? "de" : "fr"]]),
        })
    }),
  ]
  const connections = [web]
  for (const [index, name] of [
    "orders.new",
    "orders.paid",
    ...WORKERS.map((one) => `work.${one}`),
  ].entries()) {
    if (name === "work.recommendations") continue
    const connection = await connect("shop-workers", `${name} worker`)
    connections.push(connection)
    const channel = await connection.openChannel()
    await channel.qos(50)
    let count = 0
    await channel.consume(name, {
      consumerTag: `${name}-${String(index)}`,
      onDelivery({ deliveryTag }) {
        count++
        // Slow ones hold some messages; now and then one cannot be handled.
        const isBad = name.startsWith("orders") && count % 40 === 0
        setTimeout(
          () => (isBad ? channel.reject(deliveryTag, false) : channel.ack(deliveryTag)),
          20 + 30 * index,
        )
      },
    })
  }
  return async () => {
    for (const timer of timers) clearInterval(timer)
    await Promise.all(connections.map((connection) => connection.close()))
  }
}

export async function startDemo(): Promise<DemoBroker> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "sluice-demo-"))
  const running = await startBroker({
    dataDirectory,
    amqp: { port: 0 },
    http: { port: 0 },
    logLevel: "info",
    logFile: join(dataDirectory, "sluice.log"),
  })
  const url = `http://127.0.0.1:${String(running.http?.port)}`
  for (const [line, body] of ADMINISTRATION) await call(url, line, body)
  const stopTraffic = await startTraffic(running.amqpPort)
  return {
    url,
    amqpPort: running.amqpPort,
    async close() {
      await stopTraffic()
      await running.close()
      rmSync(dataDirectory, { recursive: true, force: true })
    },
  }
}

if (import.meta.main) {
  const demo = await startDemo()
  console.log(`management UI: ${demo.url} (guest, guest)\nAMQP: port ${String(demo.amqpPort)}`)
  process.once("SIGINT", () => void demo.close())
  process.once("SIGTERM", () => void demo.close())
}
