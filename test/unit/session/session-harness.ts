/**
 * A broker around one connection, without sockets, disk and waiting: turns end when the test says so,
 * and the queues only note what is appended to them.
 */
import assert from "node:assert/strict"
import { PROTOCOL_HEADER } from "../../../src/amqp/frames.ts"
import { EMPTY_TABLE } from "../../../src/amqp/table.ts"
import { UserStore } from "../../../src/auth/users.ts"
import { Broker } from "../../../src/broker/broker.ts"
import { Queue } from "../../../src/broker/queue/queue.ts"
import { UserLimits } from "../../../src/broker/limits.ts"
import type { CommitFailure } from "../../../src/broker/commit-scope.ts"
import { Parameters } from "../../../src/broker/parameters.ts"
import { Turn } from "../../../src/broker/turn.ts"
import { Vhost } from "../../../src/broker/vhost.ts"
import { Connection } from "../../../src/session/connection.ts"
import { OutboxPool } from "../../../src/session/outbox.ts"
import type { IncomingMessage } from "../../../src/storage/message.ts"
import type { MessageStore } from "../../../src/storage/message-store.ts"
import { ManualClock } from "../../../src/util/clock.ts"
import { silentLogger } from "../../../src/util/logger.ts"
import { systemRandom } from "../../../src/util/random.ts"
import { SettledMoves } from "../../../src/broker/settled-moves.ts"
import { TimerWheel } from "../../../src/util/timer-wheel.ts"
import { methodFrame, parseMethod, type Frame } from "../../support/wire-frames.ts"
import { MemoryDocument } from "../auth/memory-document.ts"
import { FakeTransport } from "./support.ts"

/** A message as a queue got it. */
export interface Recorded {
  readonly queue: string
  readonly route: string
  readonly properties: string
  readonly body: string
  readonly persistent: boolean
}

/** Ends of turns are the test's business. */
class HandClock extends ManualClock {
  override setImmediate(): void {}
}

/** Rounds of a disk that the test ends by hand. Every turn with durable work asks for one. */
export class FakeCommit {
  completedRound = 0
  lastRound = 0
  isTouched = false

  request(): number {
    if (!this.isTouched) return this.completedRound
    this.isTouched = false
    return ++this.lastRound
  }
}

export interface HarnessOptions {
  readonly frameMax?: number
  readonly maxMessageSize?: number
  readonly capabilities?: boolean
  readonly transport?: FakeTransport
  /** Makes the stores of queues. Default: stores that record what is appended. */
  readonly openStore?: (queue: Queue) => MessageStore
}

export class Harness {
  readonly transport: FakeTransport
  readonly clock = new HandClock()
  readonly commit = new FakeCommit()
  readonly turn = new Turn(this.clock, this.commit, () => {})
  readonly recorded: Recorded[] = []
  readonly definitions: Buffer[] = []
  readonly vhost: Vhost
  readonly broker: Broker
  readonly connection: Connection
  /** Thrown by the definitions log, if set. */
  definitionsError: Error | null = null

  private constructor(users: UserStore, options: HarnessOptions) {
    this.transport = options.transport ?? new FakeTransport()
    this.vhost = new Vhost("/", {
      turn: this.turn,
      clock: this.clock,
      timers: new TimerWheel(this.clock),
      random: systemRandom,
      log: silentLogger,
      openDocument: () => new MemoryDocument(null),
      settledMoves: new SettledMoves(this.turn, () => false),
      openDelayStore: () => {
        throw new Error("no exchange delays here")
      },
      openDeliveryCounts: () => assert.fail("no test counts deliveries here"),
      openStore: options.openStore ?? ((queue) => this.#recordingStore(queue)),
      logDefinition: (frame) => {
        if (this.definitionsError !== null) throw this.definitionsError
        this.definitions.push(frame)
        this.commit.isTouched = true
        return true
      },
      hasFailedWrites: false,
      isHitBy: (failure) => failure.hits("definitions"),
      isHitSince: (failure, round) => failure.hitsSince("definitions", round),
      openStreamStore: () => assert.fail("no streams here"),
      stalled: () => {},
      reopenStore: () => assert.fail("no queue is restarted here"),
      wentEmpty: () => {},
    })
    this.broker = new Broker({
      clock: this.clock,
      random: systemRandom,
      log: silentLogger,
      turn: this.turn,
      users,
      userLimits: new UserLimits(new MemoryDocument(null)),
      globalParameters: new Parameters(new MemoryDocument(null)),
      clusterName: "test",
    })
    this.broker.vhosts.set("/", this.vhost)
    this.connection = new Connection(1, this.broker, this.transport, new OutboxPool(), {
      frameMax: 131_072,
      channelMax: 2047,
      heartbeatSeconds: 60,
      maxMessageSize: options.maxMessageSize ?? 1 << 20,
      productVersion: "0.0.0",
    })
  }

  /** Logged in, with channels 1 and 2 open. */
  static async open(options: HarnessOptions = {}): Promise<Harness> {
    const users = new UserStore({ document: new MemoryDocument(null), random: systemRandom })
    await users.load()
    const harness = new Harness(users, options)
    const capabilities = new Map([["connection.blocked", options.capabilities ?? false]])
    harness.receive(
      PROTOCOL_HEADER,
      methodFrame("connection.start-ok", 0, {
        clientProperties: new Map([["capabilities", capabilities]]),
        mechanism: "PLAIN",
        response: Buffer.from("\0guest\0guest"),
      }),
      methodFrame("connection.tune-ok", 0, {
        channelMax: 2047,
        frameMax: options.frameMax ?? 131_072,
        heartbeat: 60,
      }),
      methodFrame("connection.open", 0, { vhost: "/" }),
      methodFrame("channel.open", 1),
      methodFrame("channel.open", 2),
    )
    harness.endTurn()
    assert.equal(harness.connection.openChannelCount, 2)
    harness.frames()
    return harness
  }

  /** A durable queue. */
  declare(name: string): Queue {
    const flags = { durable: true, exclusive: false, autoDelete: false, arguments: EMPTY_TABLE }
    const queue = this.vhost.declareQueue({ name, ...flags }, null)
    assert.ok(queue instanceof Queue)
    return queue
  }

  /** One chunk from the socket, in memory of its own. */
  receive(...parts: Uint8Array[]): void {
    const bytes = Buffer.concat(parts)
    this.connection.onData(Buffer.from(Uint8Array.prototype.slice.call(bytes).buffer))
  }

  endTurn(): void {
    this.turn.run()
  }

  /** Ends the commit rounds up to the last one that was asked for. */
  completeRounds(failure: CommitFailure | null = null): void {
    while (this.commit.completedRound < this.commit.lastRound) {
      this.commit.completedRound++
      this.broker.commitRoundCompleted(this.commit.completedRound, failure)
    }
  }

  /** Frames that were sent since the last call. */
  frames(): Frame[] {
    const bytes = this.transport.takeSent()
    this.transport.complete()
    const rest = this.transport.takeSent() // What had waited for the writes before it.
    return parseFrames(Buffer.concat([bytes, rest]))
  }

  /** `channel name` of the methods sent since the last call; for errors with their code. */
  methods(): string[] {
    const names: string[] = []
    for (const { type, channel, payload } of this.frames()) {
      if (type !== 1) continue
      const method = parseMethod(payload)
      const code = method?.args["replyCode"]
      const shown = typeof code === "number" ? ` ${code}` : ""
      names.push(`${channel} ${method?.name ?? "?"}${shown}`)
    }
    return names
  }

  takeRecorded(): Recorded[] {
    return this.recorded.splice(0)
  }

  #recordingStore(queue: Queue): MessageStore {
    const append = (message: IncomingMessage): boolean => {
      this.recorded.push(record(queue.name, message))
      if (message.persistent) this.commit.isTouched = true
      return true
    }
    const store = {
      readyCount: 0,
      unackedCount: 0,
      append,
      appendRun: (message: IncomingMessage, count: number, stride: number): number => {
        for (let i = 0; i < count; i++) {
          append(message)
          message.bodyStart += stride
          message.bodyEnd += stride
        }
        return count
      },
      delete: () => {},
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- All that publishing needs of it.
    return store as unknown as MessageStore
  }
}

function record(queue: string, message: IncomingMessage): Recorded {
  const { route, properties, body } = message
  return {
    queue,
    route: route.bytes.toString("latin1", message.routeStart, message.routeEnd),
    properties: properties.bytes.toString("hex", message.propertiesStart, message.propertiesEnd),
    body: body.bytes.toString("latin1", message.bodyStart, message.bodyEnd),
    persistent: message.persistent,
  }
}

export function parseFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  let at = 0
  while (at < bytes.length) {
    const size = bytes.readUInt32BE(at + 3)
    const payload = bytes.subarray(at + 7, at + 7 + size)
    assert.equal(bytes[at + 7 + size], 0xce)
    frames.push({ type: bytes[at]!, channel: bytes.readUInt16BE(at + 1), payload })
    at += 8 + size
  }
  return frames
}
