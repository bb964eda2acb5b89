/** For menus made of `<details>`: they close when the focus leaves them. */
export function closeOutside(event: FocusEvent & { currentTarget: HTMLDetailsElement }): void {
  const { relatedTarget, currentTarget } = event
  if (!(relatedTarget instanceof Node) || !currentTarget.contains(relatedTarget)) {
    // A click inside on something that takes no focus leaves it open.
    if (relatedTarget !== null) currentTarget.open = false
  }
}
