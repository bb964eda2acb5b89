import { StorageError } from "../storage/disk.ts"

/**
 * The broker's "no": an operation that cannot be done for a reason that lies with the caller or with
 * the broker's state. Not for broken protocol (ProtocolError), bugs (AssertionError) or disks
 * (StorageError).
 */

/** Why the broker refused. Protocol adapters map it to their codes; the broker names no wire code. */
export type RefusalKind =
  | "not-found"
  | "precondition-failed"
  | "access-refused"
  | "resource-locked"
  | "not-allowed"
  | "not-implemented"
  | "resource-error"
  | "internal-error"
  | "command-invalid"
  | "connection-forced"

/** `message` is RabbitMQ's explanation without the leading code name: clients match on these texts. */
export class Refusal extends Error {
  override readonly name = "Refusal"
  readonly kind: RefusalKind

  constructor(kind: RefusalKind, message: string) {
    super(message)
    this.kind = kind
  }
}

/** For changes that are in force before they are saved. Throws Refusal if the disk refuses them. */
export async function savedInForce<T>(saving: Promise<T>): Promise<T> {
  try {
    return await saving
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    throw new Refusal(
      "resource-error",
      `the change is in force, but it could not be saved: ${error.message}. ` +
        "It is lost at a restart, unless another one of its kind is saved before",
    )
  }
}
