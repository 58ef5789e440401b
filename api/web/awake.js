// A screen that does not dim while a session runs, where the browser can keep it on.

/** Keep the screen on, also after the page was in the background. Gives what ends it. */
export function stayAwake() {
  let lock = null, over = false;
  const release = () => lock?.release().catch(() => {});
  const take = async () => {
    if (document.hidden || over) return;
    lock = await navigator.wakeLock?.request("screen").catch(() => null);
    if (over) release();
  };
  document.addEventListener("visibilitychange", take);
  take();
  return () => {
    over = true;
    document.removeEventListener("visibilitychange", take);
    release();
  };
}
