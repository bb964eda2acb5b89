import type { JSX } from "preact"
import { Button } from "../components/basics.tsx"
import { Icon } from "../components/icon.tsx"
import type { IconName } from "../components/icon.tsx"
import { closeOutside } from "../components/close-outside.ts"
import { act } from "../core/act.ts"
import { isHelpOpen } from "../core/keyboard.ts"
import { INTERVALS, refreshMs } from "../core/refresh.ts"
import { logOut, user } from "../core/session.ts"
import { nextTheme, themeChoice } from "../core/theme.ts"
import type { ThemeChoice } from "../core/theme.ts"
import { refreshAll, usePoll } from "../core/use-poll.ts"
import { chosenVhost, currentVhost, vhostNames } from "../core/vhosts.ts"
import { isDrawerOpen } from "./sidebar.tsx"

/** Above every page: which broker this is, vhost, refresh, theme and user. */
interface Identity {
  readonly cluster_name: string
  readonly node: string
  readonly product_version: string
}

export function Header(): JSX.Element {
  const { data } = usePoll<Identity>("overview?columns=cluster_name,node,product_version", {
    intervalMs: 60_000,
  })
  return (
    <header class="header">
      <span class="phone-only">
        <Button
          kind="quiet"
          icon="menu"
          label="Pages"
          onClick={() => {
            isDrawerOpen.value = true
          }}
        />
      </span>
      <div class="header-identity">
        {data !== null && (
          <>
            <strong>{data.cluster_name}</strong>
            <span class="muted wide-only">{data.node}</span>
            <span class="muted wide-only">{data.product_version}</span>
          </>
        )}
      </div>
      <VhostSelector />
      <RefreshSelector />
      <ThemeButton />
      <UserMenu />
    </header>
  )
}

function VhostSelector(): JSX.Element {
  return (
    <label class="header-select">
      <span class="wide-only">Virtual host</span>
      <select
        aria-label="Virtual host"
        value={currentVhost.value}
        onChange={(event) => {
          chosenVhost.value = event.currentTarget.value
        }}
      >
        <option value="">All</option>
        {vhostNames.value.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}

function RefreshSelector(): JSX.Element {
  return (
    <div class="header-select wide-only">
      <Button kind="quiet" icon="refresh" label="Refresh now (r)" onClick={refreshAll} />
      <select
        aria-label="Refresh every"
        value={String(refreshMs.value)}
        onChange={(event) => {
          refreshMs.value = Number(event.currentTarget.value)
        }}
      >
        {INTERVALS.map(([ms, label]) => (
          <option key={ms} value={String(ms)}>
            {label}
          </option>
        ))}
      </select>
    </div>
  )
}

const THEME_ICONS: Readonly<Record<ThemeChoice, IconName>> = {
  system: "screen",
  light: "sun",
  dark: "moon",
}

function ThemeButton(): JSX.Element {
  const { value } = themeChoice
  return (
    <Button kind="quiet" icon={THEME_ICONS[value]} label={`Theme: ${value}`} onClick={nextTheme} />
  )
}

function UserMenu(): JSX.Element {
  const who = user.value
  return (
    <details class="menu user-menu" onBlur={closeOutside}>
      <summary class="button is-quiet" aria-label={`User ${who?.name ?? ""}`}>
        <Icon name="user" /> <span class="wide-only">{who?.name}</span>
      </summary>
      <div class="menu-list">
        <p class="menu-note">
          <strong>{who?.name}</strong>
          <br />
          {who?.tags.join(", ")}
        </p>
        <button
          type="button"
          onClick={() => {
            isHelpOpen.value = true
          }}
        >
          <Icon name="help" /> Keys
        </button>
        <button type="button" onClick={() => void act(logOut, "Logged out")}>
          <Icon name="exit" /> Log out
        </button>
      </div>
    </details>
  )
}
