/** A proxy before a server of TCP that can swallow everything, or cut its connections. */
import { connect, createServer } from "node:net"
import type { Server, Socket } from "node:net"
import type { TestContext } from "node:test"

export class DroppingProxy {
  readonly #swallowed = new WeakSet<Socket>()
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  readonly #target: () => number
  readonly #server = createServer((near) => this.#accept(near))

  constructor(target: () => number) {
    this.#target = target
  }

  async listen(context: TestContext): Promise<number> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, "127.0.0.1", resolve)
    })
    context.after(() => {
      this.cut()
      this.#server.close()
    })
    return portOf(this.#server)
  }

  /** What comes over the connections that are open now goes nowhere, and nobody is told. */
  swallow(): void {
    for (const pair of this.#pairs) for (const socket of pair) this.#swallowed.add(socket)
  }

  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy()
      far.destroy()
    }
  }

  #accept(near: Socket): void {
    const far = connect(this.#target(), "127.0.0.1")
    const pair = [near, far] as const
    this.#pairs.add(pair)
    this.#pass(near, far)
    this.#pass(far, near)
    const end = (): void => {
      this.#pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    for (const socket of pair) socket.on("close", end).on("error", end)
  }

  #pass(from: Socket, to: Socket): void {
    from.on("data", (bytes) => {
      if (this.#swallowed.has(from) || to.destroyed) return
      if (!to.write(bytes)) from.pause()
    })
    to.on("drain", () => from.resume())
  }
}

export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the server has no port")
  return address.port
}
