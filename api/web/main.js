// The way of a person through the page, from the link to the result.

import { actions, button, card, h, inLanguage, mark, qrDrawing, screen } from "./elements.js";
import * as service from "./service.js";
import { statement } from "./statement.js";
import { language, say, useLanguages } from "./words.js";

const SLOW_RETRIES = 6;
const DEFAULT_WAIT = 3;
const BUSY = ["overloaded", "draining"];
const FOLLOW_SECONDS = 3;
const onPhone = navigator.maxTouchPoints > 0;
const chosen = { light: true, motions: "all", speech: false };
let code = "", invite = null, grant = null, camera = null, capture = null, again = () => {}, hidden = false, tools = null;

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const paragraph = (words, kind) => h("p", { class: kind }, words);

/** Show a screen now, and again in the other language when that is chosen. */
function go(show) { again = show; show() }

/** What the camera needs comes while people read: the first screen does not wait for it. */
const loadTools = () => tools ??= Promise.all([import("./camera.js"), import("./capture.js"), import("./live.js")])
  .then((parts) => Object.assign({}, ...parts), () => { throw Object.assign(new Error(), { code: "network", reload: true }) });

/** Do what may be refused; a refusal has a screen of its own. */
async function attempt(work) {
  try { await work() } catch (error) {
    endCamera();
    if (error.device) go(() => device(error.device));
    else go(() => problem(error.code ?? "other", error.reload ? () => location.reload() : work));
    if (!error.device && !error.code) console.error(error);
  }
}

function endCamera() {
  camera?.getTracks().forEach((track) => track.stop());
  camera = null;
}

const kept = {
  key: () => `heyan-grant-${code}`,
  get: () => { try { return sessionStorage.getItem(kept.key()) } catch { return null } },
  set: (secret) => { try { sessionStorage.setItem(kept.key(), secret) } catch { /* not kept: a reload needs a new link */ } },
};

const begin = () => attempt(async () => {
  code = location.hash.slice(1);
  if (!code) return go(noLink);
  const look = firstLook ?? service.inspect(code);
  firstLook = null;
  invite = await look;
  grant = kept.get();
  if (invite.state === "exchanged" && !grant) return go(() => problem("invite_used"));
  return go(invite.state === "issued" ? who : cameraNotice);
});

const decline = () => attempt(async () => {
  capture?.abort();
  endCamera();
  await service.answerConsent(code, invite, false, language);
  go(declined);
});
const declineButton = () => button(say("decline"), decline, "quiet");

/** To be on a phone instead: the same link as a QR code, until the phone has used it. */
const handOffButton = (kind) => button(say("hand_off"), () => attempt(async () => {
  const drawn = await service.qrCode(code);
  go(() => handOff(drawn));
  followPhone();
}), kind);

function handOff(drawn) {
  screen("hand_off", say("hand_off_title"), { children: [
    qrDrawing(drawn), paragraph(say("hand_off_note")), actions(button(say("stay"), begin, "second"), declineButton()),
  ] });
}

/** Look now and then whether the phone has used the link; whoever goes on here is not asked any more. */
async function followPhone() {
  const here = again;
  for (;;) {
    await pause(FOLLOW_SECONDS);
    if (again !== here || kept.get()) return;
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

function cameraNotice() {
  const open = () => attempt(async () => {
    camera = await (await loadTools()).openCamera();
    go(ready);
  });
  screen("camera", say("camera_title"), { step: 4, children: [
    h("ul", { class: "plain" }, say("camera_todo").map((words) => h("li", {}, words))),
    h("section", { class: "card warning" }, h("h2", {}, say("light_warning_title")), paragraph(say("light_warning")),
      option(say("without_light"), !chosen.light, (on) => { chosen.light = !on })),
    card(option(say("without_turns"), chosen.motions !== "all", (on) => { chosen.motions = on ? "without_turns" : "all" }),
      window.speechSynthesis && option(say("speech"), chosen.speech, (on) => { chosen.speech = on }),
      paragraph(say("both_out"), "soft")),
    actions(button(say("open_camera"), open), declineButton()),
  ] });
}

function ready() {
  const video = h("video", { autoplay: true, playsinline: true, "aria-hidden": "true" });
  video.muted = true;
  video.srcObject = camera;
  video.play().catch(() => {});
  screen("ready", say("ready_title"), { step: 4, children: [
    paragraph(say("ready_note")), h("div", { class: "stage" }, h("div", { class: "oval" }, h("div", { class: "view" }, video))),
    actions(button(say("start"), verify), declineButton()), h("p", { id: "upright" }, say("upright")),
  ] });
}

const verify = () => attempt(async () => {
  again = () => {};
  hidden = false;
  if (!grant) {
    grant = (await service.exchange(code)).grant;
    kept.set(grant);
  }
  const { openCamera } = await loadTools();
  camera ??= await openCamera();
  const result = await run(await openPatiently());
  endCamera();
  if (result) show(result);
});

/** Open a session; after several failures, or when it has too much to do, the service asks to wait: no attempt is taken. */
async function openPatiently() {
  for (let tried = 0; ; ) {
    try { return await service.openSession(grant) } catch (error) {
      if (BUSY.includes(error.code) && tried++ < SLOW_RETRIES) {
        waiting("busy_title", say("busy_note"));
      } else if (error.code === "attempts_too_fast" && error.retryAfter) {
        waiting("wait_title", say("slow_note", { seconds: error.retryAfter }));
      } else throw error;
      await pause(error.retryAfter ?? DEFAULT_WAIT);
    }
  }
}

/** Run a session; when all places are taken, nothing is burnt: wait and claim again. */
async function run(opened) {
  const { Capture, liveScreen } = await loadTools();
  for (let tried = 0; ; tried++) {
    const view = liveScreen({ stream: camera, speech: chosen.speech, stop: decline });
    again = view.redraw;
    const show = (message) => {
      view.show(message);
      if (message.type === "done") { endCamera(); waiting("wait_title", say("wait_note")) }
    };
    capture = new Capture({ opened, video: view.video, claim: { light: chosen.light, motions: chosen.motions }, show });
    try { return await capture.run() } catch (error) {
      if (!BUSY.includes(error.code) || tried >= SLOW_RETRIES) throw error;
      waiting("busy_title", say("busy_note"));
      await pause(error.retryAfter ?? DEFAULT_WAIT);
    } finally { capture = null }
  }
}

function waiting(title, note) {
  screen("waiting", say(title), { children: [h("div", { class: "spinner", "aria-hidden": "true" }), h("p", { role: "status" }, note)] });
}

const windowCard = () => card(h("h2", {}, say("window_title")), paragraph(say("window_note")),
  invite && h("dl", {}, h("dt", {}, say("case")), h("dd", {}, invite.case_id)));

function show({ outcome, reason, attempts_left: left }) {
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

function declined() {
  screen("declined", say("declined_title"), { children: [mark("wait"), paragraph(say("declined_note")), windowCard(), wayBack()] });
}

const TRANSIENT = ["network", "lost", "overloaded", "draining", "store_unavailable", "session_expired", "reference_delayed", "attempts_too_fast", "other"];

function problem(name, work = begin) {
  const [title, note] = say(`problem.${name}`) ?? say("problem.other");
  const settled = ["already_verified", "case_not_open", "invite_unknown"].includes(name);
  screen(`problem_${name}`, title, { children: [
    mark(name === "already_verified" ? "yes" : "wait"), paragraph(note), !settled && windowCard(),
    (TRANSIENT.includes(name) || !say(`problem.${name}`)) && actions(button(say("again"), work)),
  ] });
}

function device(name) {
  const [title, note] = say(`device.${name}`);
  const link = h("input", { readonly: true, value: location.href, "aria-label": say("copy") });
  const copy = async (pressed) => {
    link.select();
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    if (!navigator.clipboard) document.execCommand("copy");
    pressed.textContent = say("copied");
  };
  const elsewhere = ["in_app", "unsupported", "no_camera", "rear"].includes(name);
  screen(`device_${name}`, title, { children: [
    mark("wait"), paragraph(note), elsewhere && link, windowCard(),
    actions(elsewhere && button(say("copy"), copy), elsewhere && name !== "in_app" && handOffButton("second"), !["in_app", "unsupported"].includes(name)
      && button(say("again"), () => go(cameraNotice), elsewhere ? "second" : ""), declineButton()),
  ] });
}

document.addEventListener("visibilitychange", () => { if (document.hidden && capture) hidden = true });
addEventListener("hashchange", begin);
// The link is looked at while the words still come: on a slow network that is one way less.
let firstLook = location.hash.length > 1 ? service.inspect(location.hash.slice(1)) : null;
firstLook?.catch(() => {});
useLanguages(() => again()).then(begin).then(() => loadTools().catch(() => {}));
