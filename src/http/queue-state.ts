import type { User } from "../auth/users.ts"
import { requireConfigure } from "../broker/access.ts"
import type { MessageQueue } from "../broker/queue/message-queue.ts"
import { restartQueue } from "../broker/restart-queue.ts"
import type { Vhost } from "../broker/vhost.ts"
import type { Api } from "./api.ts"
import { queueNamed } from "./queues.ts"
import { DONE, NO_CONTENT, route } from "./route.ts"
import type { ApiRequest, Route } from "./route.ts"
import { accessOf, checkMayChange, findVhost } from "./visibility.ts"

/** Queues are paused, resumed and restarted: whoever may delete a queue may do that. */

type InQueue = Pick<ApiRequest<"vhost" | "name">, "user" | "params">

interface Found {
  readonly vhost: Vhost
  readonly queue: MessageQueue
}

function queueToSteer(api: Api, { user, params }: InQueue): Found {
  const vhost = findVhost(api.broker, user, params.vhost)
  checkMayChange(user, vhost.name)
  const { name } = queueNamed(vhost, params.name)
  checkConfigure(api, user, vhost, name)
  return { vhost, queue: vhost.queue(name, null) }
}

function checkConfigure(api: Api, user: User, vhost: Vhost, name: string): void {
  requireConfigure(accessOf(api.broker, user, vhost.name), "queue", name)
}

export const QUEUE_STATE_ROUTES: readonly Route[] = [
  route({
    method: "PUT",
    path: "/api/queues/:vhost/:name/pause",
    group: "Queues",
    summary: "Pauses a queue: it takes messages and delivers none, until it is resumed",
    responses: DONE,
    async handle(api, request) {
      const { vhost, queue } = queueToSteer(api, request)
      await vhost.paused.set(queue, true)
      return NO_CONTENT
    },
  }),
  route({
    method: "PUT",
    path: "/api/queues/:vhost/:name/resume",
    group: "Queues",
    summary: "Lets a paused queue deliver again",
    responses: DONE,
    async handle(api, request) {
      const { vhost, queue } = queueToSteer(api, request)
      await vhost.paused.set(queue, false)
      return NO_CONTENT
    },
  }),
  route({
    method: "PUT",
    path: "/api/queues/:vhost/:name/restart",
    group: "Queues",
    summary: "Cancels the consumers of a queue and reads its messages from disk again",
    responses: DONE,
    handle(api, request) {
      const { vhost, queue } = queueToSteer(api, request)
      restartQueue(api.broker, vhost, queue)
      return NO_CONTENT
    },
  }),
]
