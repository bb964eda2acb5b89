import { PORT_OFF } from "../config/parse-values.ts"
import { OPTIONS } from "../config/options.ts"
import type { Config, Option } from "../config/options.ts"
import type { BrokerStartOptions, RunningBroker } from "./start-broker.ts"

/**
 * From the table of options to a broker: the values of a start, and what becomes of changed ones while
 * it runs (SIGHUP). Where values come from is config/.
 */

export function startOptionsOf(config: Config): BrokerStartOptions {
  return {
    dataDirectory: config.dataDir,
    amqp: { host: config.bind, port: config.amqpPort },
    http: config.httpPort === PORT_OFF ? null : { host: config.httpBind, port: config.httpPort },
    sync: config.sync,
    logLevel: config.logLevel,
    freeDiskMinBytes: config.freeDiskMinBytes,
    maxMessageSizeBytes: config.maxMessageSizeBytes,
    heartbeatSeconds: config.heartbeatSeconds,
    frameMaxBytes: config.frameMaxBytes,
    channelMax: config.channelMax,
    maxConnections: config.maxConnections,
    maxConsumersPerChannel: config.maxConsumersPerChannel,
    consumerTimeoutMs: config.consumerTimeoutMs,
    declareMismatch: config.declareMismatch,
    defaultUser: config.defaultUser,
    defaultPasswordHash: config.defaultPasswordHash,
    defaultUserLoopbackOnly: config.defaultUserLoopbackOnly,
  }
}

/**
 * Applies what can be changed while the broker runs, and says in the log what needs a restart. Returns
 * the values in force.
 */
export function reload(broker: RunningBroker, current: Config, next: Config): Config {
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
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Every value is from one of the two.
  const config = inForce as Config
  broker.reconfigure(startOptionsOf(config))
  log.info({ changed }, "configuration was read again")
  if (needRestart.length > 0)
    log.warn({ options: needRestart }, "changed options need a restart of the broker")
  return config
}
