import { effect, signal } from "@preact/signals"
import type { Signal } from "@preact/signals"

/** Choices that a browser remembers. Without storage they last as long as the page. */
const PREFIX = "sluice."
const signals = new Map<string, Signal<unknown>>()

/** One signal for each name. A stored value of another kind than the default is ignored. */
export function preference<T>(name: string, initial: T): Signal<T> {
  const known = signals.get(name)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A name has one type.
  if (known !== undefined) return known as Signal<T>
  const made = signal<T>(read(name, initial))
  signals.set(name, made)
  effect(() => write(name, made.value))
  return made
}

function read<T>(name: string, initial: T): T {
  try {
    const text = localStorage.getItem(PREFIX + name)
    if (text === null) return initial
    const value: unknown = JSON.parse(text)
    const isSameKind =
      typeof value === typeof initial && Array.isArray(value) === Array.isArray(initial)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Of the kind of the default.
    return isSameKind && value !== null ? (value as T) : initial
  } catch {
    return initial
  }
}

function write(name: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value))
  } catch {
    // Full or switched off: it is remembered until the page is closed.
  }
}
