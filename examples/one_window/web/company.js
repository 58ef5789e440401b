// A company and its licence: a sample that must not be taken for a real one.

import { ask, day, h, link, money, say, show } from "./page.js";

export async function company(id) {
  const known = await ask(`/api/companies/${id}`);
  const entries = [["licence_code", `SAMPLE-${known.id}`], ["company_name", known.name], ["legal_representative", known.legal_representative],
    ["capital", money(known.capital)], ["founded", day(known.registered_at)], ["authority", say("authority_name")], ["issued", day(known.licensed_at)]];
  const facts = h("dl", {}, entries.map(([key, value]) => h("div", {}, h("dt", {}, say(key)), h("dd", {}, value))));
  show("company", known.name,
    h("section", { class: "licence", "aria-label": say("licence") }, h("p", { class: "stamp" }, say("sample_stamp")),
      h("p", { class: "licence-title", lang: "zh-CN" }, "营业执照"), h("p", { class: "soft" }, say("licence_subtitle")), facts,
      h("p", { class: "small" }, say("licence_note"))),
    h("p", { class: "row" }, link(say("increase"), `/companies/${known.id}/increase`)));
}
