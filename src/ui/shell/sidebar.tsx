import { signal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import { Button } from "../components/basics.tsx"
import { Icon, Logo } from "../components/icon.tsx"
import { preference } from "../core/preferences.ts"
import { currentPath } from "../core/router.ts"
import { may } from "../core/session.ts"
import { PAGES } from "../pages/routes.ts"
import { NAVIGATION } from "./navigation.ts"
import type { NavEntry } from "./navigation.ts"

/** The way to the pages: beside them, narrow on request, and a drawer on a phone. */
export const isDrawerOpen = signal(false)
const isNarrow = preference("sidebar-narrow", false)

export function Sidebar(): JSX.Element {
  const path = currentPath.value
  useEffect(() => {
    isDrawerOpen.value = false
  }, [path])
  const classes = `sidebar ${isNarrow.value ? "is-narrow" : ""} ${isDrawerOpen.value ? "is-open" : ""}`
  return (
    <>
      {isDrawerOpen.value && <div class="sidebar-shade" onClick={closeDrawer} />}
      <nav
        class={classes}
        aria-label="Pages"
        onKeyDown={(event) => {
          if (event.key === "Escape") closeDrawer()
        }}
      >
        <a class="brand" href="#/" aria-label="Sluice, overview">
          <Logo />
          <span>Sluice</span>
        </a>
        <div class="sidebar-groups">
          {NAVIGATION.map(({ label, entries }) => (
            <Group key={label} label={label} entries={entries.filter(isShown)} path={path} />
          ))}
          <ul>
            <li>
              <a href="docs/" target="_blank" rel="noopener" title="HTTP API">
                <Icon name="code" /> <span>HTTP API</span>
              </a>
            </li>
          </ul>
        </div>
        <div class="sidebar-foot">
          <Button
            kind="quiet"
            icon="sidebar"
            label={isNarrow.value ? "Widen the sidebar" : "Narrow the sidebar"}
            onClick={() => {
              isNarrow.value = !isNarrow.value
            }}
          />
        </div>
      </nav>
    </>
  )
}

function closeDrawer(): void {
  isDrawerOpen.value = false
}

function isShown({ path, level }: NavEntry): boolean {
  return may(level ?? "management") && PAGES.some((page) => page.path === path)
}

interface GroupProps {
  readonly label: string
  readonly entries: readonly NavEntry[]
  readonly path: string
}

function Group({ label, entries, path }: GroupProps): JSX.Element | null {
  if (entries.length === 0) return null
  return (
    <section>
      <h2>{label}</h2>
      <ul>
        {entries.map((entry) => (
          <li key={entry.path}>
            <a
              href={`#${entry.path}`}
              title={entry.label}
              aria-current={isCurrent(entry.path, path) ? "page" : undefined}
            >
              <Icon name={entry.icon} /> <span>{entry.label}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}

function isCurrent(entry: string, path: string): boolean {
  return path === entry || (entry !== "/" && path.startsWith(`${entry}/`))
}
