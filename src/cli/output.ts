/**
 * Where results go, and in which format. Lists are written row by row, so that they take no memory; on a
 * terminal the first rows decide how wide the columns are.
 */
import type { Format } from "./global-options.ts"
import { alignedRow, cellText, csvRow, printable, widthsOf } from "./text.ts"

/** What is written to; implemented by the entry's standard output, and by tests. */
export interface Sink {
  readonly isTerminal: boolean
  /** Resolves when more may be written. */
  write(text: string | Uint8Array): Promise<void>
}

export interface OutputOptions {
  readonly format: Format
  readonly isQuiet: boolean
  readonly hasHeaders: boolean
}

/** Rows that are looked at before the first is written in aligned columns. */
const SAMPLE_ROWS = 200
const PIECE_SIZE = 16 << 10

export type Row = readonly unknown[]

export class Output {
  readonly sink: Sink
  readonly #options: OutputOptions

  constructor(sink: Sink, options: OutputOptions) {
    this.sink = sink
    this.#options = options
  }

  get isJson(): boolean {
    return this.#options.format === "json"
  }

  get isForPrograms(): boolean {
    return this.isJson || this.#options.format === "csv"
  }

  /** What goes on, for people: not in formats that programs read. */
  async say(line: string): Promise<void> {
    const { format, isQuiet } = this.#options
    if (!isQuiet && format !== "json" && format !== "csv")
      await this.sink.write(`${printable(line)}\n`)
  }

  /** Text as it is; in JSON a string. */
  async text(text: string): Promise<void> {
    await this.sink.write(`${this.isJson ? JSON.stringify(text) : text}\n`)
  }

  async record(record: Readonly<Record<string, unknown>>): Promise<void> {
    const entries = Object.entries(record)
    if (this.isJson) await this.sink.write(`${JSON.stringify(record)}\n`)
    else if (this.#options.format === "csv")
      await this.sink.write(entries.map(([key, value]) => csvRow([key, value])).join(""))
    else
      await this.sink.write(
        entries.map(([key, value]) => `${printable(key)}: ${cellText(value)}\n`).join(""),
      )
  }

  /** Batches of rows with these columns. Nothing but a header is printed for none, not even that in text. */
  async list(columns: readonly string[], batches: AsyncIterable<readonly Row[]>): Promise<void> {
    const { format } = this.#options
    if (format === "json") await this.#jsonList(columns, batches)
    else if (format === "csv") await this.#rows(columns, batches, (cells) => csvRow(cells), true)
    else if (format === "pretty_table" || (format === "table" && this.sink.isTerminal))
      await this.#alignedList(columns, batches)
    else await this.#rows(columns, batches, (cells) => `${cells.map(cellText).join("\t")}\n`, false)
  }

  async #jsonList(
    columns: readonly string[],
    batches: AsyncIterable<readonly Row[]>,
  ): Promise<void> {
    let piece = "["
    let isFirst = true
    for await (const rows of batches)
      for (const row of rows) {
        const object = Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null]))
        piece += `${isFirst ? "" : ","}${JSON.stringify(object)}`
        isFirst = false
        if (piece.length < PIECE_SIZE) continue
        await this.sink.write(piece)
        piece = ""
      }
    await this.sink.write(`${piece}]\n`)
  }

  async #rows(
    columns: readonly string[],
    batches: AsyncIterable<readonly Row[]>,
    line: (cells: Row) => string,
    hasHeaderAlways: boolean,
  ): Promise<void> {
    let needsHeader = this.#options.hasHeaders
    let piece = ""
    for await (const rows of batches)
      for (const row of rows) {
        if (needsHeader) piece += line(columns)
        needsHeader = false
        piece += line(row)
        if (piece.length < PIECE_SIZE) continue
        await this.sink.write(piece)
        piece = ""
      }
    if (needsHeader && hasHeaderAlways) piece += line(columns)
    if (piece !== "") await this.sink.write(piece)
  }

  async #alignedList(
    columns: readonly string[],
    batches: AsyncIterable<readonly Row[]>,
  ): Promise<void> {
    let widths: number[] | null = null
    let waiting: string[][] = this.#options.hasHeaders ? [[...columns]] : []
    const flush = async (): Promise<void> => {
      widths ??= widthsOf(waiting)
      const fixed = widths
      const text = waiting.map((cells) => alignedRow(cells, fixed)).join("")
      waiting = []
      if (text !== "") await this.sink.write(text)
    }
    for await (const rows of batches)
      for (const row of rows) {
        waiting.push(row.map(cellText))
        if (waiting.length >= SAMPLE_ROWS) await flush()
      }
    await flush()
  }
}
