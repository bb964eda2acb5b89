import type { JSX } from "preact"
import { toast } from "../core/toasts.ts"
import { refreshAll } from "../core/use-poll.ts"
import { Dialog } from "./dialog.tsx"
import type { DialogProps } from "./dialog.tsx"
import { Form } from "./form.tsx"
import type { FormProps } from "./form.tsx"

/** A form in a window of its own. When it was sent it tells so, closes, and the page asks for news. */
export interface FormDialogProps
  extends Omit<DialogProps, "children">, Omit<FormProps, "onSubmit" | "onCancel"> {
  /** Throws as Form's; what it returns is told. */
  readonly onSubmit: () => Promise<string>
}

export function FormDialog(props: FormDialogProps): JSX.Element {
  const { onClose, onSubmit } = props
  const submit = async (): Promise<void> => {
    toast("success", await onSubmit())
    refreshAll()
    onClose()
  }
  return (
    <Dialog {...props}>
      <Form {...props} onSubmit={submit} onCancel={onClose} />
    </Dialog>
  )
}
