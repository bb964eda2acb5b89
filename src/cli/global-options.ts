/** The options that every command takes, before or behind its name. Data for parser, help and documentation. */
import type { OptionSpec } from "./command.ts"

export const FORMATS = ["table", "json", "text", "csv", "pretty_table"] as const
export type Format = (typeof FORMATS)[number]

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { flags: "-p, --vhost <name>", doc: "The virtual host (default /)" },
  {
    flags: "-f, --format <format>",
    choices: FORMATS,
    doc: "How results are printed: table (columns; aligned on a terminal, otherwise separated by TABs), json, text (TABs, `key: value`), csv",
  },
  { flags: "--formatter <format>", choices: FORMATS, doc: "The same as --format" },
  { flags: "-q, --quiet", doc: "Only results: no lines such as `Listing queues ...`" },
  { flags: "-s, --silent", doc: "The same as --quiet" },
  { flags: "--no-table-headers", doc: "No row of column names" },
  {
    flags: "--control-unix-path <path>",
    doc: "The control socket of a broker on this machine",
  },
  { flags: "-U, --uri <url>", doc: "The management API, as https://user@host:15671" },
  { flags: "-H, --host <url>", doc: "The same as --uri" },
  { flags: "--hostname <name>", doc: "Instead of --uri: the host of the management API" },
  { flags: "-P, --port <port>", min: 1, doc: "Its port (default 15672, for https 15671)" },
  { flags: "--scheme <scheme>", choices: ["http", "https"], doc: "http or https (default http)" },
  { flags: "--user <name>", doc: "Who logs in there (default guest)" },
  {
    flags: "--password <password>",
    doc: "With which password; better in the variable SLUICECTL_PASSWORD, which other users cannot see",
  },
  { flags: "--context <name>", doc: "A saved target, see `context add`" },
  {
    flags: "--cacert <file>",
    doc: "Certificates (PEM) of the authorities that may have signed the broker's",
  },
  { flags: "--insecure", doc: "Do not verify the broker's certificate: anybody may answer" },
  {
    flags: "-t, --timeout <seconds>",
    min: 1,
    doc: "Give up when nothing is heard for so long (default 60)",
  },
  { flags: "-n, --node <name>", doc: "Accepted and without effect: there is one node" },
]

/** End the program instead of running a command. */
export const GLOBAL_COMMAND_FLAGS: readonly OptionSpec[] = [
  { flags: "-v, --version", doc: "Print the version and exit" },
  { flags: "--build-info", doc: "Print version and runtime and exit" },
  { flags: "-h, --help", doc: "Print the help, of a command behind its name, and exit" },
]

/** Name and meaning, for the documentation. */
export const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["SLUICECTL_HOST", "URL of the management API, as --uri"],
  ["SLUICECTL_USER", "Who logs in there"],
  ["SLUICECTL_PASSWORD", "With which password"],
  ["SLUICECTL_CONTEXT", "Name of a saved target"],
  ["SLUICE_CONTROL_UNIX_PATH", "The control socket, as --control-unix-path"],
  ["SLUICE_DATADIR", "The data directory of the broker, in which control.sock is looked for"],
  ["XDG_CONFIG_HOME", "Where the folder sluice with the file of contexts is (default ~/.config)"],
]
