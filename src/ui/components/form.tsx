import type { Signal } from "@preact/signals"
import { useSignal } from "@preact/signals"
import type { ComponentChildren, JSX } from "preact"
import { useId } from "preact/hooks"
import { ApiError, isAbort, messageOf } from "../core/api.ts"
import { Banner, Button, Help } from "./basics.tsx"

/**
 * Forms whose fields are signals, so that what was typed survives a refusal, a lost connection and a session
 * that ends. The form shows why the broker refused above its buttons.
 */
export interface FormProps {
  /** Throws what went wrong; ApiError and Error messages are shown as they are. */
  readonly onSubmit: () => Promise<void>
  /** Of the button: a verb. */
  readonly action: string
  readonly onCancel?: () => void
  readonly isDangerous?: boolean
  readonly children: ComponentChildren
}

export function Form({
  onSubmit,
  action,
  onCancel,
  isDangerous,
  children,
}: FormProps): JSX.Element {
  const error = useSignal("")
  const isBusy = useSignal(false)
  const submit = async (): Promise<void> => {
    if (isBusy.value) return
    isBusy.value = true
    error.value = ""
    try {
      await onSubmit()
    } catch (reason) {
      const isLogin = reason instanceof ApiError && reason.isSessionOver
      if (isLogin) error.value = "Your session had ended. Log in, then send this again."
      else if (!isAbort(reason)) error.value = messageOf(reason)
    }
    isBusy.value = false
  }
  return (
    <form
      class="form"
      noValidate={false}
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      {children}
      {error.value !== "" && <Banner tone="danger">{error.value}</Banner>}
      <div class="form-actions">
        {onCancel !== undefined && <Button onClick={onCancel}>Cancel</Button>}
        <Button
          type="submit"
          kind={isDangerous === true ? "danger" : "primary"}
          isBusy={isBusy.value}
        >
          {action}
        </Button>
      </div>
    </form>
  )
}

interface Labelled {
  readonly label: string
  /** Behind a question mark. */
  readonly help?: string
  /** Below the field, always. */
  readonly hint?: ComponentChildren
}

function Row(props: Labelled & { id: string; children: ComponentChildren }): JSX.Element {
  const { label, help, hint, id, children } = props
  return (
    <div class="field">
      <label for={id}>
        {label} {help !== undefined && <Help text={help} />}
      </label>
      {children}
      {hint !== undefined && (
        <p class="field-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  )
}

export interface FieldProps extends Labelled {
  readonly value: Signal<string>
  readonly type?: "text" | "number" | "password" | "search" | "url"
  readonly placeholder?: string
  readonly isRequired?: boolean
  readonly isMono?: boolean
  readonly isDisabled?: boolean
  /** More than one: a text area. */
  readonly lines?: number
  readonly min?: number
  readonly max?: number
  readonly autocomplete?: string
  readonly hasFocus?: boolean
  /** Names offered while typing. */
  readonly suggestions?: readonly string[]
}

export function Field(props: FieldProps): JSX.Element {
  const { value, type = "text", lines = 1, isRequired = false, suggestions } = props
  const id = useId()
  const common = {
    id,
    value: value.value,
    placeholder: props.placeholder,
    required: isRequired,
    disabled: props.isDisabled === true,
    spellcheck: false,
    autofocus: props.hasFocus === true,
    class: props.isMono === true ? "mono" : "",
    "aria-describedby": props.hint === undefined ? undefined : `${id}-hint`,
    onInput: (event: { currentTarget: { value: string } }) => {
      value.value = event.currentTarget.value
    },
  }
  return (
    <Row {...props} id={id}>
      {lines > 1 ? (
        <textarea {...common} rows={lines} />
      ) : (
        <input
          {...common}
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/no-unnecessary-type-assertion -- The types of JSX want one of them.
          type={type as "text"}
          min={props.min}
          max={props.max}
          autocomplete={props.autocomplete ?? "off"}
          ref={(input) => {
            if (suggestions !== undefined) input?.setAttribute("list", `${id}-list`)
          }}
        />
      )}
      {suggestions !== undefined && (
        <datalist id={`${id}-list`}>
          {suggestions.map((one) => (
            <option value={one} key={one} />
          ))}
        </datalist>
      )}
    </Row>
  )
}

export interface CheckboxProps extends Labelled {
  readonly value: Signal<boolean>
  readonly isDisabled?: boolean
}

export function Checkbox({ value, label, help, hint, isDisabled }: CheckboxProps): JSX.Element {
  const id = useId()
  return (
    <div class="field is-checkbox">
      <input
        type="checkbox"
        id={id}
        checked={value.value}
        disabled={isDisabled === true}
        onChange={(event) => {
          value.value = event.currentTarget.checked
        }}
      />
      <label for={id}>{label}</label>
      {help !== undefined && <Help text={help} />}
      {hint !== undefined && <p class="field-hint">{hint}</p>}
    </div>
  )
}

/** A value, or a value and how it is called. */
export type Option = string | readonly [value: string, label: string]

export interface SelectProps extends Labelled {
  readonly value: Signal<string>
  readonly options: readonly Option[]
  readonly isDisabled?: boolean
}

export function Select({ value, options, isDisabled, ...labelled }: SelectProps): JSX.Element {
  const id = useId()
  return (
    <Row {...labelled} id={id}>
      <select
        id={id}
        disabled={isDisabled === true}
        value={value.value}
        onChange={(event) => {
          value.value = event.currentTarget.value
        }}
      >
        {options.map((option) => {
          const [key, label] = typeof option === "string" ? [option, option] : option
          return (
            <option value={key} key={key}>
              {label}
            </option>
          )
        })}
      </select>
    </Row>
  )
}

/** Fields beside each other where there is room. */
export function FieldRow({ children }: { children: ComponentChildren }): JSX.Element {
  return <div class="field-row">{children}</div>
}
