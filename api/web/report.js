// "This was not me": what was done in a person's name, by the link in the notice that they got, and a way to object.

import { actions, button, card, h, inLanguage, mark, screen } from "./elements.js";
import * as service from "./service.js";
import { statement } from "./statement.js";
import { language, say, useLanguages } from "./words.js";

let code = "", seen = null, again = () => {};

const paragraph = (words, kind) => h("p", { class: kind }, words);
const time = (moment) => new Date(moment).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", { dateStyle: "long", timeStyle: "short" });

/** Show a screen now, and again in the other language when that is chosen. */
function go(show) { again = show; show() }

/** Do what may be refused; a refusal has a screen of its own, and so has that of the next try. */
async function attempt(work) {
  try { await work() } catch (error) {
    go(() => problem(error.code ?? "other", () => attempt(work)));
    if (!error.code) console.error(error);
  }
}

const begin = () => attempt(async () => {
  code = location.hash.slice(1);
  if (!code) return go(noLink);
  seen = await service.inspectDispute(code);
  return go(seen.disputed_at ? reported : what);
});

const report = () => attempt(async () => {
  seen = await service.reportDispute(code);
  go(reported);
});

const facts = () => card(h("dl", {}, [
  ["requester", seen.requester], ["person", seen.name_masked], ["report_when", seen.verified_at ? time(seen.verified_at) : say("report_never")],
].map(([term, text]) => [h("dt", {}, say(term)), h("dd", {}, text)])),
h("p", { class: "soft" }, say("report_what")), statement(inLanguage(seen.intent)));

function noLink() {
  screen("no_link", say("no_link_title"), { children: [paragraph(say("report_no_link"))] });
}

function what() {
  screen("report", say("report_title"), { children: [
    facts(), paragraph(say(seen.verified_at ? "report_note" : "report_note_never"), "soft"),
    actions(button(say("report_button"), () => go(sure)), button(say("report_mine"), () => go(mine), "quiet")),
  ] });
}

function sure() {
  screen("report_sure", say("report_sure_title"), { children: [
    h("ul", { class: "plain" }, say("report_follows").map((words) => h("li", {}, words))),
    actions(button(say("report_sure"), report), button(say("report_not_yet"), () => go(what), "quiet")),
  ] });
}

function mine() {
  screen("report_mine", say("report_mine_title"), { children: [mark("yes"), paragraph(say("report_mine_note"))] });
}

function reported() {
  screen("reported", say("reported_title"), { children: [
    mark("yes"), paragraph(say("reported_at", { time: time(seen.disputed_at) })), paragraph(say("reported_note")), facts(),
  ] });
}

function problem(name, work) {
  const [title, note] = say(`problem.${name}`) ?? say("problem.other");
  screen(`problem_${name}`, title, { children: [
    mark("wait"), paragraph(note), !/^(dispute_|content_erased$)/.test(name) && actions(button(say("again"), work)),
  ] });
}

addEventListener("hashchange", begin);
useLanguages(() => again()).then(() => { document.title = say("report_page") }).then(begin);
