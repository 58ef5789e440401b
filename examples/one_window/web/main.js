// Which page this is, by its address; and the language of all of them.

import { company } from "./company.js";
import { establishment, increase } from "./entry.js";
import { filing } from "./filing.js";
import { overview } from "./overview.js";
import { language, refusal, say, show, useLanguage } from "./page.js";
import { wayBack } from "./back.js";

const PAGES = [
  [/^\/$/, overview], [/^\/new$/, establishment], [/^\/filings\/([^/]+)$/, filing],
  [/^\/companies\/([^/]+)\/increase$/, increase], [/^\/companies\/([^/]+)$/, company], [/^\/back\/([^/]+)$/, wayBack],
];

const languageButton = document.getElementById("language");

async function open() {
  languageButton.textContent = language === "zh" ? "English" : "中文";
  languageButton.lang = language === "zh" ? "en" : "zh-CN";
  document.getElementById("home").textContent = say("title");
  document.getElementById("sample").textContent = say("sample");
  const [page, found] = PAGES.map(([path, each]) => [each, location.pathname.match(path)]).find(([, match]) => match);
  try { await page(found[1]) } catch (error) {
    if (!error.code) throw error;
    show("problem", say("problem_title"), refusal(error));
  }
}

languageButton.addEventListener("click", async () => {
  await useLanguage(language === "zh" ? "en" : "zh");
  await open();
});
await useLanguage();
await open();
