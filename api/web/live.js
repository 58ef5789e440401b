// The screen of a live session: picture, oval, prompts, arrow, progress, colours.

import { actions, arrow, button, drawing, growing, h, screen } from "./elements.js";
import { language, say } from "./words.js";

const AROUND = 100;
const PRAISE_MS = 700;   // how long "seen" stays, unless something is asked: as long as it takes to read it

export function liveScreen({ stream, speech, stop }) {
  const video = h("video", { autoplay: true, playsinline: true, muted: true, "aria-hidden": "true" });
  video.muted = true;
  video.srcObject = stream;
  video.play().catch(() => {});
  const oval = { d: "M37.5 1a36.5 49 0 1 1 0 98a36.5 49 0 1 1 0-98", pathLength: AROUND };
  const ring = drawing("0 0 75 100", ["path", oval],
    ["path", { ...oval, class: "done", "stroke-dasharray": AROUND, "stroke-dashoffset": AROUND }]);
  ring.setAttribute("class", "ring");
  const pointer = h("div", { class: "arrow", hidden: true, "aria-hidden": "true" }, arrow(), growing());
  const prompt = h("p", { class: "prompt", role: "status", "aria-live": "assertive" });
  const count = h("p", { class: "count soft" }, "\u00a0");
  const look = h("p"), upright = h("p", { id: "upright" }), stops = [button("", stop, "quiet"), button("", stop)];
  const colours = h("div", { id: "light", hidden: true }, look, stops[1]);
  const heading = screen("live", say("live_title"), { step: 4, children: [
    prompt, h("div", { class: "stage" }, h("div", { class: "oval" }, h("div", { class: "view" }, video), ring, pointer)), count,
    actions(stops[0]), colours, upright,
  ] }).querySelector("h1");

  const worded = new Map();
  const word = (element, ...words) => { worded.set(element, words); element.textContent = say(...words) };
  const redraw = () => worded.forEach((words, element) => word(element, ...words));
  word(heading, "live_title"); word(look, "look_at_screen"); word(upright, "upright");
  stops.forEach((each) => word(each, "stop"));

  let praise = 0, next = null;
  const speak = (words, politely) => {
    if (!speech || !window.speechSynthesis) return;
    if (!politely) speechSynthesis.cancel();
    speechSynthesis.speak(Object.assign(new SpeechSynthesisUtterance(words), { lang: language === "zh" ? "zh-CN" : "en-GB" }));
  };
  const tell = (key, politely = false) => {
    clearTimeout(praise);
    praise = 0;
    const before = prompt.textContent;
    word(prompt, key);
    if (prompt.textContent !== before) speak(prompt.textContent, politely);
  };
  /** What asks for no motion waits until praise was read; of several, the last. */
  const tellCalmly = (key) => { if (praise) next = key; else tell(key) };
  const applaud = () => {
    tell("seen");
    next = null;
    praise = setTimeout(() => { praise = 0; if (next) tell(next, true) }, PRAISE_MS);
  };
  const progress = (done, total) => {
    ring.lastChild.setAttribute("stroke-dashoffset", AROUND * (1 - done / total));
  };
  const point = (cue) => {
    pointer.hidden = !cue;
    pointer.dataset.cue = cue ?? "";
  };
  const shows = {
    guide: ({ code }) => tellCalmly(`guide.${code}`),
    rest: () => { point(null); colours.hidden = true; tellCalmly("rest") },
    ask: ({ cue, index, total }) => {
      point(cue);
      word(count, "progress", { n: index + 1, total });
      tell(`cue.${cue}`);
    },
    seen: ({ index }) => { point(null); progress(index + 1, 7); applaud() },
    light: ({ colour, index, total }) => {
      point(null);
      colours.hidden = false;
      colours.style.backgroundColor = colour;
      progress(5 + 2 * (index + 1) / total, 7);
      tell("look_at_screen");
    },
    done: () => { next = null; colours.hidden = true },
    reconnecting: () => tell("reconnecting"),
  };
  return { video, redraw, show: (message) => shows[message.type]?.(message) };
}
