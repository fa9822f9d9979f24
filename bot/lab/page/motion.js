// Lets guests glide from where they were to where they are: measure, draw, and play the difference.

const MOVE_MS = 900;
const SHIFT_MS = 260;

/** Runs `draw` and animates every [data-guest] below `root` whose place changed. */
export function drawWithMotion(root, draw) {
  const before = measure(root);
  draw();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const [uuid, after] of measure(root)) {
    const was = before.get(uuid);
    if (!was || (was.x === after.x && was.y === after.y)) continue;
    const isMove = was.host !== after.host;
    const dx = was.seen.left - after.seen.left;
    const dy = was.seen.top - after.seen.top;
    after.node.animate([{ transform: `translate(${dx}px, ${dy}px)` }, { transform: "none" }], {
      duration: isMove ? MOVE_MS : SHIFT_MS,
      easing: "cubic-bezier(.3,.9,.3,1)",
    });
    if (isMove) arrive(after.node);
  }
}

// Places come from the layout, which a running animation does not change; what the eye sees comes from the rectangle.
function measure(root) {
  const places = new Map();
  for (const node of root.querySelectorAll("[data-guest]")) {
    places.set(node.dataset.guest, {
      node,
      x: node.offsetLeft,
      y: node.offsetTop,
      host: node.closest("[data-host]")?.dataset.host ?? null,
      seen: node.getBoundingClientRect(),
    });
  }
  return places;
}

// An attribute of its own: the drawing sets the class anew whenever the guest's state changes.
function arrive(node) {
  node.dataset.arrived = "";
  setTimeout(() => delete node.dataset.arrived, MOVE_MS + 1500);
}
