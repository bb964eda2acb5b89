/**
 * Tells systemd that the broker is ready, reads its configuration again, or stops (sd_notify(3)). The
 * runtime has no Unix datagrams, so the program systemd-notify speaks for the broker, and the unit needs
 * NotifyAccess=all. Without NOTIFY_SOCKET nothing happens.
 */
import { spawn } from "node:child_process"
import type { Logger } from "../util/logger.ts"

const PROGRAM = "systemd-notify"
/** A service manager that does not answer must hold up nothing. */
const TIMEOUT_MS = 5000

export class ServiceManager {
  readonly #isPresent: boolean
  /** One call after the other: the manager must see the states in their order. */
  #last: Promise<void> = Promise.resolve()

  constructor(env: NodeJS.ProcessEnv) {
    this.#isPresent = (env["NOTIFY_SOCKET"] ?? "") !== ""
  }

  /** Resolves when the manager has been told, or could not be. */
  ready(log: Logger): Promise<void> {
    return this.#tell(log, "READY=1")
  }

  reloading(log: Logger): Promise<void> {
    return this.#tell(log, "RELOADING=1")
  }

  stopping(log: Logger): Promise<void> {
    return this.#tell(log, "STOPPING=1")
  }

  #tell(log: Logger, state: string): Promise<void> {
    if (!this.#isPresent) return this.#last
    this.#last = this.#last.then(() => notify(log, state))
    return this.#last
  }
}

function notify(log: Logger, state: string): Promise<void> {
  return new Promise((resolve) => {
    const failed = (reason: string): void => {
      log.warn({ state, reason }, "systemd could not be told of the broker's state")
      resolve()
    }
    const child = spawn(PROGRAM, [state], { stdio: "ignore", timeout: TIMEOUT_MS })
    child.once("error", (error) => failed(error.message))
    child.once("exit", (code, signal) => {
      if (code === 0) resolve()
      else failed(`${PROGRAM} ended with ${String(code ?? signal)}`)
    })
  })
}
