// Sheets of items by keyboard: arrows move, Space chooses, letters decide; and categories as they are typed.
"use strict";

const boxes = (form) => [...form.querySelectorAll(".tile input[type=checkbox]")];
const typing = (target) => target.matches("input:not([type=checkbox]), select, textarea");
let last = null; // the box that was chosen before, for Shift

function count(form) {
  const place = form.querySelector(".chosen");
  if (!place) return;
  const chosen = boxes(form).filter((each) => each.checked).length;
  place.textContent = chosen ? `${chosen} chosen` : "Choose items";
  form.querySelector(".actions").classList.toggle("idle", !chosen);
  for (const each of form.querySelectorAll(".actions button[name]")) each.disabled = !chosen;
}

function countAll(root) {
  for (const each of root.querySelectorAll("form:has(.actions)")) count(each);
}

document.addEventListener("change", (event) => {
  if (event.target.matches(".filters select")) event.target.form.requestSubmit();
  if (event.target.matches(".tile input")) count(event.target.form);
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-choose=all]")) chooseAll(event.target.closest("form"));
  if (!event.target.matches(".tile input")) return;
  const all = boxes(event.target.form);
  if (event.shiftKey && last && all.includes(last)) {
    const [from, to] = [all.indexOf(last), all.indexOf(event.target)].sort((a, b) => a - b);
    for (const each of all.slice(from, to + 1)) each.checked = event.target.checked;
    count(event.target.form);
  }
  last = event.target;
});

function chooseAll(form) {
  const all = boxes(form), some = all.some((each) => !each.checked);
  for (const each of all) each.checked = some;
  count(form);
}

function step(box, key) {
  const all = boxes(box.form), at = all.indexOf(box);
  const top = box.closest("li").offsetTop;
  const wide = Math.max(1, all.filter((each) => each.closest("li").offsetTop === all[0].closest("li").offsetTop).length);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + wide, ArrowUp: at - wide, Home: 0, End: all.length - 1 }[key];
  if (all[to]) all[to].focus();
  return to !== undefined && top >= 0;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target, key = event.key.toLowerCase();
  if (event.key === "Escape") { target.blur(); return; }
  if (typing(target)) return;
  const keyed = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (keyed) {
    event.preventDefault();
    if (keyed.matches("button")) keyed.click(); else keyed.focus();
    return;
  }
  const form = target.closest("form:has(.actions)") || document.querySelector("form:has(.actions)");
  if (!form) return;
  const press = (value) => form.querySelector(`button[value=${value}]`).click();
  if (target.matches(".tile input") && step(target, event.key)) event.preventDefault();
  else if (target.matches(".tile input") && event.key === "Enter") {
    event.preventDefault();
    target.closest(".tile").querySelector("a.name").click();
  } else if (event.key.startsWith("Arrow") && target === document.body) boxes(form)[0]?.focus();
  else if (key === "a") chooseAll(form);
  else if (key === "r") press("right");
  else if (key === "x") press("rejected");
  else if (key === "c") { event.preventDefault(); form.querySelector("[name=category]").focus(); }
  else if (key === "n") document.querySelector("a[rel=next]")?.click();
  else if (key === "p") document.querySelector("a[rel=prev]")?.click();
});

// where the eye was stays the place of the keyboard when a sheet is shown anew
let place = -1;
document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.target.closest?.("form:has(.actions)");
  place = form ? boxes(form).findIndex((each) => each.checked) : -1;
});
document.addEventListener("htmx:afterSettle", (event) => {
  countAll(document);
  const sheet = document.getElementById("sheet");
  if (place >= 0 && sheet && !document.activeElement?.closest(".tile")) {
    const all = boxes(sheet);
    all[Math.min(place, all.length - 1)]?.focus();
  }
  place = -1;
});

// what was decided elsewhere on the page is no longer chosen
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form:has(.actions)");
  if (!form || event.detail.xhr.status >= 400) return;
  for (const each of boxes(form)) each.checked = false;
  count(form);
});

// the categories, read once, when somebody begins to type one
let asked = false;
document.addEventListener("focusin", async (event) => {
  if (asked || !event.target.matches("[list=categories]")) return;
  asked = true;
  const list = document.createElement("datalist");
  list.id = "categories";
  const found = await (await fetch("/categories")).json();
  for (const [, path] of found) list.append(new Option(path));
  document.body.append(list);
});

countAll(document);
