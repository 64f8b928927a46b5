// What all pages of the desk share. Pages bring scripts of their own; none has code in its HTML.
"use strict";

// A sentence for whoever waits, also for those who hear the page.
function say(sentence) {
  const place = document.getElementById("said");
  place.textContent = sentence;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { place.textContent = ""; }, 6000);
}

document.addEventListener("htmx:sendError", () => say("The desk does not answer; is it still running?"));
