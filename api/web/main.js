// The way of a person through the page, from the link to the result.

import { actions, button, card, h, inLanguage, mark, qrDrawing, screen } from "./elements.js";
import * as service from "./service.js";
import { statement } from "./statement.js";
import { language, say, useLanguages } from "./words.js";

const SLOW_RETRIES = 6;
const TAP_SECONDS = 30;   // whoever waited longer may have put the phone away: they begin with a tap
const DEFAULT_WAIT = 3;
const BUSY = ["overloaded", "draining"];
const FOLLOW_SECONDS = 3;
const ENDS = ["invite_used", "invite_unknown", "invite_revoked", "invite_expired", "grant_invalid", "attempts_exhausted", "already_verified", "case_not_open"];
const onPhone = navigator.maxTouchPoints > 0;
const chosen = { light: true, motions: "all", speech: false };
let code = "", invite = null, grant = null, camera = null, capture = null, again = () => {}, hidden = false, tools = null;
let turn = { over: false, waited: 0 };   // the present way from "start" to a result; over once it was stopped

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const paragraph = (words, kind) => h("p", { class: kind }, words);

/** Show a screen now, and again in the other language when that is chosen. */
function go(show) { again = show; show() }

/** What the camera needs comes while people read: the first screen does not wait for it. */
const loadTools = () => tools ??= Promise.all([import("./camera.js"), import("./capture.js"), import("./live.js")])
  .then((parts) => Object.assign({}, ...parts), () => { throw Object.assign(new Error(), { code: "network", reload: true }) });

/** The last screen of a link. */
function end(show) { kept.forget(); go(show) }

/** Do what may be refused; a refusal has a screen of its own, and so has that of the next try. */
async function attempt(work) {
  try { await work() } catch (error) {
    endCamera();
    if (ENDS.includes(error.code)) kept.forget();
    if (error.device) go(() => device(error.device));
    else go(() => problem(error.code ?? "other", error.reload ? () => location.reload() : () => attempt(work)));
    if (!error.device && !error.code) console.error(error);
  }
}

function endCamera() {
  camera?.getTracks().forEach((track) => track.stop());
  camera = null;
}

/** The secret that this phone has drawn for the link's grant: with it a lost answer is asked for again, and a closed page goes on. */
const kept = {
  drawn: null,
  key: () => `heyan-grant-${code.split(".", 2).join(".")}`,
  get: () => { try { return localStorage.getItem(kept.key()) } catch { return kept.drawn } },
  draw: () => {
    kept.drawn = kept.get() ?? newSecret();
    try { localStorage.setItem(kept.key(), kept.drawn) } catch { /* not kept: good until the page is closed */ }
    return kept.drawn;
  },
  forget: () => { kept.drawn = null; try { localStorage.removeItem(kept.key()) } catch { /* nothing was kept */ } },
};
/** 32 random bytes in base64url. */
const newSecret = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
  .replaceAll("+", "-").replaceAll("/", "_").replace("=", "");
const exchange = async (secret) => { grant = (await service.exchange(code, secret)).grant };

const begin = () => attempt(async () => {
  code = location.hash.slice(1);
  if (!code) return go(noLink);
  const look = firstLook ?? service.inspect(code);
  firstLook = null;
  invite = await look;
  if (invite.ended) return end(invite.ended === "already_verified" ? done : () => problem(invite.ended));
  if (invite.state === "exchanged" && !kept.get()) return go(() => problem("invite_used"));
  if (invite.state === "exchanged") await exchange(kept.get());
  return go(invite.state === "issued" ? who : cameraNotice);
});

/** Give up what runs; nothing of it is shown any more. */
function halt() {
  turn.over = true;
  capture?.abort();
}

const stop = () => { halt(); endCamera(); go(stopped) };
const decline = () => attempt(async () => {
  endCamera();
  await service.answerConsent(code, invite, false, language);
  end(declined);
});
const declineButton = (back = again) => button(say("decline"), () => { halt(); go(() => sureToDecline(back)) }, "quiet");

/** The way back is where the finger was: who taps twice has declined nothing. */
function sureToDecline(back) {
  screen("decline_sure", say("decline_sure_title"), { children: [
    h("ul", { class: "plain" }, say("decline_follows").map((words) => h("li", {}, words))),
    actions(button(say("decline_sure"), decline, "second"), button(say("back"), () => go(back))),
  ] });
}

/** To be on a phone instead: the same link as a QR code, until the phone has used it. */
const handOffButton = (kind) => button(say("hand_off"), () => attempt(async () => {
  const drawn = await service.qrCode(code);
  go(() => handOff(drawn));
  followPhone();
}), kind);

function handOff(drawn) {
  screen("hand_off", say("hand_off_title"), { children: [
    qrDrawing(drawn), paragraph(say("hand_off_note")), actions(button(say("stay"), begin, "second"), declineButton(begin)),
  ] });
}

/** Look now and then whether the phone has used the link; whoever goes on here is not asked any more. */
async function followPhone() {
  const here = again;
  for (;;) {
    await pause(FOLLOW_SECONDS);
    if (again !== here || grant) return;
    const state = await service.inspect(code).then((seen) => seen.state, (error) => error.code === "network" ? "" : "gone");
    if (again !== here) return;
    if (state === "exchanged") return go(handedOver);
    if (state === "gone") return begin();
  }
}

function handedOver() {
  screen("handed_over", say("handed_over_title"), { children: [mark("yes"), paragraph(say("handed_over_note"))] });
}

function noLink() {
  screen("no_link", say("no_link_title"), { children: [
    paragraph(say("no_link_note")), h("p", { class: "soft" }, h("a", { href: "about" }, say("about"))),
  ] });
}

function who() {
  const entries = [["requester", invite.requester], ["action", inLanguage(invite.action_words)],
    ["person", `${invite.name_masked} · ${inLanguage(invite.role_words)}`]];
  screen("who", say("who_title"), { step: 1, children: [
    card(h("dl", {}, entries.map(([term, text]) => [h("dt", {}, say(term)), h("dd", {}, text)]))),
    paragraph(say("who_note"), "soft"), service.clockIsWrong && paragraph(say("clock_note"), "card warning"),
    actions(button(say("continue"), () => go(consent)), !onPhone && handOffButton("second"), declineButton()),
  ] });
}

function consent() {
  screen("consent", say("consent_title"), { step: 2, children: [
    card(paragraph(inLanguage(invite.consent))), actions(button(say("agree"), () => go(intent)), declineButton()),
  ] });
}

function intent() {
  const confirm = () => attempt(async () => {
    invite = await service.answerConsent(code, invite, true, language);
    go(cameraNotice);
  });
  screen("intent", say("intent_title"), { step: 3, children: [
    card(statement(inLanguage(invite.intent))), actions(button(say("intent_button"), confirm), declineButton()),
  ] });
}

function option(words, checked, change) {
  const box = h("input", { type: "checkbox", onchange: () => change(box.checked) });
  box.checked = checked;
  return h("label", { class: "option" }, box, h("span", {}, words));
}

/** A camera that films; the phone, or another app, may take it away at any time. */
async function useCamera() {
  if (camera?.getVideoTracks()[0].readyState === "live") return;
  const opened = camera = await (await loadTools()).openCamera();
  opened.getVideoTracks()[0].addEventListener("ended", () => { if (camera === opened) cameraLost() });
}

function cameraLost() {
  halt();
  endCamera();
  go(() => device("ended"));
}

const film = () => attempt(async () => {
  const asked = again;
  await useCamera();
  if (again === asked) go(ready);
  else endCamera();
});

function cameraNotice() {
  screen("camera", say("camera_title"), { step: 4, children: [
    h("ul", { class: "plain" }, say("camera_todo").map((words) => h("li", {}, words))),
    h("section", { class: "card warning" }, h("h2", {}, say("light_warning_title")), paragraph(say("light_warning")),
      option(say("without_light"), !chosen.light, (on) => { chosen.light = !on })),
    card(option(say("without_turns"), chosen.motions !== "all", (on) => { chosen.motions = on ? "without_turns" : "all" }),
      window.speechSynthesis && option(say("speech"), chosen.speech, (on) => { chosen.speech = on }),
      paragraph(say("both_out"), "soft")),
    actions(button(say("open_camera"), film), declineButton()),
  ] });
}

function ready(start = verify) {
  const video = h("video", { autoplay: true, playsinline: true, "aria-hidden": "true" });
  video.muted = true;
  video.srcObject = camera;
  video.play().catch(() => {});
  screen("ready", say("ready_title"), { step: 4, children: [
    paragraph(say("ready_note")), h("div", { class: "stage" }, h("div", { class: "oval" }, h("div", { class: "view" }, video))),
    actions(button(say("start"), start), declineButton(() => ready())), h("p", { id: "upright" }, say("upright")),
  ] });
}

const verify = () => attempt(async () => {
  again = () => {};
  hidden = false;
  const mine = turn = { over: false, waited: 0 };
  const result = await session(mine).catch((error) => { if (!mine.over) throw error });
  if (mine.over) return;
  endCamera();
  if (result) show(result);
});

async function session(mine) {
  if (!grant) await exchange(kept.draw());
  await useCamera();
  if (mine.over) return endCamera();
  const opened = await openPatiently(mine);
  if (opened) invite.attempts_left = opened.attempts_left;
  return run(opened, mine);
}

/** Open a session; after several failures, or when it has too much to do, the service asks to wait: no attempt is taken. */
async function openPatiently(mine) {
  for (let tried = 0; !mine.over; tried++) {
    try { return await service.openSession(grant) } catch (error) {
      if (mine.over) return null;
      if (error.code === "attempts_too_fast" && error.retryAfter) rest(error.retryAfter);
      else if (BUSY.includes(error.code) && tried < SLOW_RETRIES) await queue(error, mine);
      else throw error;
    }
  }
  return null;
}

/** Wait for a place. */
async function queue(error, mine) {
  const seconds = error.retryAfter ?? DEFAULT_WAIT;
  waiting("busy_title", say("busy_note"), actions(button(say("stop"), stop, "second")));
  await pause(seconds);
  mine.waited += seconds;
}

/** A pause that the service asks for: without the camera, with a way out. */
async function rest(seconds) {
  const until = Date.now() + seconds * 1000, show = () => resting(until);
  halt();
  endCamera();
  go(show);
  while (again === show && Date.now() < until) {
    tellLeft(until);
    await pause(1);
  }
  if (again === show) return seconds > TAP_SECONDS ? go(rested) : verify();
}

function tellLeft(until) {
  const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
  document.getElementById("left").textContent = say("rest_left", { minutes: Math.floor(seconds / 60), seconds: seconds % 60 });
}

function resting(until) {
  screen("resting", say("rest_title"), { children: [
    mark("wait"), paragraph(say("rest_note")), card(h("p", { id: "left", role: "timer" })), windowCard(),
    actions(button(say("stop"), stop, "second")),
  ] });
  tellLeft(until);
}

function rested() {
  screen("rested", say("rested_title"), { children: [
    mark("yes"), paragraph(say("rested_note")), actions(button(say("open_camera"), film), declineButton()),
  ] });
}

/** The camera's picture again, until somebody taps: whoever stops instead never comes back here. */
async function tapped(mine) {
  await new Promise((tap) => go(() => ready(tap)));
  again = () => {};
  mine.waited = 0;
}

/** Run a session; when all places are taken, nothing is burnt: wait and claim again. */
async function run(opened, mine) {
  const { Capture, liveScreen } = await loadTools();
  for (let tried = 0; !mine.over; tried++) {
    if (mine.waited > TAP_SECONDS) await tapped(mine);
    const view = liveScreen({ stream: camera, speech: chosen.speech, stop });
    again = view.redraw;
    const show = (message) => {
      view.show(message);
      if (message.type === "done") { endCamera(); waiting("wait_title", say("wait_note")) }
    };
    capture = new Capture({ opened, video: view.video, claim: { light: chosen.light, motions: chosen.motions }, show });
    try { return await capture.run() } catch (error) {
      if (!BUSY.includes(error.code) || tried >= SLOW_RETRIES) throw error;
      await queue(error, mine);
    } finally { capture = null }
  }
  return null;
}

function waiting(title, note, out) {
  screen("waiting", say(title), { children: [h("div", { class: "spinner", "aria-hidden": "true" }), h("p", { role: "status" }, note), out] });
}

const windowCard = () => card(h("h2", {}, say("window_title")), paragraph(say(invite ? "window_note" : "window_note_alone")),
  invite && h("dl", {}, h("dt", {}, say("case")), h("dd", {}, invite.case_id)));

function show({ outcome, reason, attempts_left: left }) {
  if (outcome === "accepted" || left < 1) kept.forget();
  go({ accepted: done, retry: () => retry(reason, left), rejected: () => refused(reason, left),
    referred: () => referred(reason) }[outcome] ?? (() => problem("other")));
}

/** The way back into the flow that asked, if it has named one; the service has checked where it leads. */
const wayBack = () => invite?.return_url
  && actions(h("a", { class: "button", href: invite.return_url }, say("return", { requester: invite.requester })));

function done() {
  screen("done", say("done_title"), { children: [
    mark("yes"), paragraph(say("done_note")), paragraph(say("done_next", { requester: invite.requester }), "soft"), wayBack(),
  ] });
}

const tryAgain = (left) => (left > 0 ? [paragraph(say("attempts_left", { n: left }), "soft"),
  actions(button(say("retry_button"), verify), declineButton())] : [paragraph(say("attempts_none")), wayBack()]);

function retry(reason, left) {
  screen("retry", say("retry_title"), { children: [
    mark("wait"), paragraph(say(`retry.${reason}`) ?? say("retry.try_again")), hidden && paragraph(say("hidden_note")),
    left < 1 && windowCard(), tryAgain(left),
  ] });
}

function refused(reason, left) {
  screen("rejected", say("rejected_title"), { children: [
    mark("no"), paragraph(say(`rejected.${reason}`) ?? ""), windowCard(), tryAgain(left),
  ] });
}

function referred(reason) {
  screen("referred", say("referred_title"), { children: [mark("wait"), paragraph(say(`referred.${reason}`) ?? ""), windowCard(), wayBack()] });
}

function stopped() {
  const left = invite.attempts_left;
  screen("stopped", say("stopped_title"), { children: [mark("wait"), paragraph(say("stopped_note")), left < 1 && windowCard(), tryAgain(left)] });
}

function declined() {
  screen("declined", say("declined_title"), { children: [mark("wait"), paragraph(say("declined_note")), windowCard(), wayBack()] });
}

const TRANSIENT = ["network", "lost", "overloaded", "draining", "store_unavailable", "session_expired", "reference_delayed", "attempts_too_fast", "other"];

function problem(name, work = begin) {
  const [title, note] = say(`problem.${name}`) ?? say("problem.other");
  const settled = ["already_verified", "case_not_open", "invite_unknown"].includes(name);
  screen(`problem_${name}`, title, { children: [
    mark(name === "already_verified" ? "yes" : "wait"), paragraph(note), !settled && windowCard(),
    TRANSIENT.includes(name) || !say(`problem.${name}`) ? actions(button(say("again"), work)) : wayBack(),
  ] });
}

/** Put a field's text on the clipboard; whether it is there. It stays selected for whoever must do it by hand. */
async function copied(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch { return document.execCommand("copy") }
}

function device(name) {
  const [title, note] = say(`device.${name}`);
  const link = h("input", { readonly: true, value: location.href, "aria-label": say("copy") });
  const byHand = h("p", { role: "status" });
  const copy = async (pressed) => {
    const done = await copied(link);
    pressed.textContent = say(done ? "copied" : "copy");
    byHand.textContent = done ? "" : say("copy_by_hand");
  };
  const hopeless = name === "unsupported" || (name === "in_app" && !navigator.mediaDevices);
  const elsewhere = ["in_app", "unsupported", "no_camera", "rear"].includes(name);
  screen(`device_${name}`, title, { children: [
    mark("wait"), paragraph(note), elsewhere && [link, byHand], windowCard(),
    actions(elsewhere && button(say("copy"), copy), elsewhere && name !== "in_app" && handOffButton("second"), !hopeless
      && button(say("again"), () => go(cameraNotice), elsewhere ? "second" : ""), declineButton()),
  ] });
}

document.addEventListener("visibilitychange", () => { if (document.hidden && capture) hidden = true });
// Another link is another person's way, or another filing's: nothing of this one is taken along.
addEventListener("hashchange", () => { halt(); endCamera(); location.reload() });
// The link is looked at while the words still come: on a slow network that is one way less.
let firstLook = location.hash.length > 1 ? service.inspect(location.hash.slice(1)) : null;
firstLook?.catch(() => {});
useLanguages(() => again()).then(begin).then(() => loadTools().catch(() => {}));
