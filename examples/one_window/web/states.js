// States of filings and people as coloured words; never colour alone.

import { h, say } from "./page.js";

const KINDS = {
  registered: "good", verified: "good", redeemed: "good", completed: "good",
  cancelled: "bad", expired: "bad", rejected: "bad", declined: "bad", disputed: "bad", photo_unusable: "bad", reference_unusable: "bad", erased: "bad",
  referred: "warn", photo_delayed: "warn",
};

export const badge = (state) => h("span", { class: `badge ${KINDS[state] ?? ""}`, "data-state": state }, say(`state.${state}`) ?? state);

export const actionWords = (action) => say(`action.${action.replace(".", "_")}`) ?? action;

/** What is known of a person: the note about the last attempt says more than that somebody is still missing. */
export const stateOf = (party) => (party.state === "pending" && party.note) || party.state;
export const isDone = (party) => ["verified", "redeemed"].includes(party.state);
