/**
 * Files and directories of the faulty disk, each with two states: what a running process sees, and
 * what is on the medium. What lies between them is a log of operations that are not synced yet; a
 * power failure keeps any part of it.
 */
import { MemoryFile } from "../../src/storage/memory-file.ts"
import type { Random } from "./seed.ts"

/** The disk writes sectors as a whole; a longer write can be torn between them. */
const SECTOR_SIZE = 512

type FileOperation = {
  /** null: a truncation to `position`. */
  readonly bytes: Buffer | null
  readonly position: number
  /** "doubtful": a sync of it has failed, and no later sync makes it good. */
  state: "pending" | "synced" | "doubtful"
}

export class FileNode {
  /** As a running process sees it. */
  readonly content = new MemoryFile()
  /** On the medium for certain; `#operations` come on top. */
  readonly #synced = new MemoryFile()
  #operations: FileOperation[] = []

  static of(bytes: Buffer): FileNode {
    const file = new FileNode()
    file.replace(bytes)
    return file
  }

  get bytes(): Buffer {
    return contentOf(this.content)
  }

  write(source: Buffer, sourceOffset: number, length: number, position: number): void {
    this.content.write(source, sourceOffset, length, position)
    const bytes = Buffer.from(source.subarray(sourceOffset, sourceOffset + length))
    this.#operations.push({ bytes, position, state: "pending" })
  }

  truncate(size: number): void {
    this.content.truncate(size)
    this.#operations.push({ bytes: null, position: size, state: "pending" })
  }

  /** Puts other content in its place, on the medium too. Who has it open sees the new one. */
  replace(bytes: Buffer): void {
    this.#operations = []
    for (const file of [this.content, this.#synced]) {
      file.truncate(0)
      file.write(bytes, 0, bytes.length, 0)
    }
  }

  /** Begins a sync; the returned function ends it. Covers what was written before the begin. */
  beginSync(): (isSuccess: boolean) => void {
    const covered = this.#operations.filter(({ state }) => state === "pending")
    return (isSuccess) => {
      for (const operation of covered)
        if (operation.state === "pending") operation.state = isSuccess ? "synced" : "doubtful"
      let count = 0
      while (this.#operations[count]?.state === "synced")
        apply(this.#synced, this.#operations[count++]!)
      this.#operations.splice(0, count)
    }
  }

  /** What a power failure leaves. */
  survivors(random: Random): Buffer {
    const file = new MemoryFile()
    const base = contentOf(this.#synced)
    file.write(base, 0, base.length, 0)
    const keep = chooseSurvivors(random, this.#operations.length)
    for (const [index, operation] of this.#operations.entries()) {
      if (operation.state === "synced") apply(file, operation)
      else applySectors(file, operation, () => keep(index))
    }
    return contentOf(file)
  }
}

type DirectoryOperation = {
  readonly removed: string | null
  readonly added: string | null
  readonly node: DiskNode | null
}

export type DiskNode = FileNode | DirectoryNode

export class DirectoryNode {
  readonly entries = new Map<string, DiskNode>()
  readonly #synced = new Map<string, DiskNode>()
  #operations: DirectoryOperation[] = []

  /** Everything in it is on the medium. */
  static of(entries: Iterable<[string, DiskNode]>): DirectoryNode {
    const directory = new DirectoryNode()
    for (const [name, node] of entries) directory.place(name, node)
    return directory
  }

  /** Puts it there on the medium too. */
  place(name: string, node: DiskNode): void {
    this.entries.set(name, node)
    this.#synced.set(name, node)
  }

  add(name: string, node: DiskNode): void {
    this.#do({ removed: null, added: name, node })
  }

  remove(name: string): void {
    this.#do({ removed: name, added: null, node: null })
  }

  /** Within the directory, a rename happens as a whole or not at all. */
  rename(from: string, to: string): void {
    this.#do({ removed: from, added: to, node: this.entries.get(from)! })
  }

  beginSync(): (isSuccess: boolean) => void {
    const covered = [...this.#operations]
    return (isSuccess) => {
      if (!isSuccess) return
      for (const operation of covered) applyToDirectory(this.#synced, operation)
      this.#operations = this.#operations.filter((operation) => !covered.includes(operation))
    }
  }

  survivors(random: Random): Map<string, DiskNode> {
    const entries = new Map(this.#synced)
    const keep = chooseSurvivors(random, this.#operations.length)
    for (const [index, operation] of this.#operations.entries())
      if (keep(index)) applyToDirectory(entries, operation)
    return entries
  }

  #do(operation: DirectoryOperation): void {
    applyToDirectory(this.entries, operation)
    this.#operations.push(operation)
  }
}

/** A copy in which everything that a running process saw is on the medium. */
export function copyTree(directory: DirectoryNode): DirectoryNode {
  const copies: [string, DiskNode][] = []
  for (const [name, node] of directory.entries)
    copies.push([name, node instanceof FileNode ? FileNode.of(node.bytes) : copyTree(node)])
  return DirectoryNode.of(copies)
}

/** What a power failure leaves of a directory and all below it. */
export function survivingTree(directory: DirectoryNode, random: Random): DirectoryNode {
  const copies: [string, DiskNode][] = []
  for (const [name, node] of directory.survivors(random)) {
    const copy =
      node instanceof FileNode ? FileNode.of(node.survivors(random)) : survivingTree(node, random)
    copies.push([name, copy])
  }
  return DirectoryNode.of(copies)
}

/**
 * Which of `count` operations survive a power failure: none, all, those before a point in time (the one
 * at that point in parts), or any. Asked once per sector, so that a write may survive in parts.
 */
function chooseSurvivors(random: Random, count: number): (index: number) => boolean {
  const manner = random.below(4)
  if (manner === 0) return () => false
  if (manner === 1) return () => true
  if (manner === 2) {
    const point = random.below(count + 1)
    return (index) => index < point || (index === point && random.chance(0.5))
  }
  return () => random.chance(0.5)
}

function contentOf(file: MemoryFile): Buffer {
  const content = Buffer.alloc(file.size)
  file.read(content, 0, file.size, 0)
  return content
}

function apply(file: MemoryFile, { bytes, position }: FileOperation): void {
  if (bytes === null) file.truncate(position)
  else file.write(bytes, 0, bytes.length, position)
}

function applySectors(file: MemoryFile, operation: FileOperation, isKept: () => boolean): void {
  const { bytes, position } = operation
  if (bytes === null) {
    if (isKept()) file.truncate(position)
    return
  }
  let from = 0
  while (from < bytes.length) {
    const toBorder = SECTOR_SIZE - ((position + from) % SECTOR_SIZE)
    const to = Math.min(bytes.length, from + toBorder)
    if (isKept()) file.write(bytes, from, to - from, position + from)
    from = to
  }
}

function applyToDirectory(entries: Map<string, DiskNode>, operation: DirectoryOperation): void {
  if (operation.removed !== null) entries.delete(operation.removed)
  if (operation.added !== null) entries.set(operation.added, operation.node!)
}
