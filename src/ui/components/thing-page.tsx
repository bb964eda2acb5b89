import type { ComponentChildren, JSX } from "preact"
import { ApiError } from "../core/api.ts"
import type { Poll } from "../core/use-poll.ts"
import { Empty, ErrorBanner, Loading, Page } from "./basics.tsx"
import type { PageProps } from "./basics.tsx"
import type { IconName } from "./icon.tsx"

/** The page of one thing of the API: what is on it while the first answer is awaited, when it fails, and when the
 * thing is gone. */
export interface ThingPageProps<Thing> extends Omit<PageProps, "badges" | "actions" | "children"> {
  readonly poll: Poll<Thing>
  /** What is said instead of the broker's 404. Absent for what does not go by itself. */
  readonly gone?: {
    readonly icon: IconName
    readonly title: string
    readonly text: ComponentChildren
  }
  readonly badges?: (thing: Thing) => ComponentChildren
  readonly actions?: (thing: Thing) => ComponentChildren
  readonly children: (thing: Thing, receivedMs: number) => ComponentChildren
}

export function ThingPage<Thing>(props: ThingPageProps<Thing>): JSX.Element {
  const { poll, gone, badges, actions, children, ...head } = props
  const { data, error, receivedMs } = poll.state.value
  const isGone = gone !== undefined && error instanceof ApiError && error.status === 404
  const thing = isGone ? null : data
  return (
    <Page
      {...head}
      badges={thing !== null && badges?.(thing)}
      actions={thing !== null && actions?.(thing)}
    >
      {isGone ? (
        <Empty icon={gone.icon} title={gone.title}>
          {gone.text}
        </Empty>
      ) : (
        error !== null && <ErrorBanner error={error} retry={() => poll.refresh()} />
      )}
      {data === null && error === null && <Loading lines={8} />}
      {thing !== null && children(thing, receivedMs)}
    </Page>
  )
}
