import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { formatHelp, parseArguments } from "../../../src/config/arguments.ts"
import { OPTIONS } from "../../../src/config/options.ts"
import type { Config } from "../../../src/config/options.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

function configOf(argv: readonly string[], env: Record<string, string> = {}): Config {
  const invocation = parseArguments(argv, env)
  if (invocation.kind !== "run") assert.fail(JSON.stringify(invocation))
  return invocation.config
}

function errorOf(argv: readonly string[], env: Record<string, string> = {}): string {
  const invocation = parseArguments(argv, env)
  if (invocation.kind !== "error") assert.fail(JSON.stringify(invocation))
  return invocation.message
}

test("without flags every option has its default", () => {
  const defaults = Object.entries(OPTIONS).map(([name, entry]) => [name, entry.default] as const)
  assert.deepEqual(configOf([]), { ...Object.fromEntries(defaults), sni: [] })
})

test("flags are accepted in every usual spelling", () => {
  assert.equal(configOf(["-D", "a"]).dataDir, "a")
  assert.equal(configOf(["-Da"]).dataDir, "a")
  assert.equal(configOf(["--data-dir", "a"]).dataDir, "a")
  assert.equal(configOf(["--data-dir=a"]).dataDir, "a")
  assert.equal(configOf(["-p0"]).amqpPort, 0)
  assert.equal(configOf(["--no-sync"]).sync, false)
  assert.equal(configOf(["-l", "WARN"]).logLevel, "warn")
})

test("a declaration that differs is refused unless something else is said", () => {
  assert.equal(configOf([]).declareMismatch, "strict")
  assert.equal(configOf(["--declare-mismatch", "adopt"]).declareMismatch, "adopt")
  assert.equal(configOf([], { SLUICE_DECLARE_MISMATCH: "adopt" }).declareMismatch, "adopt")
})

test("a flag wins over the environment, which wins over the default", () => {
  const env = { SLUICE_DATADIR: "env", SLUICE_SYNC: "no", SLUICE_AMQP_PORT: "" }
  assert.equal(configOf([], env).dataDir, "env")
  assert.equal(configOf([], env).sync, false)
  assert.equal(configOf([], env).amqpPort, 5672)
  assert.equal(configOf(["-D", "flag"], env).dataDir, "flag")
})

test("bind addresses add up, and brackets are taken off", () => {
  assert.deepEqual(configOf(["-b", "10.0.0.1,[::1]", "--bind", "broker-1"]).bind, [
    "10.0.0.1",
    "::1",
    "broker-1",
  ])
  assert.deepEqual(configOf(["-b", "::"]).bind, ["::"])
})

test("of a flag given twice the last one counts", () => {
  assert.equal(configOf(["-p", "1", "-p", "2"]).amqpPort, 2)
})

test("sizes take units", () => {
  assert.equal(configOf(["--free-disk-min", "500"]).freeDiskMinBytes, 500)
  assert.equal(configOf(["--free-disk-min", "2K"]).freeDiskMinBytes, 2048)
  assert.equal(configOf(["--free-disk-min", "2Ki"]).freeDiskMinBytes, 2048)
  assert.equal(configOf(["--free-disk-min", "2kb"]).freeDiskMinBytes, 2000)
  assert.equal(configOf(["--free-disk-min", "1GiB"]).freeDiskMinBytes, 2 ** 30)
})

test("a command line that makes no sense is explained in one line", () => {
  const cases: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
    [["--nope"], /^unknown flag '--nope'$/],
    [["--declare-mismatch", "maybe"], /'maybe' is neither strict nor adopt/],
    [["-x"], /^unknown flag '-x'$/],
    [["--__proto__"], /^unknown flag '--__proto__'$/],
    [["start"], /^unexpected argument 'start'$/],
    [["-D"], /^-D needs a value \(DIR\)$/],
    [["-D", "--no-sync"], /^-D needs a value \(DIR\)$/],
    [["-D", ""], /^bad value for -D: the path is empty$/],
    [["--no-sync=1"], /^--no-sync takes no value$/],
    [["-p", "x"], /^bad value for -p: 'x' is not a whole number$/],
    [["-p", "65536"], /^bad value for -p: 65536 is not between 0 and 65535$/],
    [["-p", "1.5"], /^bad value for -p: '1\.5' is not a whole number$/],
    [["-l", "loud"], /^bad value for -l: 'loud' is not a log level \(trace, /],
    [["-b", "a b"], /^bad value for -b: 'a b' is not an address/],
    [["-b", "127.0.0.1,"], /^bad value for -b: /],
    [["--frame-max", "4095"], /^bad value for --frame-max: 4095 is not between 4096 and /],
    [["--channel-max", "0"], /^bad value for --channel-max: 0 is not between 1 and 65535$/],
    [
      ["--max-message-size", "1parsec"],
      /^bad value for --max-message-size: '1parsec' is not a size/,
    ],
  ]
  for (const [argv, message] of cases) assert.match(errorOf(argv), message)
})

test("a bad environment variable is named", () => {
  assert.equal(
    errorOf([], { SLUICE_AMQP_PORT: "amqp" }),
    "bad value for SLUICE_AMQP_PORT: 'amqp' is not a whole number",
  )
  assert.match(errorOf([], { SLUICE_SYNC: "perhaps" }), /^bad value for SLUICE_SYNC: /)
})

test("what Kubernetes says about a service of the same name is no setting", () => {
  const env = { SLUICE_AMQP_PORT: "tcp://10.0.0.1:5673", SLUICE_HTTP_PORT: "udp://[fd00::1]:80" }
  assert.equal(configOf([], env).amqpPort, 5672)
  assert.equal(configOf([], env).httpPort, 15672)
  assert.match(errorOf([], { SLUICE_HEARTBEAT: "tcp://10.0.0.1:60" }), /SLUICE_HEARTBEAT/)
})

test("help and version end the program whatever else is said", () => {
  assert.equal(parseArguments(["-h"], {}).kind, "help")
  assert.equal(parseArguments(["-p", "1", "--version"], {}).kind, "version")
  assert.equal(parseArguments(["--help", "-v"], {}).kind, "help")
})

test("the help names every flag and variable and fits the terminal", () => {
  const help = formatHelp("1.2.3")
  assert.match(help, /^Sluice 1\.2\.3/)
  for (const entry of Object.values(OPTIONS)) {
    assert.ok(help.includes(entry.env))
    for (const flag of entry.flags)
      assert.match(help, new RegExp(`(?:^|[ ,])${flag}(?:[=, \n])`, "m"))
  }
  for (const line of help.split("\n")) assert.ok(line.length <= 100, line)
})

test("no two options share a flag, a variable or a key", () => {
  const entries = Object.values(OPTIONS)
  const names = entries.flatMap((entry) => entry.flags.concat(entry.env, entry.ini.join(".")))
  assert.equal(new Set(names).size, names.length)
})

test("a flag wins over the environment, that over the file, and the file over the default", (context) => {
  const file = join(temporaryDirectory(context), "sluice.ini")
  writeFileSync(file, "[main]\ndata_dir = file\nsync = no\n[amqp]\nport = 1\nheartbeat = 7\n")
  const env = { SLUICE_CONFIG: file, SLUICE_AMQP_PORT: "2", SLUICE_HEARTBEAT: "8" }
  const config = configOf(["-p", "3"], env)
  assert.deepEqual(
    [config.dataDir, config.sync, config.amqpPort, config.heartbeatSeconds, config.channelMax],
    ["file", false, 3, 8, 2047],
  )
  for (const argv of [["-c", file], [`-c${file}`], ["--config", file], [`--config=${file}`]])
    assert.equal(configOf(argv, { SLUICE_CONFIG: "elsewhere" }).dataDir, "file")
  const invocation = parseArguments(["-c", file], {})
  assert.equal(invocation.kind === "run" && invocation.configFile, file)
  assert.equal(configOf([], { SLUICE_CONFIG: "" }).dataDir, "./data")
})

test("a file that is absent or wrong is an error in one line", (context) => {
  const directory = temporaryDirectory(context)
  const file = join(directory, "sluice.ini")
  assert.match(errorOf(["-c", file]), /^cannot read the configuration file .*sluice\.ini: ENOENT$/)
  assert.match(errorOf(["-c", directory]), /: EISDIR$/)
  assert.equal(errorOf(["-c"]), "-c needs a value (FILE)")
  writeFileSync(file, "[amqp]\nprot = 1\n")
  assert.match(errorOf(["-c", file]), /sluice\.ini:2: unknown key prot in \[amqp\] \(known: bind, /)
  assert.equal(parseArguments(["-c", file, "--help"], {}).kind, "help")
})
