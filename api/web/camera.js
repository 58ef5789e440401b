// The front camera: opening it, and pictures of 480×640 as JPEG.

const WIDTH = 480, HEIGHT = 640;
const MOST_BYTES = 48_000;   // a frame; eight a second stay below 400 kB/s
const QUALITIES = [0.82, 0.7, 0.55, 0.4];

const NAMES = {
  NotAllowedError: "permission", SecurityError: "permission", NotFoundError: "no_camera", OverconstrainedError: "no_camera",
  NotReadableError: "camera_busy", AbortError: "camera_busy",
};
const IN_APP = /MicroMessenger|QQ\/|Weibo|DingTalk|AlipayClient|Lark\/|aweme|baiduboxapp|; wv\)|Instagram|FBAN|FBAV|Line\//i;

/** `device`: the words under `device` that explain it. */
export class CameraError extends Error {
  constructor(device) { super(device); this.device = device }
}

/** Why there is no camera. An app's own browser has no address bar in which to allow one. */
function refusal(name) {
  const device = NAMES[name] ?? "unsupported";
  return new CameraError(IN_APP.test(navigator.userAgent) && ["permission", "unsupported"].includes(device) ? "in_app" : device);
}

/** Open the front camera. Throws CameraError. */
export async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) throw refusal();
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false, video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
    });
  } catch (error) { throw refusal(error.name) }
  if (stream.getVideoTracks()[0].getSettings().facingMode === "environment") {
    stream.getTracks().forEach((track) => track.stop());
    throw new CameraError("rear");
  }
  return stream;
}

/** Takes pictures of a playing video, as good as they may be large. */
export class Shutter {
  #canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  #step = 0;

  /** The middle of the picture in portrait, or null while there is none. */
  async shoot(video) {
    const { videoWidth: width, videoHeight: height } = video;
    if (!width || video.readyState < 2) return null;
    const scale = Math.min(width / WIDTH, height / HEIGHT), w = WIDTH * scale, h = HEIGHT * scale;
    this.#canvas.getContext("2d", { alpha: false }).drawImage(video, (width - w) / 2, (height - h) / 2, w, h, 0, 0, WIDTH, HEIGHT);
    const blob = await new Promise((done) => this.#canvas.toBlob(done, "image/jpeg", QUALITIES[this.#step]));
    if (!blob) return null;
    const tooLarge = blob.size > MOST_BYTES;
    if (tooLarge && this.#step < QUALITIES.length - 1) this.#step += 1;
    return tooLarge ? null : new Uint8Array(await blob.arrayBuffer());
  }
}
