/** A policy or operator policy, as the API shows it. */
export interface PolicyRow {
  readonly name: string
  readonly vhost: string
  readonly pattern: string
  readonly "apply-to": string
  readonly priority: number
  readonly definition: Readonly<Record<string, unknown>>
}

export interface PolicyKind {
  /** Of the API and of the address. */
  readonly path: "policies" | "operator-policies"
  readonly title: string
  readonly word: string
  readonly noun: readonly [one: string, many: string]
  readonly about: string
  /** Of a queue: which of them is in force. */
  readonly field: "policy" | "operator_policy"
  readonly level: "policymaker" | "administrator"
}

export const APPLY_TO = [
  ["all", "queues and exchanges"],
  ["queues", "queues of every type"],
  ["classic_queues", "classic queues"],
  ["quorum_queues", "quorum queues"],
  ["streams", "streams"],
  ["exchanges", "exchanges"],
] as const

/** What a policy can apply to: the type of a queue, or an exchange. */
export function appliesTo(applyTo: string, subject: string): boolean {
  if (applyTo === "all") return true
  if (subject === "exchange") return applyTo === "exchanges"
  return applyTo === "queues" || applyTo === `${subject}_queues` || applyTo === `${subject}s`
}
