// A sheet of questions: many are selected, and one decision is taken for all of them.

import {bind, decide, deciding, ending, item, keepOpen, more, root, settled, skip, undo, zoom} from "./queue.js";
import {makeFinder} from "./finder.js";

const MOST_BEST = 5;
const tiles = document.getElementById("tiles"), end = document.getElementById("end");
const best = document.getElementById("best"), chosen = document.getElementById("chosen");
let anchor = null;  // where a range begins
let loading = false;

const all = () => [...tiles.children];
const isOpen = (tile) => !tile.classList.contains("done");
const open = () => all().filter(isOpen);
const selected = () => open().filter((each) => each.getAttribute("aria-selected") === "true");
const focused = () => tiles.querySelector('[tabindex="0"]');
const bestOf = (tile) => JSON.parse(tile.dataset.best);

// What a decision is about: what is selected, or else where the focus is.
function targets() {
  const found = selected();
  const here = focused();
  return found.length ? found : here && isOpen(here) ? [here] : [];
}

function focus(tile, quietly = false) {
  if (!tile) return;
  for (const each of all()) each.tabIndex = each === tile ? 0 : -1;
  if (!quietly) tile.focus();
  update();
}

function select(tile, on) {
  if (isOpen(tile)) tile.setAttribute("aria-selected", String(on));
}

function selectTo(tile) {
  const list = all(), from = list.indexOf(anchor ?? focused() ?? tile), to = list.indexOf(tile);
  anchor = list[from];
  list.forEach((each, at) => select(each, at >= Math.min(from, to) && at <= Math.max(from, to)));
}

// Shows what the keys 1 to 5 mean for what is chosen: what comes first most often over all of it.
function update() {
  const on = targets(), sums = new Map();
  for (const tile of on) {
    bestOf(tile).forEach(([id, name], place) => {
      sums.set(id, {id, name, share: (sums.get(id)?.share ?? 0) + 1 / (place + 1)});
    });
  }
  const list = [...sums.values()].sort((a, b) => b.share - a.share).slice(0, MOST_BEST);
  best.replaceChildren(...list.map(({id, name}, at) => {
    const li = document.createElement("li"), button = document.createElement("button");
    const key = document.createElement("kbd"), word = document.createElement("span");
    key.textContent = at + 1;
    word.textContent = name;
    word.className = "name";
    Object.assign(button.dataset, {do: "pick", category: encodeURIComponent(id), name});
    button.type = "button";
    button.append(key, word);
    li.append(button);
    return li;
  }));
  const many = selected().length;
  chosen.textContent = many ? `${many} selected` : on.length ? `This photo: ${on[0].dataset.title}` : "Nothing is chosen";
  for (const button of deciding.querySelectorAll("[data-do=accept], [data-do=each], [data-do=reject], [data-do=skip]")) {
    button.disabled = !on.length;
  }
  deciding.querySelector("[data-do=accept]").disabled = !list.length;
  deciding.querySelector("[data-do=each]").disabled = !on.some((each) => bestOf(each).length);
}

function mark(tile, said) {
  tile.classList.add("done");
  tile.setAttribute("aria-selected", "false");
  tile.setAttribute("aria-disabled", "true");
  tile.querySelector(".said").textContent = said;
}

function unmark(tile, sentence = "") {
  tile.classList.remove("done");
  tile.classList.toggle("unwritten", Boolean(sentence));
  tile.removeAttribute("aria-disabled");
  tile.querySelector(".said").textContent = sentence;
}

// Goes on to what is open after what was decided; the next sheet comes when nothing is.
function goOn(after) {
  anchor = null;
  const list = all(), from = list.indexOf(after);
  const tile = [...list.slice(from + 1), ...list.slice(0, from)].find(isOpen);
  if (tile) focus(tile);
  else { update(); nextSheet(); }
}

async function answer(what, category, said, on = targets()) {
  if (!on.length) return;
  const written = decide(what, category, on.map(item));
  for (const tile of on) mark(tile, said(tile));
  goOn(on.at(-1));
  try {
    const refused = await written;
    for (const tile of on) if (refused[item(tile)]) tile.querySelector(".said").textContent = refused[item(tile)];
  } catch (error) {
    for (const tile of on) unmark(tile, "not kept");
    say(`Your answer was not kept: ${error.message}`);
    focus(on[0]);
  }
}

async function nextSheet() {
  if (loading) return;
  loading = true;
  await settled();
  try {
    if (open().length) return;
    const found = root.dataset.like ? [] : await more([]);
    if (found.length) {
      tiles.replaceChildren(...found);
      focus(found[0]);
      scrollTo({top: 0});
    } else if (root.dataset.like) {
      location.assign(`/queue?order=${root.dataset.order}`);
    } else {
      end.innerHTML = await ending();
      end.scrollIntoView({block: "nearest"});
    }
  } catch (error) {
    say(error.message);
  } finally {
    loading = false;
  }
}

async function leave(on) {
  if (!on.length) return;
  for (const tile of on) mark(tile, "skipped");
  await skip(on.map(item));
  goOn(on.at(-1));
}

function move(event) {
  const list = all(), at = list.indexOf(focused());
  const across = Math.max(1, list.findIndex((each) => each.offsetTop > list[0].offsetTop));
  const to = at + {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across}[event.key];
  const tile = list[to];
  if (!tile) return;
  if (event.shiftKey) { selectTo(tile); } else { anchor = null; }
  focus(tile);
}

const find = makeFinder((category, name) => answer("category", category, () => name));

const does = {
  pick(from) {
    const button = from.key ? best.querySelectorAll("button")[Number(from.key) - 1] : from;
    if (button) answer("category", decodeURIComponent(button.dataset.category), () => button.dataset.name);
  },
  accept: () => does.pick({key: "1"}),
  each: () => answer("first", "", (tile) => bestOf(tile)[0][1], targets().filter((tile) => bestOf(tile).length)),
  reject: () => answer("rejected", "", () => "not in the taxonomy"),
  skip: () => leave(targets()),
  rest: () => leave(open()),
  zoom: () => focused() && zoom(focused()),
  find,
  move,
  select: () => { const tile = focused(); select(tile, tile.getAttribute("aria-selected") !== "true"); anchor = tile; update(); },
  everything: () => { for (const each of open()) select(each, true); update(); },
  nothing: () => { for (const each of open()) select(each, false); anchor = null; update(); },
  async undo() {
    const ids = await undo();
    const back = all().filter((each) => ids.includes(item(each)));
    for (const each of back) unmark(each);
    if (back.length) { end.replaceChildren(); focus(back[0]); }
    if (back.length < ids.length) say(`${ids.length - back.length} more are in the queue again.`);
  },
  async like() {
    const tile = focused();
    if (!tile || deciding.querySelector("[data-do=like]").disabled) return;
    await settled();
    location.assign(`/queue?view=sheet&order=${root.dataset.order}&like=${tile.dataset.item}`);
  },
};
const keys = {
  Enter: "accept", a: "each", x: "reject", s: "skip", u: "undo", m: "like", z: "zoom", " ": "select",
  ArrowLeft: "move", ArrowRight: "move", ArrowUp: "move", ArrowDown: "move",
  "Ctrl+a": "everything", Escape: "nothing",
};
if (root.dataset.like) delete keys.m;
for (const digit of "12345") keys[digit] = "pick";
bind(does, keys);
tiles.addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  if (event.shiftKey) selectTo(tile);
  else { select(tile, tile.getAttribute("aria-selected") !== "true"); anchor = tile; }
  focus(tile);
});
tiles.addEventListener("dblclick", (event) => { const tile = event.target.closest(".tile"); if (tile) zoom(tile); });
keepOpen(() => open().map(item));
addEventListener("DOMContentLoaded", () => focus(all()[0]));
