// The service's HTTP API, as docs/http.md describes it. Addresses are relative: the page may live behind a path prefix.

const DEVICE = "heyan-device";

export class Refused extends Error {
  constructor(code, retryAfter) { super(code); this.code = code; this.retryAfter = retryAfter }
}

export let clockIsWrong = false;
const CLOCK_SECONDS = 300;
const ASK_SECONDS = 20, LOOK_SECONDS = 5;

/** An answer and its text. Throws Refused if there is none within so many seconds. */
async function fetched(path, seconds, options) {
  const patience = new AbortController(), late = setTimeout(() => patience.abort(), seconds * 1000);
  try {
    const answer = await fetch(path, { ...options, signal: patience.signal });
    return [answer, await answer.text()];
  } catch { throw new Refused("network") } finally { clearTimeout(late) }
}

/** The content of a text that should be JSON; of whatever else answers in the service's place, nothing. */
const parsed = (text) => { try { return JSON.parse(text) } catch { return null } };

async function ask(path, { method = "POST", body, bearer, headers = {}, seconds = ASK_SECONDS } = {}) {
  const [answer, text] = await fetched(path, seconds, {
    method, cache: "no-store", credentials: "omit",
    headers: { "content-type": "application/json", ...(bearer && { authorization: `Bearer ${bearer}` }), ...headers },
    body: body && JSON.stringify(body),
  });
  const date = Date.parse(answer.headers.get("date"));
  if (date) clockIsWrong = Math.abs(date - Date.now()) > CLOCK_SECONDS * 1000;
  const content = parsed(text);
  if (answer.ok && content) return content;
  throw new Refused(answer.ok ? "network" : content?.code ?? "other", Number(answer.headers.get("retry-after")) || undefined);
}

/** A random name of this phone, kept by it, so that attempts on one device can be slowed down. */
function device() {
  try {
    let name = localStorage.getItem(DEVICE);
    if (!name) {
      name = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
      localStorage.setItem(DEVICE, name);
    }
    return { "heyan-device": name };
  } catch { return {} }
}

export const inspect = (code) => ask("v1/invites/inspect", { body: { code } });
export const inspectDispute = (code) => ask("v1/disputes/inspect", { body: { code } });
export const reportDispute = (code) => ask("v1/disputes", { body: { code } });
export const qrCode = (code) => ask("v1/invites/qr-code", { body: { code } });
export const exchange = (code, secret) => ask("v1/invites/exchange", { body: { code, grant_secret: secret } });
export const openSession = (grant) => ask("v1/sessions", { bearer: grant, headers: device() });
export const sessionState = (opened) =>
  ask(`v1/sessions/${opened.session_id}`, { method: "GET", bearer: opened.session_secret, seconds: LOOK_SECONDS });
export const answerConsent = (code, invite, agreed, language) => ask("v1/invites/consent", { body: {
  code, agreed, language, consent_version: invite.consent.version,
  consent_sha256: invite.consent.sha256[language], intent_sha256: invite.intent.sha256,
} });
