// Small means to build the window's pages: elements, words, requests. Text is always set as text, never as markup.

const KEPT = "one-window-language";
export const main = document.getElementById("main");
export let language = "zh";
let words = {};

const kept = () => { try { return localStorage.getItem(KEPT) } catch { return null } };

export async function useLanguage(chosen) {
  language = chosen ?? kept() ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
  if (chosen) try { localStorage.setItem(KEPT, chosen) } catch { /* private browsing: not kept */ }
  words = await (await fetch(`/web/words.${language}.json`)).json();
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

/** The words under a key such as "state.open", with {name} filled in; undefined if there are none. */
export function say(key, values = {}) {
  const found = key.split(".").reduce((part, name) => part?.[name], words);
  return typeof found === "string" ? found.replace(/\{(\w+)\}/g, (_, name) => values[name]) : found;
}

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

export class Refused extends Error {
  constructor(code, detail) { super(code); this.code = code; this.detail = detail }
}

export async function ask(path, body) {
  let answer;
  try {
    const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}) };
    answer = await fetch(path, { cache: "no-store", ...(body !== undefined && post) });
  } catch { throw new Refused("offline", "") }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(content.code ?? "other", content.detail ?? "");
  return content;
}

/** Put a page in place of the one before. */
export function show(name, title, ...children) {
  document.title = `${title} · ${say("title")}`;
  main.dataset.page = name;
  main.replaceChildren(h("h1", { tabindex: -1 }, title), ...children.flat(Infinity).filter(Boolean));
}

export const card = (...children) => h("section", { class: "card" }, children);
export const button = (text, action, kind = "") => h("button", { type: "button", class: kind, onclick: action }, text);
export const link = (text, href, kind = "button") => h("a", { class: kind, href }, text);
export const pairs = (...entries) => h("dl", {}, entries.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));

/** What was refused, in words: what we know of the code, and what heyan said about it. */
export function refusal(error) {
  const [title, note] = say(`problem.${error.code}`) ?? say("problem.other");
  return h("div", { class: "card problem", role: "alert" }, h("h2", {}, title), h("p", {}, note),
    error.detail && h("p", { class: "small", lang: "en" }, `${error.code}: ${error.detail}`));
}

export const money = (amount) => say("yuan", { amount: Number(amount).toLocaleString(language === "zh" ? "zh-CN" : "en-GB") });
export const day = (time) => new Date(time).toLocaleDateString(language === "zh" ? "zh-CN" : "en-GB", { year: "numeric", month: "long", day: "numeric" });
