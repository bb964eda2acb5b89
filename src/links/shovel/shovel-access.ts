import type { User } from "../../auth/users.ts"
import { requireConfigure, requireRead, requireWriteTo } from "../../broker/access.ts"
import type { Access } from "../../broker/access.ts"
import type { Broker } from "../../broker/broker.ts"
import { Refusal } from "../../broker/errors.ts"
import { isLocalUri, vhostOfUri } from "../link-uri.ts"
import type { AmqpDestinationConfig, ShovelConfig, SourceConfig } from "./shovel-config.ts"

/**
 * Whether somebody may set up a shovel that acts on this broker without a login: what it will do must be
 * allowed to who sets it up.
 */
export function checkShovelAccess(broker: Broker, user: User, config: ShovelConfig): void {
  for (const uri of config.source.uris)
    if (isLocalUri(uri)) checkSource(accessTo(broker, user, vhostOfUri(uri)), config.source)
  const { destination } = config
  if (destination.kind === "http") return
  for (const uri of destination.uris)
    if (isLocalUri(uri)) checkDestination(accessTo(broker, user, vhostOfUri(uri)), destination)
}

function accessTo(broker: Broker, user: User, vhostName: string): Access {
  const { permissions } = broker
  if (!broker.vhosts.has(vhostName))
    throw new Refusal("precondition-failed", `vhost '${vhostName}' not found`)
  if (!permissions.mayConnect(user, vhostName))
    throw new Refusal(
      "access-refused",
      `access to vhost '${vhostName}' refused for user '${user.name}'`,
    )
  return { permissions, user, vhostName }
}

function checkSource(access: Access, { queue, exchange }: SourceConfig): void {
  if (queue !== null) {
    requireConfigure(access, "queue", queue)
    requireRead(access, "queue", queue)
  }
  if (exchange !== null) requireRead(access, "exchange", exchange)
}

function checkDestination(access: Access, destination: AmqpDestinationConfig): void {
  const { queue, exchange } = destination
  if (queue !== null) {
    requireConfigure(access, "queue", queue)
    requireWriteTo(access, "exchange", "")
  } else if (exchange !== null) requireWriteTo(access, "exchange", exchange)
  else checkAnywhere(access)
}

/** Messages go to the exchange that they were published to, which may be any. */
function checkAnywhere({ user, vhostName }: Access): void {
  if (user.permissions.get(vhostName)?.write === ".*") return
  throw new Refusal(
    "access-refused",
    `a shovel to the original exchange needs write access to everything in vhost '${vhostName}': name a destination`,
  )
}
