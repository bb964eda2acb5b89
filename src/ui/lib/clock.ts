/** What the UI needs of time. The broker's ManualClock has the same shape, so tests can move it. */
export interface TimerHandle {
  cancel(): void
}

export interface Clock {
  /** As of the last refresh(). */
  readonly nowMs: number
  refresh(): void
  setTimer(delayMs: number, callback: () => void): TimerHandle
}
