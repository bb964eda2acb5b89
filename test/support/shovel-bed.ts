/** Brokers, clients and shovels of a test. */
import type { TestContext } from "node:test"
import type { ClientChannel } from "../../src/client/channel.ts"
import { AmqpClient } from "../../src/client/client.ts"
import type { ReceivedMessage } from "../../src/client/delivery.ts"
import { PublishTarget } from "../../src/client/publish-target.ts"
import type { BasicProperties } from "../../src/amqp/properties.ts"
import { startBroker } from "../../src/server/start-broker.ts"
import type { BrokerStartOptions, RunningBroker } from "../../src/server/start-broker.ts"

export class ShovelBed {
  readonly running: RunningBroker
  readonly uri: string
  readonly channel: ClientChannel

  constructor(running: RunningBroker, uri: string, channel: ClientChannel) {
    this.running = running
    this.uri = uri
    this.channel = channel
  }

  static async open(context: TestContext, options: BrokerStartOptions = {}): Promise<ShovelBed> {
    const running = await startBroker({ amqp: { port: 0 }, ...options })
    context.after(() => running.close())
    const uri = `amqp://guest:guest@127.0.0.1:${String(running.amqpPort)}`
    return new ShovelBed(running, uri, await openChannel(context, uri))
  }

  get vhost(): NonNullable<ReturnType<RunningBroker["broker"]["vhosts"]["get"]>> {
    return this.running.broker.vhosts.get("/")!
  }

  /** As the management does. */
  async setShovel(name: string, value: Record<string, unknown>): Promise<void> {
    const user = this.running.broker.users.get("guest")
    await this.vhost.parameters.set("shovel", name, value, user)
  }

  count(queue: string): number {
    return this.vhost.queues.get(queue)?.readyCount ?? -1
  }
}

export async function openChannel(context: TestContext, uri: string): Promise<ClientChannel> {
  const connection = await new AmqpClient().connect(uri, { name: "test" })
  context.after(() => connection.close())
  return connection.openChannel()
}

/** Persistent messages `<from>` … , confirmed. */
export async function publishNumbers(
  channel: ClientChannel,
  queue: string,
  count: number,
  from = 0,
  properties: BasicProperties = {},
): Promise<void> {
  await channel.confirmSelect({ window: 1000 })
  const target = new PublishTarget({ routingKey: queue })
  for (let i = from; i < from + count; i++)
    if (!channel.publish(target, Buffer.from(String(i)), { deliveryMode: 2, ...properties }))
      await new Promise<void>((resolve) => {
        channel.onDrain = resolve
      })
  if (channel.unconfirmedCount === 0) return
  await new Promise<void>((resolve) => {
    channel.onConfirm = () => {
      if (channel.unconfirmedCount === 0) resolve()
    }
  })
  channel.onConfirm = null
}

/** Takes all that is in the queue. */
export async function drain(channel: ClientChannel, queue: string): Promise<ReceivedMessage[]> {
  const messages: ReceivedMessage[] = []
  for (;;) {
    const message = await channel.get(queue, { noAck: true })
    if (message === null) return messages
    messages.push(message)
  }
}

export function bodies(messages: readonly ReceivedMessage[]): string[] {
  return messages.map(({ body }) => body.toString())
}
