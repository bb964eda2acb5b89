import { signal } from "@preact/signals"
import { allows } from "../lib/roles.ts"
import type { Level } from "../lib/roles.ts"
import { ApiError, del, get, hooks, post } from "./api.ts"

/** Who is logged in. `null` is nobody, `undefined` not known yet. */
export interface User {
  readonly name: string
  readonly tags: readonly string[]
}

export const user = signal<User | null | undefined>(undefined)

/** The session has ended while a page was open: the login form lies over it. */
export const hasEnded = signal(false)

export function startSession(): void {
  hooks.sessionEnded = () => {
    if (user.value === undefined) user.value = null
    else if (user.value !== null) hasEnded.value = true
  }
}

/** Asks once who we are. Throws ApiError if the broker does not answer. */
export async function loadUser(): Promise<void> {
  try {
    user.value = await get<User>("whoami")
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error
    user.value = null
  }
}

export async function logIn(username: string, password: string): Promise<void> {
  const found = await post<User>("login", { username, password })
  const previous = user.value
  hasEnded.value = false
  // The same user goes on where the session ended; another one starts afresh.
  if (previous?.name === found.name) user.value = { ...found }
  else {
    user.value = found
    if (previous !== null && previous !== undefined) globalThis.location.reload()
  }
}

export async function logOut(): Promise<void> {
  await del("login")
  user.value = null
  hasEnded.value = false
}

/** For what is shown; the broker decides again. */
export function may(level: Level): boolean {
  return allows(user.value?.tags ?? [], level)
}
