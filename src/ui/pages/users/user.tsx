import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { Badge, Button, KeyValues, Panel } from "../../components/basics.tsx"
import { FormDialog } from "../../components/form-dialog.tsx"
import { ThingPage } from "../../components/thing-page.tsx"
import { act } from "../../core/act.ts"
import { put } from "../../core/api.ts"
import { confirm } from "../../core/confirm.ts"
import { leaveTo } from "../../core/leave.ts"
import { user as me } from "../../core/session.ts"
import { usePoll } from "../../core/use-poll.ts"
import { apiPath, href } from "../../lib/route.ts"
import type { Params } from "../../lib/route.ts"
import { LimitsPanel, USER_LIMITS } from "../limits/limits-panel.tsx"
import { PasswordField } from "./password-field.tsx"
import { Permissions, TopicPermissions } from "./permissions.tsx"
import { splitTags, TagField } from "./tag-field.tsx"
import type { UserRow } from "./types.ts"
import { deleteUsers } from "./users.tsx"

/** One user: tags, password, permissions, limits. */
export function User({ params: { name = "" } }: { params: Params }): JSX.Element {
  const poll = usePoll<UserRow>(apiPath`users/${name}`)
  const isEditing = useSignal(false)
  return (
    <ThingPage
      poll={poll}
      title={name}
      parent={{ label: "Users", href: "#/users" }}
      badges={() => name === me.value?.name && <Badge tone="accent">you</Badge>}
      actions={() => (
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
      )}
    >
      {(user) => (
        <>
          <div class="columns">
            <Details user={user} />
            <LimitsPanel kind="user" name={name} limits={user.limits} known={USER_LIMITS} />
          </div>
          <Permissions subject={{ user: name }} />
          <TopicPermissions subject={{ user: name }} />
          {isEditing.value && <EditUser user={user} onClose={() => (isEditing.value = false)} />}
        </>
      )}
    </ThingPage>
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
  const submit = async (): Promise<string> => {
    await put(apiPath`users/${user.name}`, {
      ...(password.value === "" ? {} : { password: password.value }),
      tags: splitTags(tags.value),
    })
    return `Changed ${user.name}`
  }
  return (
    <FormDialog
      title={`Edit ${user.name}`}
      isDrawer
      action="Save user"
      onSubmit={submit}
      onClose={onClose}
    >
      <PasswordField
        value={password}
        hint="Empty: it stays as it is. A new one ends the user's sessions in this UI."
      />
      <TagField value={tags} />
    </FormDialog>
  )
}
