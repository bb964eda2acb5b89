/** Users and what they may, as the API shows them. */
export interface UserRow {
  readonly name: string
  readonly password_hash: string
  readonly hashing_algorithm: string | null
  readonly tags: readonly string[]
  readonly limits: Readonly<Record<string, number>>
}

export interface Permission {
  readonly user: string
  readonly vhost: string
  readonly configure: string
  readonly write: string
  readonly read: string
}

export interface TopicPermission {
  readonly user: string
  readonly vhost: string
  readonly exchange: string
  readonly write: string
  readonly read: string
}

export const TAGS: readonly (readonly [tag: string, help: string])[] = [
  ["administrator", "Everything: users, virtual hosts, definitions, logs"],
  ["monitoring", "Sees all virtual hosts, connections and the nodes"],
  ["policymaker", "Policies and parameters of the virtual hosts with permissions"],
  ["management", "The UI and the API for the virtual hosts with permissions"],
]
