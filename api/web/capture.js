// One live session over `heyan.capture.v1` (docs/stream.md): frames out, prompts in. Frames are dropped, never queued.

import { Refused, sessionState } from "./service.js";
import { stayAwake } from "./awake.js";
import { Shutter } from "./camera.js";

const PROTOCOL = "heyan.capture.v1";
const FRAME_MS = 125;
const RESUME_MS = 14_000;
const WATCH_MS = 500, MOST_STUCK = 16;   // eight seconds, counted by looks: a phone that slept is not without a network
const LOOK_UP_MS = 20_000;
const HEADER = 16;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const painted = () => new Promise((done) => {
  const late = setTimeout(done, 150);
  requestAnimationFrame(() => requestAnimationFrame(() => { clearTimeout(late); done() }));
});

export class Capture {
  #opened; #video; #claim; #show; #socket; #secret; #ended = false; #shooting = false; #stuck = 0;
  #nonce = new Uint8Array(8); #seq = 0; #resumed = false; #stop; #began = performance.now();

  /** `show(message)` is called for every prompt, and with {type: "reconnecting"}. */
  constructor({ opened, video, claim, show }) {
    this.#opened = opened; this.#video = video; this.#claim = claim; this.#show = show;
  }

  /** Runs until the end: resolves to the `result`, or throws Refused. Null after `abort`. */
  run() {
    const aborted = new Promise((done) => { this.#stop = () => done(null) }), sleepAgain = stayAwake();
    return Promise.race([aborted, this.#play()]).finally(() => {
      this.#ended = true;
      this.#shooting = false;
      this.#socket?.close();
      sleepAgain();
    });
  }

  abort() {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ type: "abort" }));
    this.#stop();
  }

  async #play() {
    let last = await this.#converse({ type: "claim", secret: this.#opened.session_secret, ...this.#claim });
    const until = performance.now() + RESUME_MS;
    while (!last && this.#secret && !this.#resumed && !this.#ended && performance.now() < until) {
      this.#show({ type: "reconnecting" });
      await pause(700);
      last = await this.#converse({ type: "resume", secret: this.#secret });
    }
    if (!last || last.code === "resume_refused") return this.#lookUp();
    if (last.type === "problem") throw new Refused(last.code, last.retry_after);
    return last;
  }

  /** One connection. Resolves to the last message, or null if it dropped. */
  #converse(first) {
    const address = new URL(this.#opened.stream.replace(/^\//, ""), document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    address.hash = "";
    return new Promise((done) => {
      let last = null;
      const socket = this.#socket = new WebSocket(address, PROTOCOL);
      const unwatch = this.#watch(() => socket.onclose());
      socket.binaryType = "arraybuffer";
      socket.onopen = () => socket.send(JSON.stringify(first));
      socket.onclose = () => {
        unwatch();
        socket.onmessage = socket.onclose = null;
        socket.close();
        this.#shooting = false;
        done(last);
      };
      socket.onmessage = async ({ data }) => {
        this.#stuck = 0;
        const message = JSON.parse(data);
        if (message.type === "result" || message.type === "problem") last = message;
        else await this.#obey(message, first.type === "resume");
      };
    });
  }

  /** Call `lost` once nothing gets through any more, though no connection was closed: see docs/stream.md. */
  #watch(lost) {
    this.#stuck = 0;
    const looking = setInterval(() => { if (++this.#stuck > MOST_STUCK) lost() }, WATCH_MS);
    addEventListener("offline", lost);
    return () => { clearInterval(looking); removeEventListener("offline", lost) };
  }

  async #obey(message, resuming) {
    if (message.type === "claimed") {
      this.#secret = message.resume_secret;
      this.#resumed = resuming;
      this.#shoot();
    }
    if (message.type === "done") this.#shooting = false;
    this.#show(message);
    if (message.nonce) {
      await painted();
      this.#nonce = new TextEncoder().encode(message.nonce);
    }
  }

  async #shoot() {
    const shutter = new Shutter(), socket = this.#socket;
    this.#shooting = true;
    for (let next = performance.now(); this.#shooting && socket === this.#socket; await pause(next - performance.now())) {
      next = Math.max(next + FRAME_MS, performance.now());
      const nonce = this.#nonce;
      if (socket.bufferedAmount > 0) continue;
      this.#stuck = 0;
      if (document.hidden) continue;
      const jpeg = await shutter.shoot(this.#video);
      if (jpeg && this.#shooting && socket.readyState === WebSocket.OPEN) socket.send(this.#frame(nonce, jpeg));
    }
  }

  #frame(nonce, jpeg) {
    const frame = new Uint8Array(HEADER + jpeg.length), view = new DataView(frame.buffer);
    frame.set(nonce, 0);
    view.setUint32(8, this.#seq++);
    view.setUint32(12, Math.round(performance.now() - this.#began));
    frame.set(jpeg, HEADER);
    return frame;
  }

  /** How the session ended, if its connection did not tell. */
  async #lookUp() {
    for (const until = performance.now() + LOOK_UP_MS; performance.now() < until && !this.#ended; ) {
      const found = await sessionState(this.#opened).catch(() => null);
      if (found?.outcome) return { type: "result", ...found };
      await pause(1500);
    }
    throw new Refused("lost");
  }
}
