// The drawing of a category. Shapes and hue depend only on the category's name.

const SHAPES = [
  (p) => p("circle", { cx: 24, cy: 24, r: 13 }),
  (p) => p("rect", { x: 12, y: 12, width: 24, height: 24, rx: 5 }),
  (p) => p("path", { d: "M24 9 38 36H10Z" }),
  (p) => p("path", { d: "M10 34a14 14 0 0 1 28 0Z" }),
  (p) => p("path", { d: "M24 8c13 9 13 23 0 32C11 31 11 17 24 8Z" }),
  (p) => p("path", { d: "M13 14h22v11a11 11 0 0 1-22 0Z" }),
  (p) => p("path", { d: "M24 9 37.5 16.5v15L24 39 10.5 31.5v-15Z" }),
  (p) => p("path", { d: "M18 9h12v8l5 6v16H13V23l5-6Z" }),
];
const ACCENTS = [
  (p) => p("circle", { cx: 24, cy: 24, r: 5 }),
  (p) => p("path", { d: "M8 30q8-6 16 0t16 0" }),
  (p) => p("path", { d: "M24 6v36" }),
  (p) => p("path", { d: "M9 26h30M9 32h30" }),
  (p) => p("path", { d: "M12 36 36 12" }),
  (p) => p("circle", { cx: 35, cy: 13, r: 5 }),
];

const PARCEL = 0x201; // a box with a band, for products without a category

export function drawing(category) {
  const code = category ? hash(category) : PARCEL;
  const svg = part("svg", { viewBox: "0 0 48 48", "aria-hidden": "true", class: "drawing" });
  // Steps of the golden angle give similar hash codes different hues.
  svg.style.setProperty("--hue", category ? String(Math.round((code % 997) * 137.508) % 360) : "0");
  svg.style.setProperty("--vivid", category ? "1" : "0");
  svg.append(SHAPES[code % SHAPES.length](part), ACCENTS[(code >>> 8) % ACCENTS.length](part));
  svg.lastChild.classList.add("over");
  return svg;
}

function part(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** The 32-bit FNV-1a hash of a text, with its high bits folded into the low bits. */
function hash(text) {
  let code = 2166136261;
  for (const byte of new TextEncoder().encode(text)) code = Math.imul(code ^ byte, 16777619) >>> 0;
  return (code ^ (code >>> 15)) >>> 0;
}
