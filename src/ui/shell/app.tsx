import { signal, useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import { ErrorBanner, Loading, Page, Empty } from "../components/basics.tsx"
import { hasEnded, loadUser, may, user } from "../core/session.ts"
import { currentPath } from "../core/router.ts"
import { loadVhosts } from "../core/vhosts.ts"
import { messageOf } from "../core/api.ts"
import { matchPath } from "../lib/route.ts"
import type { Params } from "../lib/route.ts"
import { loadPages, PAGES } from "../pages/routes.ts"
import type { PageComponent, PageRoute, Pages } from "../pages/routes.ts"
import { Banners } from "./banners.tsx"
import { ConfirmDialog } from "./confirm-dialog.tsx"
import { Header } from "./header.tsx"
import { HelpDialog } from "./help-dialog.tsx"
import { Login } from "./login.tsx"
import { Sidebar } from "./sidebar.tsx"
import { Toasts } from "./toasts.tsx"

/** The frame around the pages, or the login form. */
export function App(): JSX.Element {
  const failure = useSignal<unknown>(null)
  const load = (): void => {
    failure.value = null
    loadUser().catch((error: unknown) => {
      failure.value = error
    })
  }
  useEffect(load, [])
  if (failure.value !== null)
    return (
      <main class="login">
        <ErrorBanner error={failure.value} retry={load} />
      </main>
    )
  if (user.value === undefined) return <div class="app-start" aria-busy="true" />
  if (user.value === null) return <Login />
  return <Shell />
}

function Shell(): JSX.Element {
  const who = user.value?.name
  useEffect(() => {
    // The selector then offers nothing but "all"; lists say what is wrong.
    loadVhosts().catch(() => {})
  }, [who])
  return (
    <div class="shell">
      <a class="skip-link" href="#main" onClick={skip}>
        Skip to content
      </a>
      <Sidebar />
      <div class="shell-main">
        <Header />
        <Banners />
        <main id="main" tabIndex={-1}>
          <CurrentPage />
        </main>
      </div>
      <Toasts />
      <ConfirmDialog />
      <HelpDialog />
      {hasEnded.value && <Login isOverPage />}
    </div>
  )
}

/** The address belongs to the router: the focus moves without it. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById("main")?.focus()
}

interface Found {
  readonly route: PageRoute
  readonly params: Params
}

function findPage(path: string): Found | null {
  for (const route of PAGES) {
    const params = matchPath(route.path, path)
    if (params !== null) return { route, params }
  }
  return null
}

const pages = signal<Pages | null>(null)

function CurrentPage(): JSX.Element {
  const path = currentPath.value
  const found = findPage(path)
  const failure = useSignal("")
  const title = titleOf(found)
  useEffect(() => {
    document.title = `${title} · Sluice`
    globalThis.scrollTo(0, 0)
  }, [title, path])
  useEffect(() => {
    failure.value = ""
    if (pages.value !== null) return
    loadPages().then(
      (loaded) => {
        pages.value = loaded
        return null
      },
      (error: unknown) => {
        failure.value = messageOf(error)
      },
    )
  }, [found?.route])
  if (found === null) return <NotFound path={path} />
  if (!may(found.route.level ?? "management")) return <NotAllowed level={found.route.level ?? ""} />
  if (failure.value !== "") return <PageMissing reason={failure.value} />
  if (pages.value === null)
    return (
      <Page title={title}>
        <Loading lines={6} />
      </Page>
    )
  const Component: PageComponent = pages.value[found.route.page]
  return <Component key={path} params={found.params} />
}

function titleOf(found: Found | null): string {
  if (found === null) return "Not found"
  const { title } = found.route
  return typeof title === "string" ? title : title(found.params)
}

function NotFound({ path }: { path: string }): JSX.Element {
  return (
    <Page title="Not found">
      <Empty icon="search" title="There is no such page">
        <code>{path}</code> leads nowhere. Go to the <a href="#/">overview</a>, or press{" "}
        <kbd>?</kbd> for the keys that open pages.
      </Empty>
    </Page>
  )
}

function NotAllowed({ level }: { level: string }): JSX.Element {
  return (
    <Page title="Not allowed">
      <Empty icon="shield" title={`This page needs the tag ${level}`}>
        An administrator can add it to your user.
      </Empty>
    </Page>
  )
}

/** After an update of the broker the files of the old page are gone. */
function PageMissing({ reason }: { reason: string }): JSX.Element {
  return (
    <Page title="The page could not be loaded">
      <Empty icon="alert" title="The broker may have been updated">
        {reason}
        <p>
          <button type="button" class="link" onClick={() => globalThis.location.reload()}>
            Load it again
          </button>
        </p>
      </Empty>
    </Page>
  )
}
