import { clock } from "./clock.ts"
import { navigate } from "./router.ts"

/**
 * Goes to another page and resolves when this one is gone. For actions that delete what a page is about: news
 * is asked for after them, and not for what is no longer there.
 */
export function leaveTo(hash: string): Promise<void> {
  return new Promise((resolve) => {
    addEventListener("hashchange", () => clock.setTimer(0, resolve), { once: true })
    navigate(hash)
  })
}
