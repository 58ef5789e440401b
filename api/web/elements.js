// Small means to build a screen. Text is always set as text, never as markup.

import { language, say } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const main = document.getElementById("main");

export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

export function drawing(viewBox, ...shapes) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", viewBox);
  svg.setAttribute("aria-hidden", "true");
  for (const [name, attributes] of shapes) {
    const shape = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
    svg.append(shape);
  }
  return svg;
}

const line = (d) => ["path", { d, fill: "none", stroke: "currentColor", "stroke-width": 2.5, "stroke-linecap": "round", "stroke-linejoin": "round" }];
const MARKS = { yes: "M5 13l5 5L20 7", wait: "M12 6v7m0 4v.5", no: "M7 7l10 10M17 7L7 17" };
export const mark = (kind) => h("div", { class: kind === "yes" ? "mark" : "mark warning" }, drawing("0 0 24 24", line(MARKS[kind])));
export const arrow = () => drawing("0 0 24 24", line("M20 12H4m7-7l-7 7 7 7"));
export const growing = () => drawing("0 0 24 24", line("M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5M4 4l6 6M20 4l-6 6M20 20l-6-6M4 20l6-6"));

export const qrDrawing = ({ size, path }) => h("div", { class: "qr" },
  drawing(`0 0 ${size} ${size}`, ["path", { d: path, fill: "none", stroke: "#000", "stroke-width": 1 }]));

/** It cannot be pressed while what it does runs; an error is nobody's here: it goes where all go that nobody caught. */
export const button = (words, action, kind = "") => h("button", { type: "button", class: kind, onclick: async ({ currentTarget }) => {
  currentTarget.disabled = true;
  try { await action(currentTarget) } finally { currentTarget.disabled = false }
} }, words);
export const actions = (...children) => h("div", { class: "actions" }, children);
export const card = (...children) => h("section", { class: "card" }, children);

/** Put a screen in place of the one before; its heading gets the focus, so that it is read from the top. */
export function screen(name, title, { step, children }) {
  const heading = h("h1", { tabindex: -1 }, title);
  const steps = step && h("div", { class: "steps", role: "img", "aria-label": say("step", { n: step }) },
    [1, 2, 3, 4].map((n) => h("span", { class: n <= step ? "past" : "" })));
  main.dataset.screen = name;
  main.replaceChildren(...[steps, heading].filter(Boolean), ...children.flat(Infinity).filter(Boolean));
  scrollTo(0, 0);
  heading.focus({ preventScroll: true });
  return main;
}

/** Words of the service in the language of the person. */
export const inLanguage = (both) => both[language];
