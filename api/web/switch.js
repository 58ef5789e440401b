// The button that changes the language; the screen is shown again in the other one.

import { language, useLanguage } from "./words.js";

const button = document.getElementById("language");

function name() {
  button.textContent = language === "zh" ? "English" : "中文";
  button.lang = language === "zh" ? "en" : "zh-CN";
}

/** Load the words, and from then on let people change the language; `again` shows the present screen anew. */
export async function useLanguages(again) {
  button.addEventListener("click", async () => {
    await useLanguage(language === "zh" ? "en" : "zh");
    name();
    again();
  });
  await useLanguage();
  name();
}
