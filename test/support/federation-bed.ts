/** Brokers of a test that federate each other. */
import type { TestContext } from "node:test"
import assert from "node:assert/strict"
import type { BasicProperties } from "../../src/amqp/properties.ts"
import { Queue } from "../../src/broker/queue/queue.ts"
import type { Vhost } from "../../src/broker/vhost.ts"
import type { ClientChannel } from "../../src/client/channel.ts"
import { PublishTarget } from "../../src/client/publish-target.ts"
import type { FederationLink } from "../../src/links/federation/federation-link.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"
import { eventually } from "./eventually.ts"
import { openChannel } from "./shovel-bed.ts"

export class FederationBed {
  readonly running: RunningBroker
  readonly uri: string
  readonly channel: ClientChannel

  constructor(running: RunningBroker, uri: string, channel: ClientChannel) {
    this.running = running
    this.uri = uri
    this.channel = channel
  }

  /** A broker of that cluster name. */
  static async open(
    context: TestContext,
    clusterName: string,
    options: BrokerStartOptions = {},
  ): Promise<FederationBed> {
    const running = await startBroker({ amqp: { port: 0 }, ...options })
    context.after(() => running.close())
    await running.broker.globalParameters.set("", "cluster_name", clusterName)
    const uri = `amqp://guest:guest@127.0.0.1:${String(running.amqpPort)}`
    return new FederationBed(running, uri, await openChannel(context, uri))
  }

  get vhost(): Vhost {
    return this.running.broker.vhosts.get("/")!
  }

  /** Sets or replaces an upstream. */
  async upstream(name: string, uri: unknown, more: Record<string, unknown> = {}): Promise<void> {
    const value = { uri, "reconnect-delay": 0.2, ...more }
    const user = this.running.broker.users.get("guest")
    await this.vhost.parameters.set("federation-upstream", name, value, user)
  }

  /** From that upstream of that name, or from all of them. */
  async policy(pattern: string, upstream = "", applyTo = "all"): Promise<void> {
    const definition: Record<string, string> =
      upstream === "" ? { "federation-upstream-set": "all" } : { "federation-upstream": upstream }
    await this.vhost.policies.set("federate", { pattern, definition, applyTo })
  }

  get links(): FederationLink[] {
    const { links } = this.running
    assert.ok(links !== null)
    return [...links.federation.links()]
  }

  async untilRunning(count: number): Promise<void> {
    await eventually(() => {
      const states = this.links.map(({ status }) => status.state)
      const errors = this.links.map(({ status }) => status.error).join("; ")
      assert.deepEqual(
        states,
        Array.from({ length: count }, () => "running"),
        errors,
      )
    })
  }

  publish(exchange: string, routingKey: string, body: string, properties?: BasicProperties): void {
    const target = new PublishTarget({ exchange, routingKey })
    this.channel.publish(target, Buffer.from(body), properties)
  }

  /** `key destination` for each binding, `key destination hops` where it came over a link. */
  bindings(exchange: string): string[] {
    const found: string[] = []
    this.vhost.exchange(exchange).bindings.forEach(({ name }, key) => found.push(`${key} ${name}`))
    return found.toSorted()
  }

  count(queue: string): number {
    return this.vhost.queues.get(queue)?.readyCount ?? -1
  }

  queue(name: string): Queue {
    const queue = this.vhost.queues.get(name)
    assert.ok(queue instanceof Queue)
    return queue
  }
}
