import { signal } from "@preact/signals"

/**
 * `if (await confirm({ title, text, action: "Delete", isDangerous: true, typed: name })) …` asks before what
 * cannot be taken back. With `typed` the person has to type that text first. Shown by shell/confirm-dialog.tsx.
 */
export interface Question {
  readonly title: string
  readonly text: string
  /** Of the button: a verb. */
  readonly action: string
  readonly isDangerous?: boolean
  readonly typed?: string
  /** Shown as a list, the first twenty. */
  readonly items?: readonly string[]
}

export interface Asked {
  readonly question: Question
  readonly answer: (isYes: boolean) => void
}

export const asked = signal<Asked | null>(null)

export function confirm(question: Question): Promise<boolean> {
  asked.peek()?.answer(false)
  return new Promise((resolve) => {
    asked.value = {
      question,
      answer(isYes) {
        asked.value = null
        resolve(isYes)
      },
    }
  })
}
