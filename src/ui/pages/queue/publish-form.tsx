import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Banner } from "../../components/basics.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { Field, FieldRow, Form } from "../../components/form.tsx"
import { post } from "../../core/api.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll } from "../../core/use-poll.ts"
import { apiPath } from "../../lib/route.ts"
import type { Message } from "../messages/types.ts"
import { MessageFields, messageOf, usePublishFields } from "./publish-fields.tsx"

/** Publishes a message: a new one, or a copy of one that is there. What was typed stays for the next one. */
export interface PublishFormProps {
  readonly vhost: string
  /** What the form begins with; an exchange "" is the default one. */
  readonly initial: Partial<Message>
  /** The queue that it is for: exchange and key are not asked for. */
  readonly queue?: string
  readonly onCancel?: () => void
  readonly onDone?: () => void
}

export function PublishForm(props: PublishFormProps): JSX.Element {
  const { vhost, initial, queue } = props
  const exchange = useSignal(initial.exchange ?? "")
  const routingKey = useSignal(initial.routing_key ?? queue ?? "")
  const fields = usePublishFields(initial)
  const isUnrouted = useSignal(false)
  const submit = async (): Promise<void> => {
    isUnrouted.value = false
    const { routed } = await post<{ readonly routed: boolean }>(
      apiPath`exchanges/${vhost}/${exchange.value === "" ? "amq.default" : exchange.value}/publish`,
      { routing_key: routingKey.value, ...messageOf(fields) },
    )
    isUnrouted.value = !routed
    if (!routed) return
    toast("success", "Published, a queue has it")
    refreshAll()
    props.onDone?.()
  }
  return (
    <Form
      action="Publish"
      onSubmit={submit}
      {...(props.onCancel !== undefined && { onCancel: props.onCancel })}
    >
      {queue === undefined && <Target exchange={exchange} routingKey={routingKey} />}
      <MessageFields fields={fields} />
      {isUnrouted.value && (
        <Banner tone="warn" title="No queue took it.">
          Nothing is bound that matches this routing key, or it was a duplicate. The message is
          gone; the form still has it.
        </Banner>
      )}
    </Form>
  )
}

function Target(props: { exchange: Signal<string>; routingKey: Signal<string> }): JSX.Element {
  return (
    <FieldRow>
      <Field label="Exchange" value={props.exchange} isMono hint="Empty: the default exchange" />
      <Field
        label="Routing key"
        value={props.routingKey}
        isMono
        hint="For the default exchange: the queue's name"
      />
    </FieldRow>
  )
}

export interface PublishDialogProps {
  readonly vhost: string
  readonly initial: Partial<Message>
  readonly onClose: () => void
}

/** A copy of a message, to be changed before it goes out. */
export function PublishDialog({ vhost, initial, onClose }: PublishDialogProps): JSX.Element {
  return (
    <Dialog title="Publish again" isDrawer onClose={onClose}>
      <p class="form-lead">
        A copy goes out with these properties and headers; the message itself stays where it is.
      </p>
      <PublishForm vhost={vhost} initial={initial} onCancel={onClose} onDone={onClose} />
    </Dialog>
  )
}
