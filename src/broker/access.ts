import type { Permissions } from "../auth/permissions.ts"
import type { User } from "../auth/users.ts"
import { Refusal } from "./errors.ts"
import { DEFAULT_EXCHANGE_ALIAS } from "../auth/permissions.ts"

/**
 * Permission checks of operations (RabbitMQ's table of configure, write and read). Verdicts on the
 * path of a message are cached with the route, which the permission generation voids.
 */

/** Who asks, and where. */
export interface Access {
  readonly permissions: Permissions
  readonly user: User
  readonly vhostName: string
}

export type ResourceKind = "exchange" | "queue"

export function requireConfigure(access: Access, kind: ResourceKind, name: string): void {
  const shown = shownName(kind, name)
  if (!access.permissions.mayConfigure(access.user, access.vhostName, shown))
    throw refused("configure", access, kind, shown)
}

export function requireWriteTo(access: Access, kind: ResourceKind, name: string): void {
  const shown = shownName(kind, name)
  if (!access.permissions.mayWrite(access.user, access.vhostName, shown))
    throw refused("write", access, kind, shown)
}

export function requireRead(access: Access, kind: ResourceKind, name: string): void {
  const shown = shownName(kind, name)
  if (!access.permissions.mayRead(access.user, access.vhostName, shown))
    throw refused("read", access, kind, shown)
}

/** Publishing to an exchange. */
export function requireWrite(access: Access, exchangeName: string): void {
  requireWriteTo(access, "exchange", exchangeName)
}

function shownName(kind: ResourceKind, name: string): string {
  return kind === "exchange" && name === "" ? DEFAULT_EXCHANGE_ALIAS : name
}

function refused(verb: string, access: Access, kind: ResourceKind, name: string): Refusal {
  return new Refusal(
    "access-refused",
    `${verb} access to ${kind} '${name}' in vhost '${access.vhostName}' refused for user '${access.user.name}'`,
  )
}
