/**
 * The program of the broker: reads the command line, starts a broker, reads the configuration again on SIGHUP,
 * stops on a signal, sets the exit code. 0 is a stop on request, 1 a start that failed or a stop in a hurry, 2 a command line that
 * makes no sense. Everything else is in server/start-broker.ts.
 */
import { formatHelp, parseArguments } from "../config/arguments.ts"
import type { Invocation } from "../config/arguments.ts"
import type { Config } from "../config/options.ts"
import { VERSION } from "../config/version.ts"
import { reload, startOptionsOf } from "../server/configuration.ts"
import type { RunningBroker } from "../server/start-broker.ts"
import { PidFileError, writePidFile } from "./pid-file.ts"
import { ServiceManager } from "./service-manager.ts"

type Run = Extract<Invocation, { readonly kind: "run" }>

const EXIT_FAILURE = 1
const EXIT_USAGE = 2

const serviceManager = new ServiceManager(process.env)

async function main(): Promise<void> {
  const invocation = parseArguments(process.argv.slice(2), process.env)
  switch (invocation.kind) {
    case "help":
      process.stdout.write(formatHelp(VERSION))
      return
    case "version":
      process.stdout.write(`${VERSION}\n`)
      return
    case "error":
      process.stderr.write(`sluice: ${invocation.message} (see sluice --help)\n`)
      process.exitCode = EXIT_USAGE
      return
    case "run":
      await run(invocation)
  }
}

async function run({ config, configFile }: Run): Promise<void> {
  const { StartError, startBroker } = await import("../server/start-broker.ts")
  let stopRequest: NodeJS.Signals | null = null
  let broker: RunningBroker | null = null
  const stop = (signal: NodeJS.Signals): void => {
    if (stopRequest !== null) process.exit(EXIT_FAILURE) // The second signal does not wait.
    stopRequest = signal
    if (broker !== null) void shutDown(broker)
  }
  process.on("SIGTERM", stop)
  process.on("SIGINT", stop)
  let inForce = config
  process.on("SIGHUP", (signal) => {
    // The window was closed.
    if (configFile === null && process.stdout.isTTY) stop(signal)
    else if (broker !== null && stopRequest === null)
      inForce = readAgain(broker, inForce, configFile)
  })
  try {
    if (config.pidFile !== "") writePidFile(config.pidFile)
    broker = await startBroker(startOptionsOf(config, process.env))
  } catch (error) {
    if (!(error instanceof StartError || error instanceof PidFileError)) throw error
    process.stderr.write(`sluice: ${error.message}\n`)
    process.exitCode = EXIT_FAILURE
    return
  }
  process.stdout.write(
    `Sluice ${VERSION} listens on ${broker.addresses.join(", ")}\n` +
      `Data in ${broker.dataDirectory ?? "memory"}\n`,
  )
  for (const line of managementLines(broker)) process.stdout.write(`${line}\n`)
  if (stopRequest === null) await serviceManager.ready(broker.broker.log)
  else await shutDown(broker) // It came while the broker was starting.
}

function managementLines({ http }: RunningBroker): string[] {
  const { addresses = [], tlsAddresses = [], unixPaths = [] } = http ?? {}
  const lines: string[] = []
  if (addresses.length > 0) lines.push(`Management on http://${addresses.join(", ")}`)
  if (tlsAddresses.length > 0) lines.push(`Management on https://${tlsAddresses.join(", ")}`)
  if (unixPaths.length > 0) lines.push(`Management on ${unixPaths.join(", ")}`)
  return lines
}

/** Returns the values in force. What is wrong changes nothing. */
function readAgain(broker: RunningBroker, inForce: Config, configFile: string | null): Config {
  const { log } = broker.broker
  void serviceManager.reloading(log)
  const invocation = parseArguments(process.argv.slice(2), process.env)
  let values = inForce
  if (configFile === null) {
    log.info({}, "SIGHUP: there is no configuration file to read again, only certificates")
    values = reload(broker, inForce, inForce, process.env)
  } else if (invocation.kind === "run")
    values = reload(broker, inForce, invocation.config, process.env)
  else if (invocation.kind === "error")
    log.error({ reason: invocation.message }, "the configuration stays as it is: it cannot be read")
  void serviceManager.ready(log)
  return values
}

async function shutDown(broker: RunningBroker): Promise<void> {
  void serviceManager.stopping(broker.broker.log)
  try {
    await broker.close()
    process.exit(0)
  } catch (error) {
    fail(error)
  }
}

function fail(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`sluice: fatal: ${text}\n`)
  process.exit(EXIT_FAILURE)
}

// Who reads the first lines need not stay: `sluice | head -1`.
process.stdout.on("error", () => {})
process.on("uncaughtException", fail)
process.on("unhandledRejection", fail)
await main()
