/**
 * The only list of options. The parsers of command line, environment and configuration file, `--help`, the
 * table in docs/configuration.md and docs/sluice.ini.sample are made from it, so that none of them can fall
 * behind. It holds no values of a running broker: those are a Config, which is passed on and never global.
 */
import {
  LOG_LEVELS,
  bytesBetween,
  integerBetween,
  parseAddresses,
  parseBoolean,
  parseDeclareMismatch,
  parseLogLevel,
  parsePasswordHash,
  parsePath,
  parsePortOrOff,
  parseUserName,
} from "./parse-values.ts"
import type { DeclareMismatch, LogLevel } from "./parse-values.ts"

export interface Option<T> {
  readonly default: T
  /** Throws RangeError with the end of the sentence "bad value for --flag: …". */
  parse(this: void, text: string): T
  /** Section and key in the configuration file; the key also names the option in messages. */
  readonly ini: readonly [section: string, key: string]
  readonly env: string
  /** As typed, the short one first. */
  readonly flags: readonly string[]
  /** What stands behind the flag in the help; a switch has none and means `switchText`. */
  readonly argument?: string
  readonly switchText?: string
  /** Joins the values of a flag that may be given several times; without it the last one counts. */
  merge?(this: void, previous: T, next: T): T
  /** When a value that was changed in the file holds after SIGHUP; without it, after a restart. */
  readonly reload?: "at once" | "for new connections" | "for new channels"
  readonly doc: string
}

function option<T>(fields: Option<T>): Option<T> {
  return fields
}

/** The largest size that a message may have whatever the option says; RabbitMQ's ceiling. */
const MESSAGE_SIZE_BYTES_MAX = 512 * 2 ** 20

/** Of "guest", as LavinMQ has it. */
const GUEST_HASH = "+pHuxkR9fCyrrwXjOD4BP4XbzO3l8LJr8YkThMgJ0yVHFRE+"

export const OPTIONS = {
  dataDir: option<string>({
    default: "./data",
    parse: parsePath,
    ini: ["main", "data_dir"],
    env: "SLUICE_DATADIR",
    flags: ["-D", "--data-dir"],
    argument: "DIR",
    doc: "Directory of everything that must survive a restart; made if it is absent",
  }),
  bind: option<readonly string[]>({
    default: ["127.0.0.1", "::1"],
    parse: parseAddresses,
    ini: ["amqp", "bind"],
    env: "SLUICE_BIND",
    flags: ["-b", "--bind"],
    argument: "ADDRESS",
    merge: (previous, next) => [...previous, ...next],
    doc: "Addresses to listen on, separated by commas; may be repeated. 0.0.0.0 is every IPv4 interface, :: every IPv6 one",
  }),
  amqpPort: option<number>({
    default: 5672,
    parse: integerBetween(0, 65_535),
    ini: ["amqp", "port"],
    env: "SLUICE_AMQP_PORT",
    flags: ["-p", "--amqp-port"],
    argument: "PORT",
    doc: "AMQP port; 0 takes a free one",
  }),
  httpBind: option<readonly string[]>({
    default: ["127.0.0.1", "::1"],
    parse: parseAddresses,
    ini: ["mgmt", "bind"],
    env: "SLUICE_HTTP_BIND",
    flags: ["--http-bind"],
    argument: "ADDRESS",
    merge: (previous, next) => [...previous, ...next],
    doc: "Addresses on which the management HTTP API listens, as with --bind",
  }),
  httpPort: option<number>({
    default: 15_672,
    parse: parsePortOrOff,
    ini: ["mgmt", "port"],
    env: "SLUICE_HTTP_PORT",
    flags: ["--http-port"],
    argument: "PORT",
    doc: "Port of the management HTTP API; 0 takes a free one, off has none",
  }),
  logLevel: option<LogLevel>({
    default: "info",
    parse: parseLogLevel,
    ini: ["main", "log_level"],
    env: "SLUICE_LOG_LEVEL",
    flags: ["-l", "--log-level"],
    argument: "LEVEL",
    reload: "at once",
    doc: `Least severe log entries that are written: ${LOG_LEVELS.join(", ")}`,
  }),
  sync: option<boolean>({
    default: true,
    parse: parseBoolean,
    ini: ["main", "sync"],
    env: "SLUICE_SYNC",
    flags: ["--no-sync"],
    switchText: "false",
    doc: "Confirms wait until the disk has the message. Without that (--no-sync) a power failure loses confirmed messages: UNSAFE. A crash of the broker alone does not",
  }),
  freeDiskMinBytes: option<number>({
    default: 0,
    parse: bytesBetween(0, Number.MAX_SAFE_INTEGER),
    ini: ["main", "free_disk_min"],
    env: "SLUICE_FREE_DISK_MIN",
    flags: ["--free-disk-min"],
    argument: "BYTES",
    reload: "at once",
    doc: "Publishing stops while less than this is free on the disk (never less than three segments, 24 MiB)",
  }),
  maxMessageSizeBytes: option<number>({
    default: 128 * 2 ** 20,
    parse: bytesBetween(1, MESSAGE_SIZE_BYTES_MAX),
    ini: ["amqp", "max_message_size"],
    env: "SLUICE_MAX_MESSAGE_SIZE",
    flags: ["--max-message-size"],
    argument: "BYTES",
    reload: "for new connections",
    doc: "Largest body that is accepted",
  }),
  heartbeatSeconds: option<number>({
    default: 60,
    parse: integerBetween(0, 65_535),
    ini: ["amqp", "heartbeat"],
    env: "SLUICE_HEARTBEAT",
    flags: ["--heartbeat"],
    argument: "SECONDS",
    reload: "for new connections",
    doc: "Heartbeat interval offered to clients; 0 offers none",
  }),
  frameMaxBytes: option<number>({
    default: 131_072,
    parse: bytesBetween(4096, 16 * 2 ** 20),
    ini: ["amqp", "frame_max"],
    env: "SLUICE_FRAME_MAX",
    flags: ["--frame-max"],
    argument: "BYTES",
    reload: "for new connections",
    doc: "Largest frame offered to clients",
  }),
  channelMax: option<number>({
    default: 2047,
    parse: integerBetween(1, 65_535),
    ini: ["amqp", "channel_max"],
    env: "SLUICE_CHANNEL_MAX",
    flags: ["--channel-max"],
    argument: "COUNT",
    reload: "for new connections",
    doc: "Channels per connection offered to clients",
  }),
  maxConnections: option<number>({
    default: 0,
    parse: integerBetween(0, 10_000_000),
    ini: ["amqp", "max_connections"],
    env: "SLUICE_MAX_CONNECTIONS",
    flags: ["--max-connections"],
    argument: "COUNT",
    reload: "at once",
    doc: "Connections that may be open at one time; 0 is no limit",
  }),
  maxConsumersPerChannel: option<number>({
    default: 0,
    parse: integerBetween(0, 1_000_000),
    ini: ["amqp", "max_consumers_per_channel"],
    env: "SLUICE_MAX_CONSUMERS_PER_CHANNEL",
    flags: ["--max-consumers-per-channel"],
    argument: "COUNT",
    reload: "at once",
    doc: "Consumers that one channel may have; 0 is no limit",
  }),
  consumerTimeoutMs: option<number>({
    default: 1_800_000,
    parse: integerBetween(0, 315_360_000_000),
    ini: ["main", "consumer_timeout"],
    env: "SLUICE_CONSUMER_TIMEOUT",
    flags: ["--consumer-timeout"],
    argument: "MS",
    reload: "for new channels",
    doc: "Milliseconds that a consumer may keep a delivery without settling it, unless its queue says otherwise; 0 is no limit",
  }),
  defaultUser: option<string>({
    default: "guest",
    parse: parseUserName,
    ini: ["main", "default_user"],
    env: "SLUICE_DEFAULT_USER",
    flags: ["--default-user"],
    argument: "NAME",
    doc: "Administrator that is made when there are no users yet",
  }),
  defaultPasswordHash: option<string>({
    default: GUEST_HASH,
    parse: parsePasswordHash,
    ini: ["main", "default_password_hash"],
    env: "SLUICE_DEFAULT_PASSWORD_HASH",
    flags: ["--default-password-hash"],
    argument: "HASH",
    doc: "Its password, as base64 of a salt of 4 bytes and the SHA-256 of salt and password; by default of guest",
  }),
  defaultUserLoopbackOnly: option<boolean>({
    default: true,
    parse: parseBoolean,
    ini: ["main", "default_user_only_loopback"],
    env: "SLUICE_DEFAULT_USER_ONLY_LOOPBACK",
    flags: ["--default-user-only-loopback"],
    argument: "BOOL",
    reload: "at once",
    doc: "The default user may log in from this machine only",
  }),
  declareMismatch: option<DeclareMismatch>({
    default: "strict",
    parse: parseDeclareMismatch,
    ini: ["main", "declare_mismatch"],
    env: "SLUICE_DECLARE_MISMATCH",
    flags: ["--declare-mismatch"],
    argument: "MODE",
    doc: "What a declaration gets whose arguments differ from the existing queue or exchange: strict refuses it, adopt lets it use what exists",
  }),
}

/** The values of a start. */
export type Config = { readonly [K in keyof typeof OPTIONS]: (typeof OPTIONS)[K]["default"] }

/** Where the configuration file is; it is none of the options that can stand in it. */
export const CONFIG_FILE = {
  env: "SLUICE_CONFIG",
  flags: ["-c", "--config"],
  argument: "FILE",
  doc: "Configuration file (INI); read again at SIGHUP",
} as const

/** Flags that end the program instead of configuring it. */
export const COMMAND_FLAGS = {
  version: { flags: ["-v", "--version"], doc: "Print the version and exit" },
  help: { flags: ["-h", "--help"], doc: "Print this help and exit" },
} as const

/** How the help and the documentation show a default. */
export function formatDefault(value: unknown): string {
  if (Array.isArray(value)) return value.join(",")
  if (typeof value !== "number" || value < 2 ** 17) return String(value)
  return value % 2 ** 20 === 0 ? `${String(value / 2 ** 20)}MiB` : String(value)
}
