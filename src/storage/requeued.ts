import { RequeueHeap } from "./requeue-heap.ts"

/**
 * The messages of a store that were handed out and came back. Made with the first requeue, dropped
 * with the last. The way to their bytes is handed-out.ts.
 */
export class Requeued {
  readonly heap = new RequeueHeap()
  /** Of the messages in the heap. */
  bodyBytes = 0
}
