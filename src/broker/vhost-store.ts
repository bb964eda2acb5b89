import { createHash } from "node:crypto"
import type { JsonDocument } from "../auth/users.ts"
import { Refusal } from "./errors.ts"
import type { QueueType } from "./queue-type.ts"

/**
 * The list of vhosts in vhosts.json, in the format of LavinMQ. The order matters: the first vhost is
 * where definitions without a vhost go. What a vhost holds is vhost.ts.
 */
export interface VhostEntry {
  readonly name: string
  /** Name of its directory: SHA-1 of the vhost's name in hexadecimal. */
  readonly dir: string
  readonly tracing: boolean
  readonly tags: readonly string[]
  readonly description: string
  /** Type of queues that are declared without one; null is classic. */
  readonly defaultQueueType: QueueType | null
  /** It cannot be deleted until this is taken back. */
  readonly isProtected: boolean
}

/** What is not given stays as it is. */
export interface VhostMetadata {
  readonly description?: string
  readonly tags?: readonly string[]
  /** Only shown; nothing is traced. */
  readonly tracing?: boolean
  /** classic, quorum or stream; "" or null for none. */
  readonly defaultQueueType?: string | null
  readonly isProtected?: boolean
}

const DEFAULT_VHOST = "/"
const NAME_SIZE_MAX = 255

export class VhostStore {
  readonly #entries = new Map<string, VhostEntry>()
  readonly #document: JsonDocument

  constructor(document: JsonDocument) {
    this.#document = document
  }

  /**
   * Reads the file, or creates the default vhost if there is none and one is wanted. Throws if it is no
   * list of vhosts.
   */
  async load(makesDefault = true): Promise<void> {
    const stored = this.#document.load() ?? (makesDefault ? null : [])
    this.#entries.clear()
    if (stored === null) {
      await this.add(DEFAULT_VHOST)
      return
    }
    if (!Array.isArray(stored))
      throw new Refusal("internal-error", "vhosts.json is not a list of vhosts")
    for (const value of stored) {
      const entry = parseEntry(value)
      this.#entries.set(entry.name, entry)
    }
  }

  get(name: string): VhostEntry | null {
    return this.#entries.get(name) ?? null
  }

  /** In the order of creation. */
  list(): VhostEntry[] {
    return [...this.#entries.values()]
  }

  /** Creates, or changes the metadata that is given. Resolves when it is on disk. */
  async add(name: string, metadata: VhostMetadata = {}): Promise<void> {
    const present = this.#entries.get(name)
    if (present === undefined) checkVhostName(name)
    const type = metadata.defaultQueueType
    this.#entries.set(name, {
      name,
      dir: vhostDirectoryName(name),
      tracing: metadata.tracing ?? present?.tracing ?? false,
      tags: metadata.tags ?? present?.tags ?? [],
      description: metadata.description ?? present?.description ?? "",
      defaultQueueType:
        type === undefined ? (present?.defaultQueueType ?? null) : parseDefaultQueueType(type),
      isProtected: metadata.isProtected ?? present?.isProtected ?? false,
    })
    try {
      await this.#save()
    } catch (error) {
      if (present === undefined) this.#entries.delete(name)
      else this.#entries.set(name, present)
      throw error
    }
  }

  /** False if there is no such vhost. Throws, and it stays, if the disk refuses. */
  async remove(name: string): Promise<boolean> {
    const entry = this.#entries.get(name)
    if (entry === undefined) return false
    this.#entries.delete(name)
    try {
      await this.#save()
    } catch (error) {
      this.#entries.set(name, entry)
      throw error
    }
    return true
  }

  #save(): Promise<void> {
    return this.#document.save(this.list().map(formatEntry))
  }
}

export function vhostDirectoryName(name: string): string {
  return createHash("sha1").update(name, "utf8").digest("hex")
}

function checkVhostName(name: string): void {
  if (name === "" || /[\r\n]/.test(name) || Buffer.byteLength(name) > NAME_SIZE_MAX)
    throw new Refusal(
      "precondition-failed",
      `vhost name must have 1 to ${NAME_SIZE_MAX} bytes and no line break`,
    )
}

function formatEntry(entry: VhostEntry): Record<string, unknown> {
  const { name, dir, tracing, tags, description, defaultQueueType, isProtected } = entry
  return {
    name,
    dir,
    tracing,
    tags,
    description,
    cluster_state: {},
    ...(defaultQueueType !== null && { default_queue_type: defaultQueueType }),
    ...(isProtected && { protected_from_deletion: true }),
  }
}

/** Throws Refusal. RabbitMQ writes "undefined" for none into its definitions. */
function parseDefaultQueueType(type: string | null): QueueType | null {
  if (type === null || type === "" || type === "undefined") return null
  if (type === "classic" || type === "quorum" || type === "stream") return type
  throw new Refusal(
    "precondition-failed",
    `unknown default queue type '${type}' (classic, quorum, stream)`,
  )
}

/** The directory follows from the name. */
function parseEntry(value: unknown): VhostEntry {
  const fields = new Map<string, unknown>(
    typeof value === "object" && value !== null ? Object.entries(value) : [],
  )
  const name = fields.get("name")
  if (typeof name !== "string")
    throw new Refusal("internal-error", "vhosts.json has a vhost without a name")
  const tags: unknown = fields.get("tags")
  const description = fields.get("description")
  const type = fields.get("default_queue_type")
  return {
    name,
    dir: vhostDirectoryName(name),
    tracing: fields.get("tracing") === true,
    tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [],
    description: typeof description === "string" ? description : "",
    defaultQueueType: type === "classic" || type === "quorum" || type === "stream" ? type : null,
    isProtected: fields.get("protected_from_deletion") === true,
  }
}
