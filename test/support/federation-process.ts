/** A broker process that is set up over its HTTP API, and can be killed and started again. */
import assert from "node:assert/strict"
import type { TestContext } from "node:test"
import { BrokerProcess } from "./broker-process.ts"
import { eventually } from "./eventually.ts"
import { temporaryDirectory } from "./temporary-directory.ts"

interface LinkRow {
  readonly status: string
  readonly error: string | null
}

export class FederationProcess {
  readonly #dataDirectory: string
  #process: BrokerProcess
  #httpPort = 0

  private constructor(dataDirectory: string, process: BrokerProcess) {
    this.#dataDirectory = dataDirectory
    this.#process = process
  }

  static async start(context: TestContext): Promise<FederationProcess> {
    const dataDirectory = temporaryDirectory(context)
    const broker = new FederationProcess(dataDirectory, await run(dataDirectory, 0))
    context.after(() => broker.#process.stop("SIGKILL"))
    await broker.#findHttp()
    return broker
  }

  get url(): string {
    return this.#process.url
  }

  get port(): number {
    return this.#process.port
  }

  async killAndRestart(): Promise<void> {
    const { port } = this.#process
    await this.#process.stop("SIGKILL")
    this.#process = await run(this.#dataDirectory, port)
    await this.#findHttp()
  }

  async #findHttp(): Promise<void> {
    const match = await this.#process.waitForOutput(/Management on http:\/\/127\.0\.0\.1:(\d+)/)
    this.#httpPort = Number(match[1])
  }

  async request(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${String(this.#httpPort)}/api/${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from("guest:guest").toString("base64")}`,
        "content-type": "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    assert.ok(response.ok, `${method} ${path}: ${String(response.status)} ${text}`)
    return text === "" ? null : JSON.parse(text)
  }

  /** Everything of these names comes from that upstream, too. */
  async federate(pattern: string, uri: string, more: Record<string, unknown> = {}): Promise<void> {
    await this.request("PUT", "parameters/federation-upstream/%2f/up", {
      value: { uri, "reconnect-delay": 0.2, ...more },
    })
    await this.request("PUT", "policies/%2f/federate", {
      pattern,
      definition: { "federation-upstream-set": "all" },
    })
  }

  async untilRunning(count: number): Promise<void> {
    await eventually(
      async () => {
        const links = await this.request("GET", "federation-links")
        assert.ok(areLinks(links))
        const errors = links.map(({ error }) => error).join("; ")
        assert.deepEqual(
          links.map(({ status }) => status),
          Array.from({ length: count }, () => "running"),
          errors,
        )
      },
      { timeoutMs: 20_000 },
    )
  }
}

function areLinks(value: unknown): value is readonly LinkRow[] {
  return Array.isArray(value) && value.every((row: unknown) => typeof row === "object")
}

function run(dataDirectory: string, port: number): Promise<BrokerProcess> {
  return BrokerProcess.start({ dataDirectory, port, flags: ["--http-port", "0"] })
}
