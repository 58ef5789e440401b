// All words of the page in the language of the person: Chinese, unless the browser asks for another one.

const KEPT = "heyan-language";
let words = {};
export let language = "zh";

const kept = () => { try { return localStorage.getItem(KEPT) } catch { return null } };

export async function useLanguage(chosen) {
  language = chosen ?? kept() ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
  if (chosen) try { localStorage.setItem(KEPT, chosen) } catch { /* private browsing: not kept */ }
  const answer = await fetch(`web/words.${language}.json`);
  words = await answer.json();
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words.title;
}

/** The words under a key such as "guide.closer", with {name} filled in; undefined if there are none. */
export function say(key, values = {}) {
  const found = key.split(".").reduce((part, name) => part?.[name], words);
  if (typeof found !== "string") return found;
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
