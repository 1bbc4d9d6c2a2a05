// Elements of a page, built without markup: texts become text nodes.

const SVG = ["svg", "rect", "circle", "line", "text"];

export function element(tag, attributes = {}, ...children) {
  const made = SVG.includes(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// The probability on a scale from 0 to 1, on which the threshold is marked, and what the probability was.
export function scale(probability, threshold, p, t, was = probability) {
  const at = (value) => `${100 * value}%`;
  const anchor = threshold < 0.2 ? "start" : threshold > 0.8 ? "end" : "middle";
  const end = (x, side, text) => element("text", { x, y: 72, "text-anchor": side }, text);
  return element(
    "svg",
    {
      class: "scale",
      role: "img",
      "aria-label": `On a scale from 0 to 1 the probability is ${p}; the threshold is ${t}.`,
    },
    element("rect", { class: "track", x: 0, y: 36, width: "100%", height: 12, rx: 6 }),
    element("rect", { class: "fill", x: 0, y: 36, width: at(probability), height: 12, rx: 6 }),
    element("line", { class: "threshold", x1: at(threshold), x2: at(threshold), y1: 26, y2: 56 }),
    element("circle", { class: "was", cx: at(was), cy: 42, r: 6 }),
    element("circle", { class: "mark", cx: at(probability), cy: 42, r: 9 }),
    element("text", { x: at(threshold), y: 17, "text-anchor": anchor }, `threshold ${t}`),
    end("0%", "start", "0"),
    end("100%", "end", "1"),
  );
}
