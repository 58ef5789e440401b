// One filing: its people, their links, and how far each is, live.

import { ask, button, card, h, link, main, money, pairs, refusal, say, show } from "./page.js";
import { actionWords, badge, isDone, stateOf } from "./states.js";

let source = null, shown = "";

export async function filing(id) {
  source?.close();
  shown = "";
  draw(await ask(`/api/filings/${id}`));
  source = new EventSource(`/api/filings/${id}/events`);
  source.onmessage = ({ data }) => draw(JSON.parse(data));
  addEventListener("pagehide", () => source.close(), { once: true });
}

/** Ask for something, and show what comes of it: the filing as it is then, or why not. */
const act = (path) => async (event) => {
  const pressed = event.currentTarget;
  pressed.disabled = true;
  try { draw(await ask(path, {})) } catch (error) {
    if (!error.code) throw error;
    main.querySelector("#problems").replaceChildren(refusal(error));
  } finally { pressed.disabled = false }
};

function draw(now) {
  const text = JSON.stringify(now);
  if (text === shown) return;
  shown = text;
  const focused = document.activeElement?.dataset?.key, done = now.parties.filter(isDone).length, open = now.state === "open";
  show("filing", actionWords(now.action),
    h("p", { class: "lead" }, now.company_name, " ", badge(now.state)),
    h("div", { class: "columns" },
      h("div", {}, h("h2", {}, say("people")), h("p", { role: "status", id: "progress" }, say("verified_n", { n: done, total: now.parties.length })),
        h("progress", { value: done, max: now.parties.length, "aria-label": say("progress") }),
        h("ul", { class: "people" }, now.parties.map((party, place) => person(now, party, place)))),
      h("div", {}, now.state === "registered" && card(h("h2", {}, say("registered_title")), h("p", {}, say("registered_note")), link(say("licence"), `/companies/${now.company}`)),
        now.problem && refusal({ code: now.problem }), h("div", { id: "problems" }),
        card(h("h2", {}, say("filing")), pairs([say("number"), now.id], [say("capital"), money(now.capital)], [say("case"), now.case_id ?? "…"],
          [say("document"), h("code", {}, now.document_sha256.slice(0, 16), "…")], [say("receipts"), say("receipts_n", { n: now.receipts.length })])),
        open && button(say("withdraw"), act(`/api/filings/${now.id}/withdraw`), "danger"))));
  if (focused) main.querySelector(`[data-key="${focused}"]`)?.focus();
}

function person(now, party, place) {
  const state = stateOf(party), path = `/api/filings/${now.id}/people/${place}/link`;
  const who = h("h3", {}, `${party.name} `, h("span", { class: "soft" }, say(`role.${party.role}`), party.share_percent && ` ${party.share_percent}%`));
  const askLink = button(say(party.link ? "link_again" : "link"), act(path), party.link ? "quiet" : "");
  askLink.dataset.key = `link-${place}`;
  askLink.setAttribute("aria-label", `${askLink.textContent} · ${party.name} ${say(`role.${party.role}`)}`);
  const note = say(`note.${state}`);
  return h("li", { class: "card", "data-person": place }, h("div", { class: "row between" }, who, badge(state)), note && h("p", { class: "small" }, note),
    party.link && invitation(party, `${path}.svg?${party.link.slice(-8)}`), now.state === "open" && !isDone(party) && h("p", { class: "row" }, askLink,
      now.test && button(say("simulate"), act(`/api/filings/${now.id}/people/${place}/simulate`), "second")));
}

function invitation(party, image) {
  const address = h("input", { readonly: true, value: party.link, "aria-label": say("link_of", { name: party.name }) });
  const copy = button(say("copy"), async () => {
    address.select();
    await navigator.clipboard?.writeText(party.link).catch(() => {});
    copy.textContent = say("copied");
  }, "second");
  return h("div", { class: "invitation" }, h("img", { src: image, width: 148, height: 148, alt: say("qr_of", { name: party.name }) }),
    h("div", {}, h("p", { class: "small" }, say("link_note")), address, h("p", { class: "row" }, copy,
      h("a", { class: "second button", href: party.link, target: "_blank", rel: "noreferrer" }, say("open_here")))));
}
