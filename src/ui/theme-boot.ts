/** Sets the theme before the first paint, so that nothing flashes. The rest is core/theme.ts. */
let preference: string | null = null
try {
  preference = localStorage.getItem("sluice.theme")
} catch {
  // Storage is switched off: the system decides.
}
const isDark = matchMedia("(prefers-color-scheme: dark)").matches
document.documentElement.dataset["theme"] =
  preference === '"light"' || preference === '"dark"'
    ? preference.slice(1, -1)
    : isDark
      ? "dark"
      : "light"
