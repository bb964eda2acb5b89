import { signal } from "@preact/signals"
import { clock } from "./clock.ts"

/** Short messages in the corner. Errors stay longer, and all are announced to screen readers. */
export interface Toast {
  readonly id: number
  readonly kind: "success" | "error" | "info"
  readonly text: string
}

export const toasts = signal<readonly Toast[]>([])
const COUNT_MAX = 5
const LIFETIME_MS = { success: 4000, info: 6000, error: 12_000 } as const

let lastId = 0

export function toast(kind: Toast["kind"], text: string): void {
  const id = ++lastId
  toasts.value = [...toasts.value, { id, kind, text }].slice(-COUNT_MAX)
  clock.setTimer(LIFETIME_MS[kind], () => dismiss(id))
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id)
}
