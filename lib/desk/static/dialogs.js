// Dialogs: opened by a button, or once what is asked for has come; closed where it was done.
"use strict";

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog").close();
});

document.addEventListener("htmx:beforeRequest", () => {
  document.querySelectorAll(".refusals").forEach((each) => each.replaceChildren());
});

// what was refused is said beside what asked for it
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.xhr.getResponseHeader("x-refused")) return;
  const place = event.detail.elt.closest("dialog, form, aside, section")?.querySelector(".refusals");
  event.detail.target = place ?? document.querySelector("main > .refusals");
  event.detail.swapOverride = "innerHTML";
});

document.addEventListener("htmx:afterSwap", (event) => {
  const target = event.detail.target;
  if (target.classList.contains("refusals")) {
    target.querySelector("[data-focus]").focus();
    return;
  }
  const shows = event.detail.requestConfig?.elt?.dataset.shows;
  if (shows) {
    const dialog = document.getElementById(shows);
    if (!dialog.open) dialog.showModal();
    return;
  }
  if (event.detail.requestConfig?.verb === "post") {
    document.querySelectorAll("dialog[open]").forEach((each) => each.close());
    document.querySelector("#editor [data-focus]")?.focus();
  }
});
