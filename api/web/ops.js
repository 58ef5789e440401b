// Renews the live part of the overview. The server renders it; without this script a reload does the same.
const live = document.querySelector('#live'), stale = document.querySelector('#stale')
const EVERY_MS = 5000

async function renew() {
  if (document.hidden) return
  try {
    const answer = await fetch(live.dataset.source, { cache: 'no-store' })
    if (answer.redirected) return location.reload()
    if (!answer.ok) throw new Error(String(answer.status))
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
    live.replaceChildren(...fresh.body.childNodes)
    stale.hidden = true
  } catch {
    stale.hidden = false
  }
}

document.querySelector('nav [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' })
if (live) setInterval(renew, EVERY_MS)
