import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import {
  Badge,
  Button,
  ErrorBanner,
  KeyValues,
  Loading,
  Page,
  Panel,
} from "../../components/basics.tsx"
import { Dialog } from "../../components/dialog.tsx"
import { Form } from "../../components/form.tsx"
import { act } from "../../core/act.ts"
import { put } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { leaveTo } from "../../core/leave.ts"
import { user as me } from "../../core/session.ts"
import { toast } from "../../core/toasts.ts"
import { refreshAll, usePoll } from "../../core/use-poll.ts"
import { apiPath, href } from "../../lib/route.ts"
import type { Params } from "../../lib/route.ts"
import { LimitsPanel, USER_LIMITS } from "../limits/limits-panel.tsx"
import { PasswordField } from "./password-field.tsx"
import { Permissions } from "./permissions.tsx"
import { splitTags, TagField } from "./tag-field.tsx"
import { TopicPermissions } from "./topic-permissions.tsx"
import type { UserRow } from "./types.ts"
import { deleteUsers } from "./users.tsx"

/** One user: tags, password, permissions, limits. */
export function User({ params: { name = "" } }: { params: Params }): JSX.Element {
  const poll = usePoll<UserRow>(apiPath`users/${name}`)
  const { data, error } = poll.state.value
  const isEditing = useSignal(false)
  return (
    <Page
      title={name}
      parent={{ label: "Users", href: "#/users" }}
      badges={name === me.value?.name && <Badge tone="accent">you</Badge>}
      actions={
        data !== null && (
          <>
            <Button icon="edit" onClick={() => (isEditing.value = true)}>
              Edit user
            </Button>
            <Button
              kind="danger"
              icon="trash"
              onClick={() => void deleteUsers([name], () => leaveTo(href(["users"])))}
            >
              Delete user
            </Button>
          </>
        )
      }
    >
      {error !== null && <ErrorBanner error={error} retry={() => poll.refresh()} />}
      {data === null && error === null && <Loading lines={6} />}
      {data !== null && (
        <>
          <div class="columns">
            <Details user={data} />
            <LimitsPanel kind="user" name={name} limits={data.limits} known={USER_LIMITS} />
          </div>
          <Permissions subject={{ user: name }} />
          <TopicPermissions subject={{ user: name }} />
        </>
      )}
      {isEditing.value && data !== null && (
        <EditUser user={data} onClose={() => (isEditing.value = false)} />
      )}
    </Page>
  )
}

function Details({ user }: { user: UserRow }): JSX.Element {
  const { name, tags, password_hash: hash, hashing_algorithm: algorithm } = user
  return (
    <Panel title="User">
      <KeyValues
        items={[
          [
            "Tags",
            tags.length === 0 ? (
              <span class="muted">none: AMQP only</span>
            ) : (
              tags.map((tag) => <Badge key={tag}>{tag}</Badge>)
            ),
          ],
          ["Password", hash === "" ? <Badge tone="warn">none</Badge> : "set"],
          ["Hash", hash === "" ? null : (algorithm ?? "").replace("rabbit_password_hashing_", "")],
        ]}
      />
      {hash !== "" && (
        <p>
          <button type="button" class="link" onClick={() => void removePassword(name)}>
            Remove the password
          </button>
        </p>
      )}
    </Panel>
  )
}

async function removePassword(name: string): Promise<void> {
  const isSure = await confirm({
    title: "Remove the password",
    text: `${name} can then log in with a client certificate only, until a password is set again.`,
    action: "Remove the password",
    isDangerous: true,
    typed: name,
  })
  if (isSure)
    await act(
      () => put(apiPath`users/${name}`, { password_hash: "" }),
      `${name} has no password now`,
    )
}

function EditUser({ user, onClose }: { user: UserRow; onClose: () => void }): JSX.Element {
  const password = useSignal("")
  const tags = useSignal(user.tags.join(", "))
  const submit = async (): Promise<void> => {
    await put(apiPath`users/${user.name}`, {
      ...(password.value === "" ? {} : { password: password.value }),
      tags: splitTags(tags.value),
    })
    toast("success", `Changed ${user.name}`)
    refreshAll()
    onClose()
  }
  return (
    <Dialog title={`Edit ${user.name}`} isDrawer onClose={onClose}>
      <Form action="Save user" onSubmit={submit} onCancel={onClose}>
        <PasswordField
          value={password}
          hint="Empty: it stays as it is. A new one ends the user's sessions in this UI."
        />
        <TagField value={tags} />
      </Form>
    </Dialog>
  )
}
