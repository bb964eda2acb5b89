/** The programs that the documents show, run as a reader would run them. */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { test } from "node:test"
import { pathToFileURL } from "node:url"
import { startBroker } from "../../src/server/start-broker.ts"
import { CertificateAuthority } from "../support/certificates.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

/** Inside the project, so that `import "amqplib"` finds the package. */
const FOLDER = ".cache/documents"
const LIBRARY = pathToFileURL(resolve("src/server/start-broker.ts")).href

function programs(path: string): string[] {
  const blocks = readFileSync(path, "utf8").matchAll(/```js\n([\s\S]*?)```/g)
  return Array.from(blocks, ([, code]) => code!)
}

/** `directory` is where the program runs; its packages come from where it lies. */
async function runProgram(name: string, code: string, directory: string): Promise<string> {
  mkdirSync(FOLDER, { recursive: true })
  const path = resolve(FOLDER, `${name}.mjs`)
  writeFileSync(path, code)
  const child = spawn(process.execPath, [path], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "" },
    timeout: 20_000,
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text))
  const [status]: unknown[] = await once(child, "close")
  rmSync(path)
  assert.equal(status, 0, `${name} failed:\n${output}`)
  return output
}

const PAGES = [
  "README.md",
  "docs/consumer-timeout.md",
  "docs/consumers.md",
  "docs/dead-lettering.md",
  "docs/delayed-messages.md",
  "docs/direct-reply-to.md",
  "docs/embedding.md",
  "docs/exchanges.md",
  "docs/getting-started.md",
  "docs/length-limits.md",
  "docs/limits.md",
  "docs/policies.md",
  "docs/priority-queues.md",
  "docs/queue-types.md",
  "docs/streams.md",
  "docs/ttl.md",
  "docs/users.md",
  "docs/vhosts.md",
]

for (const path of PAGES)
  test(`the programs in ${path} work`, async (context) => {
    const directory = temporaryDirectory(context)
    new CertificateAuthority(directory).issueFiles("server")
    const broker = await startBroker({ amqp: { host: "127.0.0.1", port: 0 } })
    const blocks = programs(path)
    assert.ok(blocks.length > 0, "no program found")
    try {
      for (const [index, block] of blocks.entries()) {
        const code = block
          .replaceAll(/127\.0\.0\.1(?::5672)?(?=")/g, `127.0.0.1:${String(broker.amqpPort)}`)
          .replaceAll('"sluice"', JSON.stringify(LIBRARY))
          .replaceAll("/run/app", directory)
        // A program that shows a consumer does not end; a reader would press Ctrl-C.
        const isEndless = !code.includes("close()")
        const end = isEndless ? "\nawait connection.close()\n" : ""
        const output = await runProgram(
          `${path.replaceAll(/\W/g, "-")}-${String(index)}`,
          code + end,
          directory,
        )
        if (code.includes("greetings")) assert.equal(output, "hello\n")
      }
    } finally {
      await broker.close()
    }
  })
