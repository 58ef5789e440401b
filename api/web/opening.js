// What a person sees while the page opens, and if it does not: a file that fails, a network that is too slow, or a
// browser that cannot run modules. So it is written for the oldest browsers, and needs none of the other files.

(function () {
  var main = document.getElementById("main"), SECONDS = 10;

  function trouble() {
    if (main.getAttribute("data-screen")) return;
    document.getElementById("opening").hidden = true;
    document.getElementById("trouble").hidden = false;
  }

  function failed(event) {
    var from = event.target;
    if (from === window || from.tagName === "SCRIPT") trouble();
  }

  document.getElementById("reload").onclick = function () { location.reload(); };
  window.addEventListener("error", failed, true);
  window.addEventListener("unhandledrejection", trouble);
  if ("noModule" in document.createElement("script")) setTimeout(trouble, SECONDS * 1000);
  else trouble();
})();
