/** Commands that move messages, and wait until that is done. */
import type { CommandSpec, OptionSpec } from "../command.ts"
import { CliError, EXIT, usageError } from "../exit-codes.ts"
import { segment } from "../session.ts"
import type { Session } from "../session.ts"
import { fieldsOf } from "../text.ts"

const QUEUE = { name: "queue", doc: "Name of the queue that they are taken from" }
const POLL_MS = 200

const FILTER_OPTIONS: readonly OptionSpec[] = [
  { flags: "--count <count>", min: 1, doc: "Messages at most (default all)" },
  { flags: "--rate <count>", min: 1, doc: "Messages per second (default no limit)" },
  { flags: "--header <name=value>", doc: "Only messages with this header" },
  {
    flags: "--reason <reason>",
    doc: "Only those that died so: rejected, expired, maxlen, delivery_limit",
  },
  { flags: "--exchange <name>", doc: "Only those that were published to this exchange" },
  { flags: "--routing-key <key>", doc: "Only those that were published with this key" },
  { flags: "--older-than <seconds>", min: 0, doc: "Only those that the queue has had for longer" },
  { flags: "--newer-than <seconds>", min: 0, doc: "Only those that it has had for less" },
  { flags: "--dry-run", doc: "Only say how many it would be" },
  { flags: "--no-wait", doc: "Print the id of the job and do not wait for its end" },
]

function commonBody({ values }: Session): Record<string, unknown> {
  const filter: Record<string, unknown> = {}
  const header = values.optional("--header")
  if (header !== undefined) {
    const at = header.indexOf("=")
    if (at < 1) throw usageError("--header must be name=value")
    filter["header"] = { [header.slice(0, at)]: header.slice(at + 1) }
  }
  const texts = { reason: "--reason", exchange: "--exchange", routing_key: "--routing-key" }
  for (const [name, flag] of Object.entries(texts)) {
    const value = values.optional(flag)
    if (value !== undefined) filter[name] = value
  }
  const ages = { older_than: "--older-than", newer_than: "--newer-than" }
  for (const [name, flag] of Object.entries(ages)) {
    const value = values.number(flag)
    if (value !== undefined) filter[name] = value
  }
  const count = values.number("--count")
  const rate = values.number("--rate")
  return {
    filter,
    ...(count === undefined ? {} : { count }),
    ...(rate === undefined ? {} : { rate }),
    ...(values.isOn("--dry-run") ? { dry_run: true } : {}),
  }
}

async function runJob(session: Session, verb: string, body: unknown): Promise<void> {
  const { api, output, values } = session
  const path = session.path(`/api/queues/{vhost}/{queue}/${verb}`)
  const { body: started } = await api.request("POST", path, { body })
  let job = fieldsOf(started)
  const id = String(job["id"])
  if (values.isOff("--wait")) {
    await output.text(id)
    return
  }
  while (job["state"] === "running") {
    await session.sleep(POLL_MS)
    job = fieldsOf(await api.get(`/api/jobs/${segment(id)}`))
  }
  const moved = String(job["moved"])
  if (job["state"] !== "completed")
    throw new CliError(
      EXIT.software,
      `${String(job["state"])} after ${moved} messages: ${typeof job["error"] === "string" ? job["error"] : ""}`,
    )
  await output.record({
    matched: job["matched"],
    moved: job["moved"],
    skipped: job["skipped"],
    dry_run: job["dry_run"],
  })
}

async function moveMessages(session: Session): Promise<void> {
  const { values } = session
  const names = {
    dest_queue: "--dest-queue",
    dest_exchange: "--dest-exchange",
    dest_routing_key: "--dest-routing-key",
    dest_vhost: "--dest-vhost",
  }
  const body = commonBody(session)
  for (const [name, flag] of Object.entries(names)) {
    const value = values.optional(flag)
    if (value !== undefined) body[name] = value
  }
  if ((body["dest_queue"] === undefined) === (body["dest_exchange"] === undefined))
    throw usageError("one of --dest-queue and --dest-exchange is needed")
  await session.say(`Moving messages of queue "{queue}" in vhost "{vhost}" ...`)
  await runJob(session, "move", body)
}

async function redrive(session: Session): Promise<void> {
  const to = session.values.optional("--to")
  const timesMax = session.values.number("--max-redrives")
  await session.say(`Sending dead letters of queue "{queue}" in vhost "{vhost}" back ...`)
  await runJob(session, "redrive", {
    ...commonBody(session),
    ...(to === undefined ? {} : { to }),
    ...(timesMax === undefined ? {} : { max_redrives: timesMax }),
  })
}

const JOB_CALL = "GET /api/jobs/{id}"

export const MOVE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "move_messages",
    group: "Queues",
    summary: "Moves messages of a queue to another queue or exchange",
    details: "Messages that do not match stay where they are.",
    arguments: [QUEUE],
    options: [
      { flags: "--dest-queue <name>", doc: "The queue that they go to" },
      { flags: "--dest-exchange <name>", doc: "Or the exchange" },
      { flags: "--dest-routing-key <key>", doc: "With this key; default the one they have" },
      { flags: "--dest-vhost <name>", doc: "In another virtual host" },
      ...FILTER_OPTIONS,
    ],
    usesVhost: true,
    calls: ["POST /api/queues/{vhost}/{queue}/move", JOB_CALL],
    run: moveMessages,
  },
  {
    name: "redrive",
    group: "Queues",
    summary: "Sends the dead letters of a queue back to where they died",
    arguments: [QUEUE],
    options: [
      {
        flags: "--to <place>",
        choices: ["exchange", "queue"],
        doc: "To the exchange with the key they had (default), or to the queue",
      },
      {
        flags: "--max-redrives <count>",
        min: 0,
        doc: "How often a message is sent back (default 3, 0 is no limit)",
      },
      ...FILTER_OPTIONS,
    ],
    usesVhost: true,
    calls: ["POST /api/queues/{vhost}/{queue}/redrive", JOB_CALL],
    run: redrive,
  },
]
