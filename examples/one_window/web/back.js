// Where a person gets from the page on which they verified: how far the filing is, and nothing about anybody.

import { ask, card, h, say, show } from "./page.js";
import { actionWords } from "./states.js";

export async function wayBack(way) {
  const now = await ask(`/api/back/${way}`);
  const ended = ["registered", "cancelled", "expired"].includes(now.state);
  show("back", say("back_title"), card(h("p", {}, actionWords(now.action), " · ", now.company_name),
    h("p", {}, say("verified_n", { n: now.done, total: now.total })),
    h("p", {}, ended ? say(`state.${now.state}`) : say("back_note"))));
}
