import type { Permissions } from "../auth/permissions.ts"
import type { TopicPermissions } from "../auth/topic-permissions.ts"
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

/** Asking whether it exists (a passive declaration): any of the three will do, as in RabbitMQ since 4.3.1. */
export function requireAny(access: Access, kind: ResourceKind, name: string): void {
  const { permissions, user, vhostName } = access
  const shown = shownName(kind, name)
  const mayAny =
    permissions.mayConfigure(user, vhostName, shown) ||
    permissions.mayWrite(user, vhostName, shown) ||
    permissions.mayRead(user, vhostName, shown)
  if (!mayAny) throw refused("configure, write or read", access, kind, shown)
}

/** Publishing to an exchange. */
export function requireWrite(access: Access, exchangeName: string): void {
  requireWriteTo(access, "exchange", exchangeName)
}

/** What a topic permission needs to know of an exchange. */
export interface TopicExchange {
  readonly name: string
  readonly type: string
}

/** Publishing with this key, if the exchange is a topic exchange; and the same for each key of CC and BCC. */
export function requireTopicWrite(
  access: Access,
  exchange: TopicExchange,
  routingKey: string,
): void {
  const topics = topicsOf(access, exchange)
  if (topics !== null && !topics.mayWrite(routingKey))
    throw topicRefused("write", access, exchange, routingKey)
}

/** Binding to the exchange, or unbinding from it, with this key. Null if there is no such exchange. */
export function requireTopicRead(
  access: Access,
  exchange: TopicExchange | null,
  bindingKey: string,
): void {
  if (exchange === null) return
  const topics = topicsOf(access, exchange)
  if (topics !== null && !topics.mayRead(bindingKey))
    throw topicRefused("read", access, exchange, bindingKey)
}

function topicsOf(access: Access, exchange: TopicExchange): TopicPermissions | null {
  if (exchange.type !== "topic") return null
  return access.permissions.topicsOf(access.user, access.vhostName, exchange.name)
}

function topicRefused(verb: string, access: Access, exchange: TopicExchange, key: string): Refusal {
  return new Refusal(
    "access-refused",
    `${verb} access to topic '${key}' in exchange '${exchange.name}' in vhost '${access.vhostName}' refused for user '${access.user.name}'`,
  )
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
