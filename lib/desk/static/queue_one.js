// One question at a time: the next is there before the last answer is written.

import {bind, decide, deciding, ending, item, keepOpen, more, settled, skip, root, undo, zoom} from "./queue.js";
import {makeFinder} from "./finder.js";

const FEW = 3;  // questions that are ready, before more are asked for
const current = document.getElementById("current"), next = document.getElementById("next");
const away = new Set();  // items that were decided here and are not yet confirmed
let asking = false;

const card = () => current.querySelector(".question");
const ready = () => [...next.children];
const have = () => [...[card(), ...ready()].filter(Boolean).map(item), ...away];

// Shows the next question, or that there is none.
function advance() {
  const [shown] = ready();
  if (shown) show(shown);
  refill();
}

function show(question) {
  current.replaceChildren(question);
  deciding.hidden = false;
  deciding.querySelector("[data-do=accept]").hidden = !question.querySelector(".best button");
  for (const each of [question, ...ready().slice(0, 1)]) htmx.trigger(each.querySelector(".nearest"), "shown");
  current.setAttribute("aria-label", `${question.dataset.title}. ${question.querySelector(".why").textContent}`);
  current.focus({preventScroll: true});
}

// Asks for the next few before they are needed.
async function refill() {
  if (asking || ready().length >= FEW) return;
  asking = true;
  try {
    for (const each of await more(have())) {
      if (have().includes(item(each))) continue;
      next.append(each);
      htmx.process(each);
    }
  } catch (error) {
    say(error.message);
    return;
  } finally {
    asking = false;
  }
  if (card()) return;
  if (ready().length) { show(ready()[0]); return; }
  await settled();  // what was answered last may come back
  if (card()) return;
  current.innerHTML = await ending();
  deciding.hidden = true;
  current.focus({preventScroll: true});
}

// Puts a question back before the one that is shown.
function putBack(question, sentence = "") {
  const shown = card();
  if (shown) next.prepend(shown);
  question.querySelector(".unwritten")?.remove();
  if (sentence) {
    const said = document.createElement("p");
    said.className = "unwritten";
    said.setAttribute("role", "alert");
    said.textContent = `Your answer was not kept: ${sentence}`;
    question.querySelector(".words").append(said);
  }
  show(question);
}

async function answer(what, category) {
  const question = card();
  if (!question) return;
  const id = item(question);
  const written = decide(what, category, [id]);
  away.add(id);
  question.remove();
  advance();
  try {
    await written;
  } catch (error) {
    putBack(question, error.message);
  } finally {
    away.delete(id);
  }
}

function pick(number) {
  const button = card()?.querySelectorAll(".best button")[number];
  if (button) answer("category", decodeURIComponent(button.dataset.category));
}

const find = makeFinder((category) => answer("category", category));

const does = {
  pick: (from) => (from.key ? pick(Number(from.key) - 1) : answer("category", decodeURIComponent(from.dataset.category))),
  accept: () => pick(0),
  reject: () => answer("rejected"),
  zoom: () => card() && zoom(card()),
  find,
  async skip() {
    const question = card();
    if (!question) return;
    const id = item(question);
    away.add(id);
    question.remove();
    advance();
    await skip([id]);
    away.delete(id);
  },
  async undo() {
    const ids = await undo();
    if (!ids.length) return;
    for (const each of ready()) if (ids.includes(item(each))) each.remove();
    const found = await more([], ids.slice(0, 60));
    for (const each of found.slice(1).reverse()) { next.prepend(each); htmx.process(each); }
    if (found.length) { next.append(found[0]); htmx.process(found[0]); putBack(found[0]); }
  },
  async like() {
    const question = card();
    if (!question || deciding.querySelector("[data-do=like]").disabled) return;
    await settled();
    location.assign(`/queue?view=sheet&order=${root.dataset.order}&like=${question.dataset.item}`);
  },
};
const keys = {Enter: "accept", x: "reject", s: "skip", u: "undo", m: "like", z: "zoom"};
for (const digit of "12345") keys[digit] = "pick";
bind(does, keys);
keepOpen(() => [card(), ...ready()].filter(Boolean).map(item));
addEventListener("DOMContentLoaded", () => { if (card()) show(card()); });
