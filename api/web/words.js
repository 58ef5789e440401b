// All words of the page in the language of the person: Chinese, unless the browser asks for another one. And the button
// that changes it.

const KEPT = "heyan-language";
const button = document.getElementById("language");
let words = {};
export let language = "zh";

const kept = () => { try { return localStorage.getItem(KEPT) } catch { return null } };

async function useLanguage(chosen) {
  const wanted = chosen ?? kept() ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
  const answer = await fetch(`web/words.${wanted}.json`);
  words = await answer.json();
  language = wanted;
  if (chosen) try { localStorage.setItem(KEPT, chosen) } catch { /* private browsing: not kept */ }
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words.title;
}

/** The words under a key such as "guide.closer", with {name} filled in; undefined if there are none. */
export function say(key, values = {}) {
  const found = key.split(".").reduce((part, name) => part?.[name], words);
  if (typeof found !== "string") return found;
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function nameOther() {
  button.hidden = false;
  button.textContent = language === "zh" ? "English" : "中文";
  button.lang = language === "zh" ? "en" : "zh-CN";
}

/** Load the words, and from then on let people change the language; `again` shows the present screen anew. */
export async function useLanguages(again) {
  button.addEventListener("click", async () => {
    await useLanguage(language === "zh" ? "en" : "zh");
    nameOther();
    again();
  });
  await useLanguage();
  nameOther();
}
