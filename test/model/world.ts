/**
 * A whole broker on a disk in memory whose turns, syncs and clock move by hand, with clients that are
 * attached without sockets. After advance() nothing is under way any more, so that a test can say
 * exactly what must have arrived.
 */
import assert from "node:assert/strict"
import { PROTOCOL_HEADER } from "../../src/amqp/frames.ts"
import { startBroker, type RunningBroker } from "../../src/server/start-broker.ts"
import { Connection } from "../../src/session/connection.ts"
import { OutboxPool } from "../../src/session/outbox.ts"
import { MemoryDisk } from "../../src/storage/memory-disk.ts"
import { ManualClock } from "../../src/util/clock.ts"
import type { MethodArguments } from "../../src/amqp/generated/methods.ts"
import { methodFrame, parseMethod, type MethodName } from "../support/wire-frames.ts"
import { parseFrames } from "../unit/session/session-harness.ts"
import { FakeTransport } from "../unit/session/support.ts"

/** A method that a client received, with its content. */
export interface Received {
  readonly name: MethodName
  readonly channel: number
  readonly args: Readonly<Record<string, unknown>>
  body: Buffer
}

class HandClock extends ManualClock {
  /** Turns end by World.advance. */
  override setImmediate(): void {}
}

export class Client {
  readonly connection: Connection
  readonly #transport = new FakeTransport()
  #incomplete: { readonly message: Received; size: number } | null = null

  constructor(running: RunningBroker, id: number) {
    this.connection = new Connection(id, running.broker, this.#transport, new OutboxPool(), {
      frameMax: 131_072,
      channelMax: 2047,
      heartbeatSeconds: 0,
      maxMessageSize: 16 << 20,
      productVersion: "0.0.0",
    })
    this.sendBytes(
      PROTOCOL_HEADER,
      methodFrame("connection.start-ok", 0, {
        mechanism: "PLAIN",
        response: Buffer.from("\0guest\0guest"),
      }),
      methodFrame("connection.tune-ok", 0, { channelMax: 2047, frameMax: 131_072, heartbeat: 0 }),
      methodFrame("connection.open", 0, { vhost: "/" }),
    )
  }

  send<N extends MethodName>(
    name: N,
    channel: number,
    args: Partial<MethodArguments[N]> = {},
  ): void {
    this.sendBytes(methodFrame(name, channel, args))
  }

  /** In one chunk, as far as the broker sees it. */
  sendBytes(...parts: readonly Buffer[]): void {
    this.connection.onData(Buffer.concat(parts))
  }

  /** The stream breaks. */
  vanish(): void {
    this.connection.onClosed()
  }

  /** Methods received since the last call, in order over all channels. */
  receive(): Received[] {
    const received: Received[] = []
    while (this.#transport.callbacks.length > 0) {
      for (const frame of parseFrames(this.#transport.takeSent())) {
        const { type, channel, payload } = frame
        if (type === 1) this.#onMethod(channel, payload, received)
        else if (type === 2) {
          this.#incomplete!.size = Number(payload.readBigUInt64BE(4))
          this.#finishContent(received)
        } else {
          const { message } = this.#incomplete!
          message.body = Buffer.concat([message.body, payload])
          this.#finishContent(received)
        }
      }
      this.#transport.complete()
    }
    return received
  }

  #onMethod(channel: number, payload: Buffer, received: Received[]): void {
    const method = parseMethod(payload)
    assert.ok(method !== null)
    const message = { name: method.name, channel, args: method.args, body: Buffer.alloc(0) }
    const hasContent = message.name === "basic.deliver" || message.name === "basic.get-ok"
    if (hasContent) this.#incomplete = { message, size: 0 }
    else received.push(message)
  }

  #finishContent(received: Received[]): void {
    const { message, size } = this.#incomplete!
    if (message.body.length < size) return
    received.push(message)
    this.#incomplete = null
  }
}

export class World {
  running!: RunningBroker
  clock = new HandClock()
  readonly #syncs: (() => void)[] = []
  #holdsSyncs = false
  readonly #disk = new MemoryDisk({
    schedule: (callback) => {
      if (this.#holdsSyncs) this.#syncs.push(callback)
      else queueMicrotask(callback)
    },
  })
  readonly #clients: Client[] = []
  #lastId = 0

  async start(): Promise<void> {
    this.clock = new HandClock(this.clock.nowMs)
    this.#holdsSyncs = false
    this.running = await startBroker({
      disk: this.#disk,
      clock: this.clock,
      amqp: { port: 0 },
      segmentSizeBytes: 64 << 10,
    })
    this.#holdsSyncs = true
  }

  /** All clients are gone; nothing is lost. */
  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.vanish()
    this.#holdsSyncs = false
    const closing = this.running.close()
    for (const callback of this.#syncs.splice(0)) callback()
    await closing // Once more does no harm.
  }

  connect(): Client {
    const client = new Client(this.running, ++this.#lastId)
    this.#clients.push(client)
    return client
  }

  /** Lets the disk finish the syncs that are under way. */
  async finishSyncs(): Promise<void> {
    do {
      for (const callback of this.#syncs.splice(0)) callback()
      // A round ends in a microtask, and the next one may begin in it.
      for (let i = 0; i < 4; i++) await Promise.resolve()
      this.running.broker.turn.run()
    } while (this.#syncs.length > 0)
  }

  /** Ends turns until all clients have got all that they can get. */
  async advance(onReceived: (client: Client, received: Received) => void): Promise<void> {
    for (let idleCount = 0; idleCount < 2;) {
      this.running.broker.turn.run()
      // A round without syncs ends in a microtask.
      await Promise.resolve()
      let count = 0
      for (const client of this.#clients)
        for (const received of client.receive()) {
          onReceived(client, received)
          count++
        }
      idleCount = count === 0 ? idleCount + 1 : 0
    }
  }
}
