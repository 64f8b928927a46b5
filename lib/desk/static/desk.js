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

// A form that was put into the page a moment ago, and that htmx has not taken in yet, would be
// sent by the browser itself: the page would come again, and what was asked would be lost.
const takenIn = new WeakSet();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || takenIn.has(form) || !form.matches("[hx-post], [hx-get]")) return;
  event.preventDefault();
  takenIn.add(form);
  htmx.process(form);
  setTimeout(() => form.requestSubmit(event.submitter));  // a form is not sent while it is being sent
});
