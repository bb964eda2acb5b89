import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Button, CopyButton } from "../../components/basics.tsx"
import { Field } from "../../components/form.tsx"
import { generatePassword } from "../../core/password.ts"

/** A new password: hidden until asked for, or made here and copied. */
export interface PasswordFieldProps {
  readonly value: Signal<string>
  readonly hint?: string
  readonly isRequired?: boolean
}

export function PasswordField({
  value,
  hint,
  isRequired = false,
}: PasswordFieldProps): JSX.Element {
  const isShown = useSignal(false)
  return (
    <div class="password-field">
      <Field
        label="Password"
        value={value}
        type={isShown.value ? "text" : "password"}
        autocomplete="new-password"
        isRequired={isRequired}
        isMono
        {...(hint === undefined ? {} : { hint })}
      />
      <div class="row">
        <Button
          icon="eye"
          onClick={() => {
            isShown.value = !isShown.value
          }}
        >
          {isShown.value ? "Hide" : "Show"}
        </Button>
        <Button
          icon="refresh"
          onClick={() => {
            value.value = generatePassword()
            isShown.value = true
          }}
        >
          Generate
        </Button>
        {value.value !== "" && <CopyButton text={value.value} label="Copy the password" />}
      </div>
    </div>
  )
}
