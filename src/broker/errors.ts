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
