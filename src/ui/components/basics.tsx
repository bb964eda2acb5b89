import type { ComponentChildren, JSX } from "preact"
import { useId, useState } from "preact/hooks"
import { messageOf } from "../core/api.ts"
import { clock } from "../core/clock.ts"
import { Icon } from "./icon.tsx"
import type { IconName } from "./icon.tsx"

/** Small parts that every page uses: page head, panel, badge, banner, tile, list, tabs, button. */

type Tone = "neutral" | "ok" | "warn" | "danger" | "accent"

export interface PageProps {
  readonly title: ComponentChildren
  /** Beside the title: badges and the like. */
  readonly badges?: ComponentChildren
  /** One line below the title. */
  readonly about?: ComponentChildren
  /** Buttons on the right. */
  readonly actions?: ComponentChildren
  /** The way back, for pages of one thing. */
  readonly parent?: { readonly label: string; readonly href: string }
  readonly children: ComponentChildren
}

export function Page({ title, badges, about, actions, parent, children }: PageProps): JSX.Element {
  return (
    <div class="page">
      <header class="page-head">
        <div class="page-title">
          {parent !== undefined && (
            <a class="page-parent" href={parent.href}>
              {parent.label} <Icon name="chevron" size={12} />
            </a>
          )}
          <h1>{title}</h1>
          {badges}
          {about !== undefined && <p class="page-about">{about}</p>}
        </div>
        {actions !== undefined && <div class="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  )
}

export interface PanelProps {
  readonly title?: ComponentChildren
  readonly actions?: ComponentChildren
  /** Without inner distance, for tables. */
  readonly isFlush?: boolean
  readonly class?: string
  readonly children: ComponentChildren
}

export function Panel(props: PanelProps): JSX.Element {
  const { title, actions, isFlush = false, children } = props
  return (
    <section class={`panel ${isFlush ? "is-flush" : ""} ${props.class ?? ""}`}>
      {(title !== undefined || actions !== undefined) && (
        <header class="panel-head">
          <h2>{title}</h2>
          {actions}
        </header>
      )}
      <div class="panel-body">{children}</div>
    </section>
  )
}

export interface BadgeProps {
  readonly tone?: Tone
  /** Explains a short one; shown on hover and read by screen readers. */
  readonly title?: string
  readonly children: ComponentChildren
}

export function Badge({ tone = "neutral", title, children }: BadgeProps): JSX.Element {
  return (
    <span class={`badge is-${tone}`} title={title}>
      {children}
      {title !== undefined && <span class="sr-only"> ({title})</span>}
    </span>
  )
}

/** A dot and a word: quiet when all is well, coloured when it is not. */
export function State({
  tone = "neutral",
  children,
}: {
  tone?: Tone
  children: ComponentChildren
}): JSX.Element {
  return <span class={`state is-${tone}`}>{children}</span>
}

export interface BannerProps {
  readonly tone?: Tone
  readonly title?: string
  readonly action?: ComponentChildren
  readonly children?: ComponentChildren
}

export function Banner({ tone = "neutral", title, action, children }: BannerProps): JSX.Element {
  const icon: IconName = tone === "ok" ? "check" : tone === "neutral" ? "info" : "alert"
  return (
    <div class={`banner is-${tone}`} role={tone === "danger" ? "alert" : "status"}>
      <Icon name={icon} />
      <div class="banner-text">
        {title !== undefined && <strong>{title}</strong>} {children}
      </div>
      {action}
    </div>
  )
}

/** Why something could not be shown, and the way to try again. */
export function ErrorBanner({ error, retry }: { error: unknown; retry?: () => void }): JSX.Element {
  return (
    <Banner
      tone="danger"
      action={
        retry && (
          <Button onClick={retry} icon="refresh">
            Try again
          </Button>
        )
      }
    >
      {messageOf(error)}
    </Banner>
  )
}

export interface EmptyProps {
  readonly icon?: IconName
  readonly title: string
  /** What to do next. */
  readonly children?: ComponentChildren
}

export function Empty({ icon = "inbox", title, children }: EmptyProps): JSX.Element {
  return (
    <div class="empty">
      <Icon name={icon} size={28} />
      <strong>{title}</strong>
      <div>{children}</div>
    </div>
  )
}

export interface TileProps {
  readonly label: string
  readonly value: ComponentChildren
  /** A smaller second line. */
  readonly note?: ComponentChildren
  readonly href?: string
  readonly tone?: Tone
}

export function Tile({ label, value, note, href, tone = "neutral" }: TileProps): JSX.Element {
  const inner = (
    <>
      <span class="tile-label">{label}</span>
      <span class="tile-value">{value}</span>
      {note !== undefined && <span class="tile-note">{note}</span>}
    </>
  )
  return href === undefined ? (
    <div class={`tile is-${tone}`}>{inner}</div>
  ) : (
    <a class={`tile is-${tone}`} href={href}>
      {inner}
    </a>
  )
}

export function Tiles({ children }: { children: ComponentChildren }): JSX.Element {
  return <div class="tiles">{children}</div>
}

/** A bar that says how much of something is used; coloured by `tone`. */
export function Meter(props: { fraction: number; label: string; tone?: Tone }): JSX.Element {
  const { fraction, label, tone = "accent" } = props
  const percent = Math.min(100, Math.max(0, fraction * 100))
  return (
    <div
      class={`meter is-${tone}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(percent)}
    >
      <div style={{ width: `${percent.toFixed(1)}%` }} />
    </div>
  )
}

export type KeyValueItem = readonly [label: string, value: ComponentChildren, help?: string]

/** Pairs; those whose value is null or undefined are left out. */
export function KeyValues({ items }: { items: readonly KeyValueItem[] }): JSX.Element {
  return (
    <dl class="key-values">
      {items
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([label, value, help]) => (
          <div key={label}>
            <dt>
              {label} {help !== undefined && <Help text={help} />}
            </dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

/** A question mark that explains on hover, focus and touch. */
export function Help({ text }: { text: string }): JSX.Element {
  const id = useId()
  return (
    <span class="help">
      <button type="button" class="help-mark" aria-label="Help" aria-describedby={id}>
        <Icon name="help" size={13} />
      </button>
      <span class="help-text" role="tooltip" id={id}>
        {text}
      </span>
    </span>
  )
}

export interface ButtonProps {
  readonly icon?: IconName
  readonly kind?: "plain" | "primary" | "danger" | "quiet"
  /** For a button with an icon only. */
  readonly label?: string
  readonly type?: "button" | "submit"
  readonly isDisabled?: boolean
  readonly isBusy?: boolean
  readonly title?: string
  readonly onClick?: () => void
  readonly children?: ComponentChildren
}

export function Button(props: ButtonProps): JSX.Element {
  const { icon, kind = "plain", label, type = "button", isDisabled, isBusy = false } = props
  return (
    <button
      type={type}
      class={`button is-${kind} ${props.children === undefined ? "is-icon" : ""}`}
      aria-label={label}
      title={props.title ?? label}
      disabled={isDisabled === true || isBusy}
      aria-busy={isBusy}
      onClick={props.onClick}
    >
      {icon !== undefined && <Icon name={icon} />}
      {props.children}
    </button>
  )
}

export function CopyButton({
  text,
  label = "Copy",
}: {
  text: string
  label?: string
}): JSX.Element {
  const [isDone, setDone] = useState(false)
  const copy = async (): Promise<void> => {
    await copyText(text)
    setDone(true)
    clock.setTimer(1500, () => setDone(false))
  }
  return (
    <Button
      kind="quiet"
      icon={isDone ? "check" : "copy"}
      label={isDone ? "Copied" : label}
      onClick={() => void copy()}
    />
  )
}

/** Browsers give the clipboard to encrypted pages only; the old way works everywhere. */
export async function copyText(text: string): Promise<void> {
  if (isSecureContext) return navigator.clipboard.writeText(text)
  const area = document.createElement("textarea")
  area.value = text
  document.body.append(area)
  area.select()
  document.execCommand("copy")
  area.remove()
}

export interface TabsProps {
  readonly tabs: readonly { readonly id: string; readonly label: ComponentChildren }[]
  readonly active: string
  readonly onSelect: (id: string) => void
  readonly label: string
}

/** The panels are the page's matter: show the one that is active. Arrow keys go from tab to tab. */
export function Tabs({ tabs, active, onSelect, label }: TabsProps): JSX.Element {
  const step = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0
    if (by === 0) return
    const index = tabs.findIndex(({ id }) => id === active)
    const next = tabs[(index + by + tabs.length) % tabs.length]
    if (next !== undefined) onSelect(next.id)
    event.preventDefault()
  }
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={step}>
      {tabs.map((tab) => (
        <button
          type="button"
          role="tab"
          key={tab.id}
          aria-selected={tab.id === active}
          tabIndex={tab.id === active ? 0 : -1}
          onClick={() => onSelect(tab.id)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  )
}

/** While the first answer is under way. */
export function Loading({ lines = 3 }: { lines?: number }): JSX.Element {
  return (
    <div class="loading" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, i) => (
        <div class="skeleton" key={i} />
      ))}
    </div>
  )
}
