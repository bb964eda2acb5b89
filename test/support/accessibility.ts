/**
 * Checks of a page for those who use keys or a screen reader, or see little: names of controls, headings,
 * landmarks, references between elements, contrast of text as it is rendered. They run in the page, so they
 * are one function that needs nothing from outside.
 */
import type { Page } from "playwright-core"

/** What is wrong, one line each; empty if nothing is. */
export function accessibilityProblems(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(CHECKS)
}

const CHECKS = String.raw`(() => {
  const found = []
  const dialogs = [...document.querySelectorAll("dialog[open]")]
  const root = dialogs.at(-1) ?? document.body
  const isVisible = (element) => {
    if (element.closest("[hidden]") !== null) return false
    if (!element.checkVisibility({ visibilityProperty: true })) return false
    return element.getClientRects().length > 0
  }
  const short = (element) =>
    element.outerHTML.replaceAll(/\s+/g, " ").slice(0, 140)
  const textOf = (element) => {
    let text = ""
    for (const node of element.childNodes) {
      if (node.nodeType === 3) text += node.data
      else if (node.nodeType === 1 && node.getAttribute("aria-hidden") !== "true")
        text += node.getAttribute("aria-label") ?? node.getAttribute("alt") ?? textOf(node)
    }
    return text.trim()
  }
  const nameOf = (element) => {
    const by = (element.getAttribute("aria-labelledby") ?? "").split(" ").filter((id) => id !== "")
    if (by.length > 0) return by.map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim()
    const label = element.getAttribute("aria-label")
    if (label !== null) return label.trim()
    if (element.matches("input, select, textarea")) {
      const labels = [...(element.labels ?? [])].map((one) => textOf(one)).join(" ").trim()
      return labels || (element.getAttribute("title") ?? "")
    }
    return textOf(element) || (element.getAttribute("alt") ?? element.getAttribute("title") ?? "")
  }
  const all = (selector) => [...root.querySelectorAll(selector)].filter(isVisible)

  const CONTROLS =
    "button, a[href], input:not([type=hidden]), select, textarea, summary, dialog[open], img," +
    "[role=button], [role=tab], [role=img], [role=meter], [role=group], [role=toolbar], nav, [tabindex='0']"
  for (const element of [...all(CONTROLS), ...(root === document.body ? [] : [root])]) {
    if (element.matches("tr, pre, .table-scroll, main")) continue
    if (nameOf(element) === "") found.push("no name: " + short(element))
  }
  for (const element of root.querySelectorAll("*")) {
    for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls", "for", "list"])
      for (const id of (element.getAttribute(attribute) ?? "").split(" "))
        if (id !== "" && document.getElementById(id) === null)
          found.push(attribute + " points to nothing: " + short(element))
    if (Number(element.getAttribute("tabindex") ?? 0) > 0) found.push("tabindex above 0: " + short(element))
    if (element instanceof SVGElement && element.hasAttribute("tabIndex") && !element.hasAttribute("tabindex"))
      found.push("tabIndex of SVG is ignored: " + short(element))
  }
  const ids = new Set()
  for (const { id } of document.querySelectorAll("[id]")) {
    if (ids.has(id)) found.push("two elements have the id " + id)
    ids.add(id)
  }

  if (root === document.body) {
    // Headings of the navigation come before those of the page.
    const levels = all("h1, h2, h3, h4, h5, h6")
      .filter((one) => one.closest("nav") === null)
      .map((one) => Number(one.tagName[1]))
    if (levels.filter((level) => level === 1).length !== 1) found.push("not one h1: " + levels.join())
    let last = 0
    for (const level of levels) {
      if (level > last + 1) found.push("a heading h" + level + " follows h" + last)
      last = level
    }
    if (all("main").length !== 1) found.push("there is not one main")
    const isShell = root.querySelector(".shell") !== null
    if (isShell && all("nav, [role=navigation]").length === 0 && innerWidth > 900) found.push("no navigation")
    if (isShell && all("header, [role=banner]").length === 0) found.push("no header")
    if (document.documentElement.lang === "") found.push("the language is not given")
    if (document.title === "") found.push("the page has no title")
    const excess = document.documentElement.scrollWidth - innerWidth
    if (excess > 0) found.push("the page is " + excess + " px too wide")
  }
  for (const head of all("th"))
    if (head.closest("[role=img]") === null && !head.hasAttribute("scope")) found.push("th without scope: " + short(head))

  const canvas = document.createElement("canvas")
  canvas.width = canvas.height = 1
  const context = canvas.getContext("2d", { willReadFrequently: true })
  const known = new Map()
  const parse = (color) => {
    let value = known.get(color)
    if (value !== undefined) return value
    context.clearRect(0, 0, 1, 1)
    context.fillStyle = color
    context.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data
    value = [r, g, b, a / 255]
    known.set(color, value)
    return value
  }
  const over = ([r, g, b, a], below) => [
    r * a + below[0] * (1 - a),
    g * a + below[1] * (1 - a),
    b * a + below[2] * (1 - a),
    1,
  ]
  const backgroundOf = (element) => {
    const layers = []
    let base = null
    for (let one = element; one !== null && base === null; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor)
      if (color[3] === 1) base = color
      else if (color[3] > 0) layers.push(color)
    }
    base ??= parse(getComputedStyle(document.documentElement).backgroundColor)
    return layers.reduceRight((below, layer) => over(layer, below), base)
  }
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].toSorted((x, y) => x - y)
    return (light + 0.05) / (dark + 0.05)
  }
  const opacityOf = (element) => {
    let opacity = 1
    for (let one = element; one !== null; one = one.parentElement)
      opacity *= Number(getComputedStyle(one).opacity)
    return opacity
  }
  const told = new Set()
  const judge = (element, color, text) => {
    const style = getComputedStyle(element)
    const shape = element instanceof SVGElement ? element.parentElement?.querySelector("rect") : null
    const background =
      shape === null || shape === undefined ? backgroundOf(element) : parse(getComputedStyle(shape).fill)
    const [r, g, b, a] = parse(color)
    const shown = over([r, g, b, a * opacityOf(element)], background)
    const size = Number.parseFloat(style.fontSize)
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
    const ratio = contrast(shown, background)
    if (ratio >= (isLarge ? 3 : 4.5) - 0.01) return
    const key = element.className + color
    if (told.has(key)) return
    told.add(key)
    found.push("contrast " + ratio.toFixed(2) + " of " + JSON.stringify(text.slice(0, 30)) + ": " + short(element))
  }
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement
    if (element === null || node.data.trim() === "" || !isVisible(element)) continue
    if (element.closest("title, option, datalist, :disabled, [aria-busy=true], .sr-only, .skeleton") !== null) continue
    const style = getComputedStyle(element)
    judge(element, element instanceof SVGElement ? style.fill : style.color, node.data)
  }
  for (const field of all("input, textarea"))
    if (field.placeholder && !field.disabled)
      judge(field, getComputedStyle(field, "::placeholder").color, field.placeholder)
  for (const field of all("input, textarea, select"))
    if (field.value && !field.disabled) judge(field, getComputedStyle(field).color, field.value)
  return found
})()`

/**
 * Goes through the page with Tab. What has the focus must show it: an outline, or the frame of a node of a
 * picture. Ends where the focus leaves the page, or after so many steps.
 */
export async function focusProblems(page: Page, steps: number): Promise<string[]> {
  const problems = new Set<string>()
  await page.locator("body").evaluate(() => null)
  for (let step = 0; step < steps; step++) {
    await page.keyboard.press("Tab")
    const problem = await page.evaluate<string | null>(FOCUS)
    if (problem === "left") break
    if (problem !== null) problems.add(problem)
  }
  return [...problems]
}

const FOCUS = String.raw`(() => {
  const element = document.activeElement
  if (element === null || element === document.body) return "left"
  const describe = () => element.outerHTML.replaceAll(/\s+/g, " ").slice(0, 140)
  const rect = element.getBoundingClientRect()
  if (rect.width === 0 && rect.height === 0) return "the focus is on something invisible: " + describe()
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element)
  if (outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 1) return null
  if (boxShadow !== "none" && element.matches("input, select, textarea")) return null
  if (element.matches("main, dialog")) return null
  const frame = element instanceof SVGElement ? element.querySelector("rect") : null
  if (frame !== null && Number.parseFloat(getComputedStyle(frame).strokeWidth) >= 3) return null
  return "the focus does not show: " + describe()
})()`
