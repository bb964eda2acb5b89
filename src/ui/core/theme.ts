import { computed, effect, signal } from "@preact/signals"
import { preference } from "./preferences.ts"

/** Light, dark, or what the system says. The colours are in styles/tokens.css. */
export type ThemeChoice = "system" | "light" | "dark"

export const themeChoice = preference<ThemeChoice>("theme", "system")
const system = matchMedia("(prefers-color-scheme: dark)")
const isSystemDark = signal(system.matches)
export const theme = computed(() => {
  const { value } = themeChoice
  return value === "system" ? (isSystemDark.value ? "dark" : "light") : value
})

export function startTheme(): void {
  system.addEventListener("change", ({ matches }) => {
    isSystemDark.value = matches
  })
  effect(() => {
    document.documentElement.dataset["theme"] = theme.value
  })
}

export function nextTheme(): void {
  const order: readonly ThemeChoice[] = ["system", "light", "dark"]
  themeChoice.value = order[(order.indexOf(themeChoice.value) + 1) % order.length] ?? "system"
}
