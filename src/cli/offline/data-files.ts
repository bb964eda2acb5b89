/** A data directory that is looked at and not changed: is it one, who holds it, what vhosts and queues does it have. */
import { NodeDisk } from "../../storage/node-disk.ts"
import { StorageError } from "../../storage/disk.ts"
import { HASHED_NAME } from "../../storage/data-directory.ts"
import { CliError, EXIT } from "../exit-codes.ts"
import { isDirectory } from "../files.ts"
import type { Session } from "../session.ts"

export const DEFINITIONS_FILE = "definitions.amqp"

export interface DataFiles {
  readonly disk: NodeDisk
  readonly root: string
}

/** Throws CliError for what is no data directory, or is in use unless that does not matter. */
export function openDataFiles(session: Session): DataFiles {
  const root = session.values.text("directory").replace(/(.)\/+$/, "$1")
  const disk = new NodeDisk()
  if (!isDirectory(root)) throw new CliError(EXIT.data, `${root} is no directory`)
  return guarded(() => {
    if (disk.readFile(`${root}/schema_version`) === null)
      throw new CliError(EXIT.data, `${root} is no data directory: it has no file schema_version`)
    const holder = disk.lockHolder(`${root}/.lock`)
    if (holder !== null && !session.values.isOn("--force"))
      throw new CliError(
        EXIT.unavailable,
        `${root} is in use by process ${String(holder)}: stop the broker, or see --force`,
      )
    return { disk, root }
  })
}

/** Errors of the disk as exit codes. */
export function guarded<T>(action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    const isRefused = error.code === "EACCES" || error.code === "EPERM"
    throw new CliError(isRefused ? EXIT.noPermission : EXIT.data, error.message, error)
  }
}

/** Directories of vhosts, and in them of durable queues. */
export function hashedDirectories(disk: NodeDisk, path: string): string[] {
  return disk
    .list(path)
    .filter((name) => HASHED_NAME.test(name))
    .toSorted()
    .map((name) => `${path}/${name}`)
}

export function textOf(disk: NodeDisk, path: string): string | null {
  return disk.readFile(path)?.toString("utf8") ?? null
}
