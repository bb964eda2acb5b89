import type { User } from "../auth/users.ts"
import type { Access } from "../broker/access.ts"
import type { Broker } from "../broker/broker.ts"
import type { InspectedConnection } from "../broker/inspection.ts"
import type { Vhost } from "../broker/vhost.ts"
import { notAuthorised, notFound } from "./errors.ts"
import type { AccessLevel } from "./route.ts"

/** Who may see and call what, by tags and by permissions on vhosts. RabbitMQ's rules. */

const TAGS: Readonly<Record<Exclude<AccessLevel, "open">, readonly string[]>> = {
  management: ["administrator", "monitoring", "policymaker", "management"],
  monitoring: ["administrator", "monitoring"],
  policymaker: ["administrator", "policymaker"],
  administrator: ["administrator"],
}

const REASONS: Readonly<Record<Exclude<AccessLevel, "open">, string>> = {
  management: "User not authorised to access the management API",
  monitoring: "Not monitor user",
  policymaker: "Not policymaker user",
  administrator: "Not administrator user",
}

export function hasTag(user: User, level: Exclude<AccessLevel, "open">): boolean {
  return user.tags.some((tag) => TAGS[level].includes(tag))
}

export function requireTag(user: User, level: Exclude<AccessLevel, "open">): void {
  if (!hasTag(user, level)) throw notAuthorised(REASONS[level])
}

/** Administrators and monitors see every vhost, others those on which they have permissions. */
export function seesVhost(user: User, vhostName: string): boolean {
  return hasTag(user, "monitoring") || user.permissions.has(vhostName)
}

export function visibleVhosts(broker: Broker, user: User): Vhost[] {
  return [...broker.vhosts.values()].filter((vhost) => seesVhost(user, vhost.name))
}

/** Of one that the user cannot see nobody learns whether it exists: it is 401 in either case. */
export function findVhost(broker: Broker, user: User, name: string): Vhost {
  if (!seesVhost(user, name)) throw notAuthorised("User not authorised to access virtual host")
  const vhost = broker.vhosts.get(name)
  if (vhost === undefined) throw notFound()
  return vhost
}

/** For what the user asks the vhost to do: monitors who only look need more than their tag. */
export function checkMayChange(user: User, vhostName: string): void {
  if (!hasTag(user, "administrator") && !user.permissions.has(vhostName))
    throw notAuthorised("User not authorised to access virtual host")
}

export function accessOf(broker: Broker, user: User, vhostName: string): Access {
  return { permissions: broker.permissions, user, vhostName }
}

/** Administrators and monitors see every connection, others their own. */
export function seesConnection(user: User, connection: InspectedConnection): boolean {
  return hasTag(user, "monitoring") || connection.userName === user.name
}

export function visibleConnections(broker: Broker, user: User): InspectedConnection[] {
  const found: InspectedConnection[] = []
  for (const { inspected } of broker.connections)
    if (inspected.vhostName !== "" && seesConnection(user, inspected)) found.push(inspected)
  return found
}
