/** A client whose server is the test: what it sends is collected, what it receives is fed by hand. */
import { encodeContent } from "../../../src/amqp/content.ts"
import * as m from "../../../src/amqp/generated/methods.ts"
import { AmqpClient } from "../../../src/client/client.ts"
import type { ClientChannel } from "../../../src/client/channel.ts"
import type { ClientConnection } from "../../../src/client/connection.ts"
import type { ConnectOptions } from "../../../src/client/options.ts"
import type { ClientTransport, TransportCallbacks } from "../../../src/client/transport.ts"
import { Chunk } from "../../../src/util/bytes.ts"
import { ManualClock } from "../../../src/util/clock.ts"

export class ScriptedTransport implements ClientTransport {
  writableLength = 0
  /** False: bytes stay in `writableLength` until take(). */
  isTaking = true
  keepsBytes = true
  sent: Buffer[] = []
  isPaused = false
  isEnded = false
  isDestroyed = false
  callbacks!: TransportCallbacks
  #waiting: (() => void)[] = []

  write(bytes: Uint8Array, done?: () => void): void {
    if (this.keepsBytes) this.sent.push(Buffer.from(bytes))
    if (!this.isTaking) this.writableLength += bytes.length
    if (done !== undefined) this.#waiting.push(done)
  }

  /** The kernel has taken all. */
  take(): void {
    this.writableLength = 0
    for (const done of this.#waiting.splice(0)) done()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  end(): void {
    this.isEnded = true
  }

  destroy(): void {
    this.isDestroyed = true
  }

  feed(...frames: readonly Uint8Array[]): void {
    const bytes = Buffer.from(Buffer.concat(frames))
    this.callbacks.onChunk(new Chunk(bytes), bytes.length)
  }

  get sentBytes(): Buffer {
    return Buffer.concat(this.sent)
  }
}

export interface Scripted {
  readonly transport: ScriptedTransport
  readonly connection: ClientConnection
  readonly clock: ManualClock
}

/** The connection is dialled, and nothing was said yet. */
export function dial(options: ConnectOptions = {}): Scripted {
  const transport = new ScriptedTransport()
  const clock = new ManualClock()
  const dialer = {
    dial: (_: unknown, callbacks: TransportCallbacks): ClientTransport => {
      transport.callbacks = callbacks
      return transport
    },
  }
  const { connection } = new AmqpClient({ clock, dialer }).start(options)
  transport.callbacks.onOpen()
  return { transport, connection, clock }
}

export const START = Buffer.from(
  m.writeConnectionStart(0, {
    versionMajor: 0,
    versionMinor: 9,
    serverProperties: new Map(),
    mechanisms: Buffer.from("PLAIN EXTERNAL"),
    locales: Buffer.from("en_US"),
  }),
)

export function tune(heartbeat = 0): Buffer {
  return Buffer.from(m.writeConnectionTune(0, { channelMax: 100, frameMax: 131_072, heartbeat }))
}

export const OPEN_OK = Buffer.from(m.writeConnectionOpenOk(0))

export async function openConnection(
  options: ConnectOptions = {},
  heartbeat = 0,
): Promise<Scripted> {
  const scripted = dial(options)
  scripted.transport.feed(START, tune(heartbeat), OPEN_OK)
  await scripted.connection.opened
  await turn()
  scripted.transport.sent = []
  return scripted
}

export async function openChannel({ transport, connection }: Scripted): Promise<ClientChannel> {
  const opening = connection.openChannel()
  transport.feed(m.writeChannelOpenOk(1))
  return opening
}

/** One turn of the event loop: what was written is flushed. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

export function deliver(body: string | Buffer, consumerTag = "c", deliveryTag = 1): Buffer {
  return encodeContent(
    1,
    m.writeBasicDeliver(1, {
      consumerTag,
      deliveryTag,
      redelivered: false,
      exchange: "x",
      routingKey: "key",
    }),
    Buffer.from([0x10, 0, 2]),
    Buffer.from(body),
    131_072,
  )
}
