/**
 * Nanoseconds per comparison and per copy of short pieces, as the data plane does them: the frames of
 * a publish against those of the one before, a record behind a record of the same kind. The best of
 * many rounds. Prints a sum of the work.
 *
 *   node bench/micro/bytes.bench.ts [rounds]
 */
import { Chunk, copyBytes, equalBytes } from "../../src/util/bytes.ts"

const rounds = Number(process.argv[2] ?? 3000)
const COUNT = 1000
/** Frames of a small publish up to the body, their distance; a record up to the body, its size. */
const HEAD = 41
const STRIDE = 58
const RECORD_HEAD = 28
const RECORD = 44
const BODY = 16

const source = Chunk.allocate(COUNT * STRIDE)
const target = Chunk.allocate((COUNT + 1) * RECORD)
const template = Chunk.allocate(HEAD)
source.bytes.fill(7)
template.bytes.fill(7)
target.bytes.fill(7)
let sum = 0

function equalWords(left: Chunk, leftOffset: number, right: Chunk, size: number): boolean {
  const last = size - 4
  if (left.view.getUint32(leftOffset + last, true) !== right.view.getUint32(last, true))
    return false
  for (let i = 0; i < last; i += 4)
    if (left.view.getUint32(leftOffset + i, true) !== right.view.getUint32(i, true)) return false
  return true
}

function copyBodies(): void {
  for (let i = 0; i < COUNT; i++)
    copyBytes(source, i * STRIDE + HEAD, target, (i + 1) * RECORD + RECORD_HEAD, BODY)
  sum += target.bytes[RECORD] ?? 0
}

const CASES: Readonly<Record<string, () => void>> = {
  "equalBytes, 41 bytes": () => {
    for (let i = 0; i < COUNT; i++) if (equalBytes(source, i * STRIDE, template, 0, HEAD)) sum++
  },
  "the same in words of 32 bits": () => {
    for (let i = 0; i < COUNT; i++) if (equalWords(source, i * STRIDE, template, HEAD)) sum++
  },
  "record of 44 bytes, head copied each time": () => {
    for (let i = 1; i <= COUNT; i++) copyBytes(target, 0, target, i * RECORD, RECORD_HEAD)
    copyBodies()
  },
  "the same, heads laid out before": () => {
    const end = target.bytes.length
    for (let written = RECORD; written < end;) {
      const piece = Math.min(written, end - written)
      target.bytes.copyWithin(written, 0, piece)
      written += piece
    }
    copyBodies()
  },
}

for (const [name, run] of Object.entries(CASES)) {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    run()
    best = Math.min(best, ((performance.now() - start) * 1e6) / COUNT)
  }
  console.log(`${name.padEnd(44)} ${best.toFixed(1).padStart(6)} ns`)
}
console.log(`sum ${sum}`)
