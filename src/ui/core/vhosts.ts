import { computed, signal } from "@preact/signals"
import { get } from "./api.ts"
import { preference } from "./preferences.ts"

/** The vhost that lists are limited to; "" is all. A vhost that is gone counts as all. */
export const chosenVhost = preference("vhost", "")
export const vhostNames = signal<readonly string[]>([])

export const currentVhost = computed(() =>
  vhostNames.value.includes(chosenVhost.value) ? chosenVhost.value : "",
)

/** Where new things go unless the form says otherwise. */
export const defaultVhost = computed(
  () => currentVhost.value || (vhostNames.value.includes("/") ? "/" : (vhostNames.value[0] ?? "/")),
)

export async function loadVhosts(): Promise<void> {
  const rows = await get<readonly { readonly name: string }[]>("vhosts?columns=name")
  vhostNames.value = rows.map(({ name }) => name)
}

/** `queues` or `queues/%2F`. */
export function inVhost(path: string): string {
  return currentVhost.value === "" ? path : `${path}/${encodeURIComponent(currentVhost.value)}`
}
