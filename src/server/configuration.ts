import { join } from "node:path"
import { PORT_OFF } from "../config/parse-values.ts"
import { OPTIONS } from "../config/options.ts"
import type { Config, Option } from "../config/options.ts"
import { listenOptionsOf, reloadedListenOptionsOf } from "./listen-configuration.ts"
import type { Environment } from "./listen-configuration.ts"
import type { MetricsListenOptions } from "./metrics-server.ts"
import type { BrokerStartOptions, RunningBroker } from "./start-broker.ts"

/**
 * From the table of options to a broker: the values of a start, and what becomes of changed ones while
 * it runs (SIGHUP). Where values come from is config/.
 */

const CONTROL_SOCKET = "control.sock"

/** Throws StartError if a file of a certificate cannot be read. */
export function startOptionsOf(config: Config, env: Environment): BrokerStartOptions {
  return { ...settingsOf(config), ...listenOptionsOf(config, env) }
}

/** All but the listeners of AMQP and HTTP. */
function settingsOf(config: Config): BrokerStartOptions {
  return {
    dataDirectory: config.dataDir,
    certificateLoginFrom: config.certificateLoginFrom,
    control: controlOf(config),
    metrics: metricsOf(config),
    sync: config.sync,
    logLevel: config.logLevel,
    logFile: config.logFile,
    logExchange: config.logExchange,
    auditLog: config.auditLog,
    auditLogMaxBytes: config.auditLogMaxBytes,
    auditLogFiles: config.auditLogFiles,
    freeDiskMinBytes: config.freeDiskMinBytes,
    memoryHighWatermark: config.memoryHighWatermark,
    loginThrottling: config.loginThrottling,
    websocketAllowedOrigins: config.websocketAllowedOrigins,
    maxMessageSizeBytes: config.maxMessageSizeBytes,
    heartbeatSeconds: config.heartbeatSeconds,
    frameMaxBytes: config.frameMaxBytes,
    channelMax: config.channelMax,
    maxConnections: config.maxConnections,
    maxConsumersPerChannel: config.maxConsumersPerChannel,
    consumerTimeoutMs: config.consumerTimeoutMs,
    declareMismatch: config.declareMismatch,
    ...(config.loadDefinitions !== "" && { loadDefinitions: config.loadDefinitions }),
    configuration: shownConfiguration(config),
    defaultUser: config.defaultUser,
    defaultPasswordHash: config.defaultPasswordHash,
    defaultUserLoopbackOnly: config.defaultUserLoopbackOnly,
  }
}

function controlOf(config: Config): NonNullable<BrokerStartOptions["control"]> | null {
  const { controlUnixPath, controlUnixMode } = config
  if (controlUnixPath === "off") return null
  const path = controlUnixPath === "auto" ? join(config.dataDir, CONTROL_SOCKET) : controlUnixPath
  return { path, mode: Number.parseInt(controlUnixMode, 8) }
}

/** Another broker on the machine may have the default port: that is no reason not to start. */
function metricsOf({
  metricsHttpBind: host,
  metricsHttpPort: port,
}: Config): MetricsListenOptions | null {
  if (port === PORT_OFF) return null
  return { host, port, isOptional: port === OPTIONS.metricsHttpPort.default }
}

/** Options whose values nobody is to read. */
const SECRETS: ReadonlySet<string> = new Set(["defaultPasswordHash"])

function shownConfiguration(config: Config): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  const values: Readonly<Record<string, unknown>> = config
  for (const [name, option] of Object.entries<Option<unknown>>(OPTIONS))
    if (!SECRETS.has(name)) shown[option.ini.join(".")] = values[name]
  return shown
}

/**
 * Applies what can be changed while the broker runs, and says in the log what needs a restart. Returns
 * the values in force.
 */
export function reload(
  broker: RunningBroker,
  current: Config,
  next: Config,
  env: Environment,
): Config {
  const { log } = broker.broker
  const inForce: Record<string, unknown> = { ...current }
  const values: Readonly<Record<string, unknown>> = next
  const changed: string[] = []
  const needRestart: string[] = []
  for (const [name, option] of Object.entries<Option<unknown>>(OPTIONS)) {
    if (JSON.stringify(inForce[name]) === JSON.stringify(values[name])) continue
    const shown = option.ini.join(".")
    if (option.reload === undefined) needRestart.push(shown)
    else {
      inForce[name] = values[name]
      changed.push(`${shown} (${option.reload})`)
    }
  }
  if (JSON.stringify(current.sni) !== JSON.stringify(next.sni)) {
    inForce["sni"] = next.sni
    changed.push("sni (for new connections)")
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Every value is from one of the two.
  const config = inForce as Config
  broker.reconfigure({ ...settingsOf(config), ...reloadedListenOptionsOf(config, env, log) })
  log.info({ changed }, "configuration was read again")
  broker.audit.record({
    user: "",
    peer: "signal",
    action: "reload",
    changes: { changed, needRestart },
    status: 200,
  })
  if (needRestart.length > 0)
    log.warn({ options: needRestart }, "changed options need a restart of the broker")
  return config
}
