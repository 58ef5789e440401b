// The screen of a live session: picture, oval, prompts, arrow, progress, colours.

import { actions, arrow, button, drawing, growing, h, screen } from "./elements.js";
import { language, say } from "./words.js";

const AROUND = 100;

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
  const colours = h("div", { id: "light", hidden: true }, h("p", {}, say("look_at_screen")), button(say("stop"), stop));
  screen("live", say("live_title"), { step: 4, children: [
    prompt, h("div", { class: "stage" }, h("div", { class: "view" }, video), ring, pointer), count,
    actions(button(say("stop"), stop, "quiet")), colours, h("p", { id: "upright" }, say("upright")),
  ] });

  const tell = (words) => {
    if (prompt.textContent === words) return;
    prompt.textContent = words;
    if (!speech || !window.speechSynthesis) return;
    speechSynthesis.cancel();
    speechSynthesis.speak(Object.assign(new SpeechSynthesisUtterance(words), { lang: language === "zh" ? "zh-CN" : "en-GB" }));
  };
  const progress = (done, total) => {
    ring.lastChild.setAttribute("stroke-dashoffset", AROUND * (1 - done / total));
  };
  const point = (cue) => {
    pointer.hidden = !cue;
    pointer.dataset.cue = cue ?? "";
  };
  const shows = {
    guide: ({ code }) => tell(say(`guide.${code}`)),
    rest: () => { point(null); colours.hidden = true; tell(say("rest")) },
    ask: ({ cue, index, total }) => {
      point(cue);
      count.textContent = say("progress", { n: index + 1, total });
      tell(say(`cue.${cue}`));
    },
    seen: ({ index }) => { point(null); progress(index + 1, 7); tell(say("seen")) },
    light: ({ colour, index, total }) => {
      point(null);
      colours.hidden = false;
      colours.style.backgroundColor = colour;
      progress(5 + 2 * (index + 1) / total, 7);
      tell(say("look_at_screen"));
    },
    done: () => { colours.hidden = true },
    reconnecting: () => tell(say("reconnecting")),
  };
  return { video, show: (message) => shows[message.type]?.(message) };
}
