/** The thread that compares bcrypt hashes (bcrypt-comparison.ts). */
import { parentPort } from "node:worker_threads"
import { compareSync } from "bcryptjs"
import type { ComparisonReply, ComparisonRequest } from "./bcrypt-comparison.ts"

function answer({ id, password, hash }: ComparisonRequest): void {
  const reply: ComparisonReply = { id, isRight: compareSync(password, hash) }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A thread, not a window.
  parentPort?.postMessage(reply)
}

parentPort?.on("message", answer)
