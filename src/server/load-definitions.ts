import { AuthError } from "../auth/errors.ts"
import type { Administration } from "../broker/administration.ts"
import type { Broker } from "../broker/broker.ts"
import { Refusal } from "../broker/errors.ts"
import { StorageError } from "../storage/disk.ts"
import type { Disk } from "../storage/disk.ts"
import { StartError } from "./start-error.ts"

/**
 * The definitions file that is imported at every start, before the broker listens: what it names is there
 * when the first client comes. What exists already stays as it is, so that changes made at run time are
 * not taken back by a restart. A file that cannot be imported as a whole stops the start.
 */
const SIZE_MAX = 128 << 20

export async function loadDefinitions(
  disk: Disk,
  path: string,
  api: { readonly broker: Broker; readonly administration: Administration },
): Promise<void> {
  const { importDefinitions } = await import("../http/definitions-import.ts")
  const { HttpError } = await import("../http/errors.ts")
  try {
    const bytes = disk.readFile(path)
    if (bytes === null) throw new StartError("there is no such file")
    if (bytes.length > SIZE_MAX) throw new StartError(`it is larger than ${SIZE_MAX} bytes`)
    await importDefinitions(api, bytes, { keepsExisting: true })
    api.broker.log.info({ file: path }, "definitions were imported")
  } catch (error) {
    const isRefusal =
      error instanceof HttpError ||
      error instanceof Refusal ||
      error instanceof AuthError ||
      error instanceof StorageError ||
      error instanceof StartError
    if (!isRefusal) throw error
    const reason = error.message === "not_json" ? "it is not JSON" : error.message
    throw new StartError(`cannot load the definitions in ${path}: ${reason}`, { cause: error })
  }
}
