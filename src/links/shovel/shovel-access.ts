import type { PlainRecord } from "../../amqp/table.ts"
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
  if (destination.uris.some(isLocalUri)) checkUserId(user, config.publishProperties?.userId)
}

/** As if the user published the messages: a local shovel may carry any name, so the one it writes is looked at here. */
function checkUserId(user: User, userId: string | undefined): void {
  if (userId === undefined || userId === user.name || user.tags.includes("impersonator")) return
  throw new Refusal(
    "precondition-failed",
    `dest-publish-properties: user_id property set to '${userId}' but the shovel is set by user '${user.name}'`,
  )
}

/**
 * A shovel must not fill the queue that it empties. Only what is certain is refused: both ends are this
 * broker without a login, and nothing but the queue's own name is between them. One that ends after a number
 * of messages may pass each once.
 */
export function checkShovelEnds({ source, destination, deleteAfter }: ShovelConfig): void {
  const { queue } = source
  if (queue === null || destination.kind === "http" || deleteAfter !== "never") return
  const { exchange, exchangeKey } = destination
  const target = exchange === "" ? exchangeKey : destination.queue
  if (target !== queue) return
  const vhosts = new Set(source.uris.filter(isLocalUri).map(vhostOfUri))
  for (const uri of destination.uris)
    if (isLocalUri(uri) && vhosts.has(vhostOfUri(uri)))
      throw new Refusal(
        "precondition-failed",
        `the shovel would move queue '${queue}' in vhost '${vhostOfUri(uri)}' into itself for ever: ` +
          "name another destination, or let it end with src-delete-after",
      )
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

function checkSource(access: Access, source: SourceConfig): void {
  const { queue, exchange, exchangeKey, queueArguments } = source
  if (queue !== null) {
    requireConfigure(access, "queue", queue)
    requireRead(access, "queue", queue)
  }
  if (exchange !== null) {
    requireRead(access, "exchange", exchange)
    const { permissions, user, vhostName } = access
    if (permissions.topicsOf(user, vhostName, exchange)?.mayRead(exchangeKey) === false)
      throw topicsRefused("from", exchange, access)
  }
  checkDeadLetters(access, queueArguments)
}

function checkDestination(access: Access, destination: AmqpDestinationConfig): void {
  const { queue, exchange, queueArguments } = destination
  if (queue !== null) {
    requireConfigure(access, "queue", queue)
    requireWriteTo(access, "exchange", "")
    if (checkDeadLetters(access, queueArguments)) requireRead(access, "queue", queue)
  } else if (exchange === null) checkAnywhere(access)
  else {
    requireWriteTo(access, "exchange", exchange)
    checkTopics(access, exchange)
  }
}

/** What the queue loses goes there, if the shovel declares it. True if that is anywhere. */
function checkDeadLetters(access: Access, queueArguments: PlainRecord): boolean {
  const exchange = queueArguments["x-dead-letter-exchange"]
  if (typeof exchange !== "string") return false
  requireWriteTo(access, "exchange", exchange)
  return true
}

/** Messages bring their keys with them, in CC and BCC as well: whose keys are limited may not have them sent. */
function checkTopics(access: Access, exchange: string): void {
  const { permissions, user, vhostName } = access
  const topics = permissions.topicsOf(user, vhostName, exchange)
  if (topics !== null && topics.write !== ".*") throw topicsRefused("to", exchange, access)
}

function topicsRefused(way: "from" | "to", exchange: string, { vhostName, user }: Access): Refusal {
  return new Refusal(
    "access-refused",
    `a shovel ${way} exchange '${exchange}' in vhost '${vhostName}' is more than the topic permissions of user '${user.name}' allow`,
  )
}

/** Messages go to the exchange that they were published to, which may be any. */
function checkAnywhere(access: Access): void {
  const { user, vhostName } = access
  if (user.permissions.get(vhostName)?.write !== ".*")
    throw new Refusal(
      "access-refused",
      `a shovel to the original exchange needs write access to everything in vhost '${vhostName}': name a destination`,
    )
  for (const exchange of user.topicPermissions.get(vhostName)?.keys() ?? [])
    checkTopics(access, exchange)
}
