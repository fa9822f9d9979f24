// One tab stop for a list: arrow keys walk through its entries, marked with data-rove, and Home and End jump.

/** A hook for the node that holds the entries. */
export function rove(node, isNew) {
  if (isNew) {
    node.addEventListener("keydown", walk);
    node.addEventListener("focusin", (event) => {
      const entry = event.target.closest("[data-rove]");
      if (entry && node.contains(entry)) stopAt(node, entry);
    });
  }
  const entries = entriesOf(node);
  stopAt(node, entries.find((entry) => entry === node.stop) ?? entries.find((entry) => entry.hasAttribute("aria-current")) ?? entries[0]);
}

function entriesOf(node) {
  return [...node.querySelectorAll("[data-rove]")];
}

function stopAt(node, stop) {
  node.stop = stop;
  for (const entry of entriesOf(node)) entry.tabIndex = entry === stop ? 0 : -1;
}

function walk(event) {
  // Only from an entry itself: what stands inside it may need the arrows.
  if (!event.target.hasAttribute("data-rove") || event.ctrlKey || event.metaKey || event.altKey) return;
  const entries = entriesOf(event.currentTarget);
  const at = entries.indexOf(event.target);
  const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: entries.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  entries[Math.min(Math.max(to, 0), entries.length - 1)].focus();
}

/** Arrow keys walk through a menu's entries. */
export function walkMenu(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const entries = [...event.currentTarget.querySelectorAll("button")];
  const at = entries.indexOf(document.activeElement);
  entries[(at + step + entries.length) % entries.length].focus();
}
