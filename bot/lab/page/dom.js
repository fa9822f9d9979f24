// Draws values as DOM nodes and keeps the nodes that stay, so that an edit never makes the page jump.
// h() describes a node, render() brings a parent's children to that description. Text is only ever set as text.

const DRAWN = Symbol("drawn");
const SVG = new Set(["svg", "path", "circle", "rect", "line", "g"]);
const PROPERTIES = new Set(["value", "checked", "selected", "disabled", "open", "multiple", "readOnly"]);

/** Describes one element. `props.key` names it among its siblings, `props.memo` skips it while unchanged,
 *  `props.hook` is called with the node after it was made or changed. */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, key: props?.key ?? null, children: flatten(children, []) };
}

function flatten(children, into) {
  for (const child of children) {
    if (Array.isArray(child)) flatten(child, into);
    else if (child === null || child === undefined || child === false || child === true) continue;
    else if (typeof child === "object") into.push(child);
    else into.push({ text: String(child), key: null });
  }
  return into;
}

/** Makes `parent` show exactly `children`, reusing its nodes. */
export function render(parent, ...children) {
  reconcile(parent, flatten(children, []));
}

function reconcile(parent, wanted) {
  const keyed = new Map();
  const loose = [];
  for (const node of parent.childNodes) {
    const drawn = node[DRAWN];
    if (drawn?.key !== null && drawn?.key !== undefined) keyed.set(drawn.key, node);
    else loose.push(node);
  }
  let next = 0;
  const nodes = wanted.map((drawing) => {
    let node;
    if (drawing.key !== null) node = keyed.get(drawing.key);
    else {
      const at = loose.findIndex((one, index) => index >= next && isSameKind(one, drawing));
      node = loose[at];
      if (node) next = at + 1;
    }
    return node && isSameKind(node, drawing) ? change(node, drawing) : make(drawing);
  });
  const kept = new Set(nodes);
  for (const node of [...parent.childNodes]) if (!kept.has(node)) removeNode(node, parent);
  let cursor = parent.firstChild;
  for (const node of nodes) {
    if (node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(node, cursor);
  }
}

// A dialog gives the focus back to where it came from; what had the focus and goes leaves it to what it stood in.
function removeNode(node, parent) {
  const hadFocus = node.contains(document.activeElement);
  if (node.open && node.tagName === "DIALOG") node.close();
  node.remove();
  if (hadFocus && document.activeElement === document.body) parent.closest("[tabindex]")?.focus({ preventScroll: true });
}

function isSameKind(node, drawing) {
  const drawn = node[DRAWN];
  return drawn !== undefined && drawn.tag === drawing.tag && drawn.props?.type === drawing.props?.type;
}

function make(drawing) {
  if (drawing.text !== undefined) {
    const node = document.createTextNode(drawing.text);
    node[DRAWN] = drawing;
    return node;
  }
  const node = SVG.has(drawing.tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", drawing.tag)
    : document.createElement(drawing.tag);
  // Children first: a select takes its value only once its options are there.
  reconcile(node, drawing.children);
  for (const [name, value] of Object.entries(drawing.props)) setProp(node, name, value, undefined);
  node[DRAWN] = drawing;
  drawing.props.hook?.(node, true);
  return node;
}

function change(node, drawing) {
  const drawn = node[DRAWN];
  if (drawing.text !== undefined) {
    if (drawn.text !== drawing.text) node.data = drawing.text;
    node[DRAWN] = drawing;
    return node;
  }
  const { memo } = drawing.props;
  if (memo !== undefined && memo === drawn.props.memo) return node;
  reconcile(node, drawing.children);
  for (const name of Object.keys(drawn.props)) {
    if (!(name in drawing.props)) setProp(node, name, null, drawn.props[name]);
  }
  for (const [name, value] of Object.entries(drawing.props)) setProp(node, name, value, drawn.props[name]);
  node[DRAWN] = drawing;
  drawing.props.hook?.(node, false);
  return node;
}

function setProp(node, name, value, before) {
  if (name === "key" || name === "memo" || name === "hook") return;
  if (name === "style") {
    for (const [property, text] of Object.entries(value ?? {})) {
      if (before?.[property] !== text) node.style.setProperty(property, text);
    }
  } else if (name.startsWith("on")) node[name] = value;
  else if (Object.is(value, before)) return;
  else if (PROPERTIES.has(name)) node[name] = value ?? (name === "value" ? "" : false);
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}

/** Joins class names, leaving out what is false. */
export function classes(...names) {
  return names.filter(Boolean).join(" ");
}

const ICONS = {
  close: "M4 4l8 8M12 4l-8 8",
  thread: "M3 3.5h10v7H8l-3 2.5v-2.5H3z",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  send: "M2.5 8L13.5 3 10 13.5 7.5 9z",
  back: "M10 3.5L5.5 8l4.5 4.5",
  down: "M4 6l4 4 4-4",
  warning: "M8 2.5l6 11H2zM8 6.5v3.5M8 12h.01",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6.5a1.5 1.5 0 100 3 1.5 1.5 0 000-3z",
};

/** A small drawing that needs no file; it says nothing to a screen reader, its button does. */
export function icon(name) {
  return h("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, h("path", { d: ICONS[name] }));
}
