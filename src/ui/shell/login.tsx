import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { Banner, Button } from "../components/basics.tsx"
import { Field } from "../components/form.tsx"
import { Logo } from "../components/icon.tsx"
import { ApiError, messageOf } from "../core/api.ts"
import { logIn, user } from "../core/session.ts"

/** The login form, alone or over a page whose session has ended: that page and what was typed there stay. */
export function Login({ isOverPage = false }: { isOverPage?: boolean }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    document.title = "Log in · Sluice"
    dialog.current?.showModal()
  }, [])
  if (!isOverPage)
    return (
      <main class="login">
        <LoginForm />
      </main>
    )
  return (
    <dialog
      ref={dialog}
      class="dialog login-dialog"
      aria-label="Log in again"
      onCancel={(event) => event.preventDefault()}
    >
      <LoginForm note="Your session has ended. Log in to go on where you were." />
    </dialog>
  )
}

function LoginForm({ note }: { note?: string }): JSX.Element {
  const name = useSignal(user.value?.name ?? "")
  const password = useSignal("")
  const problem = useSignal("")
  const isBusy = useSignal(false)
  const submit = async (): Promise<void> => {
    isBusy.value = true
    problem.value = ""
    try {
      await logIn(name.value, password.value)
    } catch (error) {
      problem.value = explain(error)
      password.value = ""
    }
    isBusy.value = false
  }
  return (
    <form
      class="login-form"
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <div class="login-brand">
        <Logo size={40} />
        <div>
          <h1>Sluice</h1>
          <p>Message broker</p>
        </div>
      </div>
      {note !== undefined && <Banner>{note}</Banner>}
      <Field
        label="User name"
        value={name}
        autocomplete="username"
        isRequired
        hasFocus={name.value === ""}
      />
      <Field
        label="Password"
        value={password}
        type="password"
        autocomplete="current-password"
        isRequired
      />
      {problem.value !== "" && <Banner tone="danger">{problem.value}</Banner>}
      <Button type="submit" kind="primary" isBusy={isBusy.value}>
        Log in
      </Button>
      <p class="field-hint">
        The user needs a tag such as <code>management</code> or <code>administrator</code>. The
        default user may log in only from the machine on which the broker runs.
      </p>
    </form>
  )
}

function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return messageOf(error)
  if (error.status === 429)
    return "Too many failed attempts from this address. Wait some seconds, then try again."
  if (error.status === 401)
    return "Wrong user name or password, or this user has no tag for the management."
  return error.message
}
