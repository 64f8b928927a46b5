// What both layouts of the queue share: sending answers, taking them back, keys, the large photo.

const WAITS_MS = [400, 1500];  // before each further try of what may have got lost
const KEEP_MS = 30_000;        // less than an item is reserved for
const IDLE_MS = 180_000;       // nobody looks at the page any more
const headers = JSON.parse(document.body.getAttribute("hx-headers"));

export const root = document.getElementById("queue");
export const deciding = document.getElementById("deciding");
export const item = (node) => decodeURIComponent(node.dataset.item);

const sent = new Map();  // key of a decision -> its promise, until it is confirmed
let lastTouch = Date.now();
let undoing = Promise.resolve();

class Refused extends Error {}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("");
}

// Sends a form; tries again, as the same, what the server may not have got.
async function send(path, fields, waits = WAITS_MS) {
  for (let tries = 0; ; tries++) {
    try {
      const answer = await fetch(path, {method: "POST", headers, body: new URLSearchParams(fields)});
      if (answer.ok) return answer;
      const said = await answer.text();
      let sentence = said;
      try { sentence = JSON.parse(said).sentence; } catch { /* a plain sentence */ }
      if (answer.status < 500) throw new Refused(sentence);
      if (tries === waits.length) throw new Error(sentence);
    } catch (error) {
      if (error instanceof Refused || tries === waits.length) {
        throw error instanceof TypeError ? new Error("The desk does not answer; is it still running?") : error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, waits[tries]));
  }
}

const ofItems = (items, name = "item") => items.map((each) => [name, each]);

// Decisions of this tab, the last one at the end; they outlive a reload.
function taken() { return JSON.parse(sessionStorage.getItem("decisions") ?? "[]"); }
function remember(list) {
  sessionStorage.setItem("decisions", JSON.stringify(list.slice(-200)));
  for (const each of document.querySelectorAll("[data-do=undo]")) each.disabled = !list.length;
}

const forget = (key) => remember(taken().filter((each) => each.key !== key));

// Sends a decision. Resolves once it is written, to what was refused of it: item -> why.
export async function decide(answer, category, items) {
  const key = newKey();
  remember([...taken(), {key, items}]);
  const fields = [["key", key], ["answer", answer], ["category", category ?? ""], ...ofItems(items)];
  const promise = send("/queue/answer", fields).then((found) => found.json());
  sent.set(key, promise);
  count(-items.length);
  try {
    const {confirmed, refused} = await promise;
    if (!confirmed.length) forget(key);
    const [why] = Object.values(refused);
    if (why) say(`${Object.keys(refused).length} left as it is: ${why}.`);
    return refused;
  } catch (error) {
    forget(key);
    count(items.length);
    throw error;
  } finally {
    sent.delete(key);
    htmx.trigger("#progress", "answered");
  }
}

export async function skip(items) {
  remember([...taken(), {key: newKey(), skipped: true, items}]);
  await send("/queue/skip", ofItems(items)).catch((error) => say(error.message));
}

// Takes the last decision of this tab back, and returns its items; one after the other.
export function undo() {
  undoing = undoing.then(undoLast);
  return undoing;
}

async function undoLast() {
  const last = taken().at(-1);
  if (!last) { say("There is nothing to undo."); return []; }
  await sent.get(last.key)?.catch(() => {});
  if (!taken().some((each) => each.key === last.key)) return [];  // it is back already
  try {
    let items = last.items;
    if (last.skipped) {
      await send("/queue/again", ofItems(items));
    } else {
      const answer = await send("/queue/undo", [["decision", last.key], ["key", newKey()]]);
      ({items} = await answer.json());
    }
    forget(last.key);
    htmx.trigger("#progress", "answered");
    return items;
  } catch (error) {
    if (error instanceof Refused) forget(last.key);
    say(error.message);
    return [];
  }
}

// Asks for further questions, or for those that are named; returns their nodes.
export async function more(have, only = []) {
  const {view, order} = root.dataset;
  const fields = [["view", view], ["order", order], ...ofItems(have, "have"), ...ofItems(only, "only")];
  const holder = document.createElement("div");
  holder.innerHTML = await (await send("/queue/more", fields)).text();  // made and escaped by the desk
  return [...holder.children];
}

export async function ending() {
  return (await fetch("/queue/end")).text();
}

export async function showAgain() {
  await send("/queue/again", []);
  location.reload();
}

// Waits until all is written: what is unwritten would have no page to come back to.
export async function settled() { await Promise.allSettled(sent.values()); }

function count(by) {
  const left = document.getElementById("left");
  left.dataset.left = Math.max(0, Number(left.dataset.left) + by);
  left.textContent = Number(left.dataset.left).toLocaleString("en");
}

export function zoom(node) {
  const dialog = document.getElementById("zoom"), image = dialog.querySelector("img");
  image.src = `/picture?item=${node.dataset.item}&size=large`;
  image.alt = `Photo of ${node.dataset.title}`;
  dialog.showModal();
}

// Binds keys and buttons to what they do: by name, with the key and the button that asked.
export function bind(does, keys) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button || button.disabled) return;
    const name = button.dataset.do;
    if (name === "keys") document.getElementById("keys").showModal();
    else if (name === "again") showAgain();
    else does[name]?.(button, event);
  });
  document.addEventListener("keydown", (event) => {
    lastTouch = Date.now();
    const open = document.querySelector("dialog[open]");
    if (open) {
      if (event.key === "z" && open.id === "zoom") open.close();
      return;
    }
    const on = event.target;
    if (on.closest("input, select, textarea") || event.altKey || event.metaKey) return;
    // a button that was tabbed to is pressed by these
    if (["Enter", " "].includes(event.key) && on.closest("button, a")) return;
    if (event.key === "?") { event.preventDefault(); document.getElementById("keys").showModal(); return; }
    const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const name = keys[`${event.ctrlKey ? "Ctrl+" : ""}${letter}`];
    if (name && (!event.repeat || name === "move")) {
      event.preventDefault();
      does[name](event);
    } else if (!name && !event.ctrlKey && /^[\p{L}/]$/u.test(event.key)) {
      event.preventDefault();
      does.find(event.key === "/" ? "" : event.key);
    }
  });
  // a key that follows is about the photo, not about what opened the dialog
  for (const each of document.querySelectorAll("dialog")) {
    each.addEventListener("close", () => root.querySelector('#current, .tile[tabindex="0"]')?.focus());
  }
  document.addEventListener("pointermove", () => { lastTouch = Date.now(); }, {passive: true});
  remember(taken());
}

// Keeps what is shown reserved while somebody looks at it.
export function keepOpen(shown) {
  setInterval(() => {
    if (document.hidden || Date.now() - lastTouch > IDLE_MS) return;
    const items = shown();
    if (items.length) send("/queue/keep", ofItems(items), []).catch(() => {});
  }, KEEP_MS);
}

addEventListener("beforeunload", (event) => { if (sent.size) event.preventDefault(); });
