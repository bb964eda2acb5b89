import assert from "node:assert/strict"
import { test } from "node:test"
import { formatSampleFile } from "../../../scripts/generate-docs.ts"
import { ConfigFileError, readIni } from "../../../src/config/ini-file.ts"
import { OPTIONS } from "../../../src/config/options.ts"

function read(...lines: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(readIni(lines.join("\n"), "s.ini"))
}

function errorOf(...lines: readonly string[]): string {
  try {
    read(...lines)
  } catch (error) {
    assert.ok(error instanceof ConfigFileError)
    return error.message
  }
  return assert.fail("nothing was wrong")
}

test("sections, keys, comments, quotes and line ends are those of INI files", () => {
  const text =
    '\uFEFF; comment\r\n# another\r\n\r\n[main] ; of all\r\n data_dir = "/var/a;b"  \r\n' +
    "log_level=WARN\r[ amqp ]\nport = 5673 # not the usual one\n  frame_max=64K\n"
  assert.deepEqual(Object.fromEntries(readIni(text, "s.ini")), {
    dataDir: "/var/a;b",
    logLevel: "warn",
    amqpPort: 5673,
    frameMaxBytes: 65_536,
  })
  assert.deepEqual(read("[main]", "sync = false", "[amqp]", "[main]", "default_user = null"), {
    sync: false,
    defaultUser: "null",
  })
  assert.deepEqual(read(), {})
})

test("addresses add up; any other key stands once", () => {
  const { bind } = read("[amqp]", "bind = 10.0.0.1, ::1", "bind = [::2]")
  assert.deepEqual(bind, ["10.0.0.1", "::1", "::2"])
  assert.equal(
    errorOf("[amqp]", "port = 1", "", "port = 2"),
    "s.ini:4: port is given twice in [amqp], first in line 2",
  )
})

test("what is not understood is an error with file and line, and says what is known", () => {
  assert.equal(
    errorOf("", "[mian]"),
    "s.ini:2: unknown section [mian] (known: [main], [amqp])".replace(
      "[main], [amqp]",
      [...new Set(Object.values(OPTIONS).map(({ ini }) => `[${ini[0]}]`)), "[sni:<host>]"].join(
        ", ",
      ),
    ),
  )
  assert.match(errorOf("[main]", "log_lvel = info"), /^s\.ini:2: unknown key log_lvel in \[main\]/)
  assert.match(errorOf("[main]", "log_lvel = info"), /\(known: data_dir, .*log_level, .*sync, /)
  assert.match(errorOf("[amqp]", "data_dir = x"), /unknown key data_dir in \[amqp\]/)
  assert.match(errorOf("[sni:]"), /^s\.ini:1: \[sni:\] names no host/)
  assert.match(errorOf("[sni:a.b.c]", "port = 1"), /^s\.ini:2: unknown key port in \[sni:a\.b\.c\]/)
  assert.match(errorOf("port = 1"), /^s\.ini:1: port stands before a section/)
  for (const line of ["[main", "port", "= 1x", "__proto__"])
    assert.match(errorOf("[amqp]", line), /^s\.ini:2: /, line)
  for (const line of ['port = "1" ; x', "port = '1", 'bind = "::'])
    assert.match(errorOf("[amqp]", line), /^s\.ini:2: the quotes of \w+ are not closed/, line)
  for (const line of ["__proto__ = 1", "constructor = 1", "port[] = 1"])
    assert.match(errorOf("[amqp]", line), /^s\.ini:2: /, line)
  for (const section of ["[__proto__]", "[constructor]", "[]", "[main.amqp]"])
    assert.match(errorOf(section), /^s\.ini:1: unknown section/, section)
})

test("bad values name the key and what would be good", () => {
  assert.equal(
    errorOf("[amqp]", "# x", "port = http"),
    "s.ini:3: bad value for port: 'http' is not a whole number",
  )
  assert.match(errorOf("[amqp]", "port ="), /^s\.ini:2: bad value for port: /)
  assert.match(errorOf("[main]", "log_level = loud"), /'loud' is not a log level \(trace, debug/)
  assert.match(errorOf("[main]", "sync = perhaps"), /neither true nor false/)
  const secret = errorOf("[main]", "default_password_hash = hunter2")
  assert.match(secret, /bad value for default_password_hash: this is not the base64/)
  assert.ok(!secret.includes("hunter2"))
})

test("the sample file changes nothing, and is valid with every option in force", () => {
  const sample = formatSampleFile()
  assert.deepEqual(Object.fromEntries(readIni(sample, "sample")), {})
  const defaults = Object.entries(OPTIONS).map(([name, option]) => [name, option.default] as const)
  assert.deepEqual(
    Object.fromEntries(readIni(sample.replaceAll(/^;/gm, ""), "sample")),
    Object.fromEntries(defaults),
  )
})

test("every option has a place of its own in the file", () => {
  const places = Object.values(OPTIONS).map(({ ini }) => ini.join("."))
  assert.equal(new Set(places).size, places.length)
})
