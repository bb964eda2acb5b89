/** The broker as a process of this machine: waiting for its start, and stopping it. */
import { CliError, EXIT, usageError } from "./exit-codes.ts"
import { linkTarget, readTextIfPresent } from "./files.ts"
import type { Session } from "./session.ts"
import { fieldsOf } from "./text.ts"

const RETRY_MS = 250

/** Until the API answers. What is wrong in another way than nobody being there ends it at once. */
export async function awaitStartup(session: Session): Promise<void> {
  await session.say("Waiting for the broker to answer ...")
  await untilUp(session, () => {})
  await session.say("The broker has started")
}

export async function waitFor(session: Session): Promise<void> {
  const { values } = session
  const file = values.optional("pidfile")
  const given = values.number("--pid")
  if ((file === undefined) === (given === undefined))
    throw usageError("either a file with the number of the process is needed, or --pid")
  await session.say(
    `Waiting for ${file === undefined ? `process ${String(given)}` : `pid file '${file}'`} ...`,
  )
  await untilUp(session, () => {
    const pid = given ?? pidIn(file ?? "")
    if (pid === null)
      throw new CliError(EXIT.unavailable, `there is no number of a process in ${file ?? ""}`)
    if (!isRunning(pid)) throw new CliError(EXIT.unavailable, `process ${String(pid)} does not run`)
  })
  await session.say("The broker has started")
}

async function untilUp(session: Session, requireProcess: () => void): Promise<void> {
  const { clock } = session
  clock.refresh()
  const endMs = clock.nowMs + session.timeoutMs
  for (;;) {
    try {
      requireProcess()
      await session.api.get("/api/whoami")
      return
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== EXIT.unavailable) throw error
      clock.refresh()
      if (clock.nowMs + RETRY_MS > endMs)
        throw new CliError(EXIT.unavailable, `the broker has not started in time: ${error.message}`)
    }
    session.forgetConnection()
    await session.sleep(RETRY_MS)
  }
}

function pidIn(path: string): number | null {
  const text = (readTextIfPresent(path) ?? "").trim()
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/**
 * Sends the signal that a service manager would send. The number of the process must be that in the lock
 * of the data directory, and be meant for this view of the processes: in a container it is another one.
 */
export async function stopBroker(session: Session): Promise<void> {
  if (!session.api.isLocal)
    throw new CliError(
      EXIT.unavailable,
      "a broker is stopped over its control socket only; stop a remote one where it runs",
    )
  const nodes = await session.api.get("/api/nodes")
  const { os_pid: text, db_dir: directory } = fieldsOf(Array.isArray(nodes) ? nodes[0] : null)
  const pid = Number(text)
  if (typeof directory !== "string" || !isHeldBy(directory, pid))
    throw new CliError(
      EXIT.unavailable,
      "the process of the broker cannot be seen from here: stop it where it runs",
    )
  await session.say(`Stopping the broker, process ${String(pid)} ...`)
  try {
    process.kill(pid, "SIGTERM")
  } catch {
    throw new CliError(EXIT.noPermission, `no permission to stop process ${String(pid)}`)
  }
  if (session.values.isOff("--wait")) return
  const endMs = session.clock.nowMs + session.timeoutMs
  while (isRunning(pid) && isHeldBy(directory, pid)) {
    session.clock.refresh()
    if (session.clock.nowMs > endMs)
      throw new CliError(EXIT.unavailable, `process ${String(pid)} has not ended in time`)
    await session.sleep(RETRY_MS)
  }
}

/** What the lock file holds: see storage/lock-file.ts. */
function isHeldBy(directory: string, pid: number): boolean {
  const [holder, , , namespace = ""] = (readTextIfPresent(`${directory}/.lock`) ?? "").split("\n")
  const own = linkTarget("/proc/self/ns/pid") ?? ""
  return holder === String(pid) && (namespace === "" || own === "" || namespace === own)
}
