/** Peers that have not shown who they are: bounded in number and time. */
import assert from "node:assert/strict"
import { Socket } from "node:net"
import { test } from "node:test"
import { PendingPeers } from "../../../src/net/pending-peers.ts"
import { ManualClock } from "../../../src/util/clock.ts"

const TIMEOUT_MS = 10_000

interface Bed {
  readonly clock: ManualClock
  readonly peers: PendingPeers
  readonly dropped: { readonly socket: Socket; readonly reason: string }[]
}

function bed(max: number): Bed {
  const clock = new ManualClock()
  const dropped: Bed["dropped"] = []
  const peers = new PendingPeers(clock, max, TIMEOUT_MS, (socket, reason) =>
    dropped.push({ socket, reason }),
  )
  return { clock, peers, dropped }
}

test("when there are too many, the one that has waited longest goes", () => {
  const { peers, dropped } = bed(3)
  const sockets = Array.from({ length: 5 }, () => new Socket())
  for (const socket of sockets) peers.add(socket)
  assert.equal(peers.count, 3)
  assert.deepEqual(
    dropped.map(({ socket }) => sockets.indexOf(socket)),
    [0, 1],
  )
  for (const { reason } of dropped) assert.equal(reason, "too many others wait for theirs")
  assert.deepEqual(
    sockets.map(({ destroyed }) => destroyed),
    [true, true, false, false, false],
  )
  peers.close()
})

test("a flood of ten thousand leaves as many as are allowed, and each is told of once", () => {
  const { clock, peers, dropped } = bed(2000)
  for (let i = 0; i < 10_000; i++) peers.add(new Socket())
  assert.equal(peers.count, 2000)
  assert.equal(dropped.length, 8000)
  assert.equal(new Set(dropped.map(({ socket }) => socket)).size, 8000)
  clock.advance(TIMEOUT_MS)
  assert.equal(peers.count, 0)
  assert.equal(dropped.length, 10_000)
})

test("one that takes too long goes, one that has shown who it is stays", () => {
  const { clock, peers, dropped } = bed(10)
  const slow = new Socket()
  const quick = new Socket()
  peers.add(slow)
  peers.add(quick)
  clock.advance(TIMEOUT_MS - 1)
  assert.equal(peers.remove(quick), true)
  assert.equal(peers.remove(quick), false)
  clock.advance(1)
  assert.deepEqual(dropped, [{ socket: slow, reason: "it took too long" }])
  assert.equal(slow.destroyed, true)
  assert.equal(quick.destroyed, false)
  clock.advance(10 * TIMEOUT_MS)
  assert.equal(dropped.length, 1)
  quick.destroy()
})

test("one that goes by itself makes room, and is not told of", async () => {
  const { clock, peers, dropped } = bed(1)
  const gone = new Socket()
  peers.add(gone)
  const closed = new Promise((resolve) => gone.once("close", resolve))
  gone.destroy()
  await closed
  assert.equal(peers.count, 0)
  const next = new Socket()
  peers.add(next)
  clock.advance(TIMEOUT_MS - 1)
  assert.deepEqual(dropped, [])
  peers.close()
})

test("closing ends those that wait, without a word and without a timer", () => {
  const { clock, peers, dropped } = bed(10)
  const sockets = [new Socket(), new Socket()]
  for (const socket of sockets) peers.add(socket)
  peers.close()
  assert.ok(sockets.every(({ destroyed }) => destroyed))
  clock.advance(TIMEOUT_MS)
  assert.deepEqual(dropped, [])
  assert.equal(peers.count, 0)
})
