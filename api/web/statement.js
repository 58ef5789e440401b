// What a person confirms, set so that it can be read and heard.

import { h } from "./elements.js";

const DIGEST = /^([^]*)\n(.*?)([0-9a-f]{64})$/;
const HEARD = 4;   // hexadecimal digits of each end that are read out

/** A figure and its unit stay on one line. */
const whole = (words) => words.replace(/(\d) %/g, "$1\u00a0%").replace(/\b([A-Z]{3}) (?=\d)/g, "$1\u00a0");

/** The statement; its last line, the digest, is shown in full and read out short. */
export function statement(words) {
  const [, text, label, digest] = DIGEST.exec(words) ?? [null, words];
  return [h("p", { class: "statement" }, whole(text)), digest && h("p", { class: "digest soft" }, label,
    h("span", { class: "unseen" }, [...digest.slice(0, HEARD), "…", ...digest.slice(-HEARD)].join(" ")),
    h("code", { "aria-hidden": "true" }, digest))];
}
