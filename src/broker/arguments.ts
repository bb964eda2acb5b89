import {
  ByteArray,
  equalFieldValues,
  formatFieldType,
  type FieldValue,
  type Table,
} from "../amqp/table.ts"
import {
  CONSUMER_RULES,
  DEDUPLICATION_RULES,
  EXCHANGE_ARGUMENTS,
  NOT_ON_QUORUM,
  NOT_ON_STREAM,
  QUEUE_RULES,
  text,
  type Rule,
} from "./argument-rules.ts"
import { Refusal } from "./errors.ts"
import { formatTerm } from "./exchange/table-key.ts"
import { queueTypeOf, type QueueType } from "./queue-type.ts"

/**
 * Which names and arguments a declare or consume may carry, and whether a redeclaration agrees with
 * what exists, with RabbitMQ's rules and texts. The rules of single arguments are argument-rules.ts;
 * what arguments do, and whose an exclusive queue is, is decided elsewhere.
 *
 * Arguments that nobody knows are stored and have no effect, as in RabbitMQ. A classic queue also
 * stores the known arguments of other types (LavinMQ); RabbitMQ refuses those.
 */

const NAME_SIZE_MAX = 255

export interface QueueAttributes {
  readonly name: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly arguments: Table
}

export interface QueueCandidate extends QueueAttributes {
  readonly exclusive: boolean
  /** The client gave no name. */
  readonly isServerNamed?: boolean
}

export interface ExchangeAttributes extends QueueAttributes {
  readonly type: string
  readonly internal: boolean
}

/** Refuses names that could not be shown or framed. RabbitMQ strips line breaks; we refuse them. */
export function checkName(kind: "queue" | "exchange", name: string): void {
  if (/[\r\n]/.test(name))
    throw precondition(`${kind} name ${JSON.stringify(name)} contains a line break`)
  if (Buffer.byteLength(name) > NAME_SIZE_MAX)
    throw precondition(`${kind} name is longer than ${NAME_SIZE_MAX} bytes`)
}

/** Throws Refusal unless a new queue may have these properties and arguments. */
export function checkQueueArguments(vhostName: string, queue: QueueCandidate): void {
  const subject = `queue '${queue.name}' in vhost '${vhostName}'`
  checkNameArgument(queue.arguments, "x-dead-letter-exchange", subject)
  checkArguments(queue.arguments, QUEUE_RULES, subject)
  const type = queue.arguments.get("x-queue-type")
  if (type !== "quorum" && type !== "stream") return
  const unsupported = type === "quorum" ? NOT_ON_QUORUM : NOT_ON_STREAM
  for (const name of unsupported)
    if (queue.arguments.has(name)) throw unsupportedByType(name, subject, type)
  if (type === "quorum" && queue.arguments.get("x-overflow") === "reject-publish-dlx")
    throw unsupportedByType("x-overflow", subject, type)
  if (queue.isServerNamed === true)
    throw precondition(`Cannot declare a server-named queue for type rabbit_${type}_queue`)
  if (!queue.durable) throw precondition(`invalid property 'non-durable' for ${subject}`)
  if (queue.exclusive) throw precondition(`invalid property 'exclusive-owner' for ${subject}`)
  if (queue.autoDelete) throw precondition(`invalid property 'auto-delete' for ${subject}`)
}

/** Throws Refusal unless a new exchange may have these arguments. Per-type rules are the type's. */
export function checkExchangeArguments(vhostName: string, name: string, args: Table): void {
  const subject = `exchange '${name}' in vhost '${vhostName}'`
  checkNameArgument(args, "alternate-exchange", subject)
  checkNameArgument(args, "x-alternate-exchange", subject)
  checkArguments(args, DEDUPLICATION_RULES, subject)
}

/** Throws Refusal unless a consumer of this queue may have these arguments. */
export function checkConsumerArguments(vhostName: string, queueName: string, args: Table): void {
  checkArguments(args, CONSUMER_RULES, `queue '${queueName}' in vhost '${vhostName}'`)
}

/**
 * Told of arguments that differ, where they are let pass (declare_mismatch = adopt); null where the
 * declaration is refused.
 */
export type AdoptMismatch = ((refusal: Refusal) => void) | null

/**
 * Throws Refusal at the first difference. All arguments count, also those without effect; they compare
 * by value, so 10 equals 10.0.
 *
 * Adopting lets differing arguments pass, but nothing by which a client would misunderstand the queue: how
 * long it lives, and whether it is a stream.
 */
export function checkQueueEquivalence(
  vhostName: string,
  current: QueueAttributes,
  received: QueueAttributes,
  adopt: AdoptMismatch = null,
): void {
  const subject = `queue '${current.name}' in vhost '${vhostName}'`
  compare("durable", subject, current.durable, received.durable)
  compare("auto_delete", subject, current.autoDelete, received.autoDelete)
  const isStream = queueTypeOf(current.arguments) === "stream"
  const isSameKind = isStream === (queueTypeOf(received.arguments) === "stream")
  if (current.arguments.size === 0 && received.arguments.size === 0) return
  const names = new Set([
    ...QUEUE_RULES.keys(), // Differences are named in the order of the rules.
    ...current.arguments.keys(),
    ...received.arguments.keys(),
  ])
  compareArguments(subject, names, current, received, isSameKind ? adopt : null)
}

/** Throws Refusal at the first difference. Of the arguments only those count that some type knows. */
export function checkExchangeEquivalence(
  vhostName: string,
  current: ExchangeAttributes,
  received: ExchangeAttributes,
  adopt: AdoptMismatch = null,
): void {
  const subject = `exchange '${current.name}' in vhost '${vhostName}'`
  compare("type", subject, current.type, received.type)
  compare("durable", subject, current.durable, received.durable)
  compare("auto_delete", subject, current.autoDelete, received.autoDelete)
  compare("internal", subject, current.internal, received.internal)
  compareArguments(subject, EXCHANGE_ARGUMENTS, current, received, adopt)
}

function checkArguments(args: Table, rules: ReadonlyMap<string, Rule>, subject: string): void {
  if (args.size === 0) return
  for (const [name, rule] of rules) {
    const value = args.get(name)
    if (value === undefined) continue
    const error = rule(value, args)
    if (error !== null) throw precondition(`invalid arg '${name}' for ${subject}: ${error}`)
  }
}

/** For arguments that name another exchange; RabbitMQ checks them first and words it differently. */
function checkNameArgument(args: Table, name: string, subject: string): void {
  const value = args.get(name)
  if (value !== undefined && text(value) !== null)
    throw precondition(`invalid type '${formatFieldType(value)}' for arg '${name}' in ${subject}`)
}

function unsupportedByType(name: string, subject: string, type: QueueType): Refusal {
  return precondition(`invalid arg '${name}' for ${subject} of queue type rabbit_${type}_queue`)
}

function precondition(message: string): Refusal {
  return new Refusal("precondition-failed", message)
}

function compare(
  name: string,
  subject: string,
  current: string | boolean,
  received: string | boolean,
): void {
  if (current !== received) throw inequivalent(name, subject, `'${received}'`, `'${current}'`)
}

/** Of the arguments with these names; the first difference counts. */
function compareArguments(
  subject: string,
  names: Iterable<string>,
  { arguments: current }: QueueAttributes,
  { arguments: received }: QueueAttributes,
  adopt: AdoptMismatch,
): void {
  for (const name of names) {
    const difference = argumentDifference(
      name,
      subject,
      argument(current, name),
      argument(received, name),
    )
    if (difference === null) continue
    if (adopt === null) throw difference
    adopt(difference)
    return
  }
}

function argumentDifference(
  name: string,
  subject: string,
  current: FieldValue | undefined,
  received: FieldValue | undefined,
): Refusal | null {
  if (current === undefined && received === undefined) return null
  if (current === undefined || received === undefined)
    return inequivalent(name, subject, describe(received), describe(current))
  if (equalFieldValues(current, received)) return null
  return inequivalent(name, subject, `'${show(received)}'`, `'${show(current)}'`)
}

/** A queue without a type is a classic one, so saying so makes no difference. */
function argument(table: Table, name: string): FieldValue | undefined {
  const value = table.get(name)
  return name === "x-queue-type" && value === "classic" ? undefined : value
}

function describe(value: FieldValue | undefined): string {
  if (value === undefined) return "none"
  return `the value '${show(value)}' of type '${formatFieldType(value)}'`
}

/** Strings as they are, everything else as an Erlang term. */
function show(value: FieldValue): string {
  if (typeof value === "string") return value
  if (value instanceof ByteArray) return value.bytes.toString("utf8")
  return Buffer.isBuffer(value) ? value.toString("utf8") : formatTerm(value)
}

function inequivalent(name: string, subject: string, received: string, current: string): Refusal {
  return new Refusal(
    "precondition-failed",
    `inequivalent arg '${name}' for ${subject}: received ${received} but current is ${current}`,
  )
}
