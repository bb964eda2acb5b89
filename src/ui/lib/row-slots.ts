/**
 * Which element shows which row. A row that stays keeps its element; a new row takes over the element of one that has
 * gone, best the one at its place. So paging and scrolling change texts instead of making elements.
 */
export class RowSlots {
  /** By key, in the order of the rows. */
  #slots = new Map<string, number>()
  #count = 0

  /** The slot of each row, no slot twice. */
  assign(keys: readonly string[]): readonly number[] {
    const before = this.#slots
    const places = [...before.values()]
    const free = new Set(places)
    for (const key of keys) free.delete(before.get(key) ?? -1)
    this.#slots = new Map()
    return keys.map((key, place) => {
      const [any = this.#count++] = free
      const here = places[place] ?? -1
      const slot = before.get(key) ?? (free.has(here) ? here : any)
      // A key that comes twice gets another one then.
      before.delete(key)
      free.delete(slot)
      this.#slots.set(key, slot)
      return slot
    })
  }
}
