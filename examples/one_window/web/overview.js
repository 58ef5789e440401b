// All filings and companies.

import { ask, card, day, h, link, money, say, show } from "./page.js";
import { actionWords, badge } from "./states.js";

export async function overview() {
  const { filings, companies } = await ask("/api/overview");
  show("overview", say("overview_title"), h("p", { class: "lead" }, say("overview_lead")),
    h("p", { class: "row" }, link(say("new"), "/new")),
    card(h("h2", {}, say("filings")), filings.length ? table(filings) : h("p", { class: "soft" }, say("no_filings"))),
    companies.length > 0 && card(h("h2", {}, say("companies")), h("ul", { class: "plain" }, companies.map((each) => h("li", {},
      link(each.name, `/companies/${each.id}`, ""), ` · ${money(each.capital)}`)))));
}

function table(filings) {
  const head = ["number", "what", "company", "filed", "progress"].map((key) => h("th", { scope: "col" }, say(key)));
  return h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, filings.map((each) => h("tr", {},
    h("th", { scope: "row" }, link(each.id, `/filings/${each.id}`, "")), h("td", {}, actionWords(each.action)),
    h("td", {}, each.company_name), h("td", {}, day(each.filed_at)), h("td", {}, badge(each.state))))));
}
