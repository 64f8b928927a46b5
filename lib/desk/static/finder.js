// Finds a category by typing: a combobox with a list, after the ARIA patterns of the W3C.

const PAUSE_MS = 60;

export function makeFinder(picked) {
  const input = document.getElementById("find"), list = document.getElementById("found");
  let asked = 0, timer, back;

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function leave() {
    clearTimeout(timer);
    asked++;
    input.value = "";
    close();
    input.blur();
    (back?.isConnected ? back : document.getElementById("current") ?? document.body).focus({preventScroll: true});
  }

  function mark(option) {
    for (const each of list.children) each.setAttribute("aria-selected", String(each === option));
    if (!option) return;
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({block: "nearest"});
  }

  async function ask() {
    const number = ++asked;
    const answer = await fetch(`/queue/categories?text=${encodeURIComponent(input.value)}`).catch(() => null);
    if (!answer?.ok || number !== asked) return;
    list.innerHTML = await answer.text();  // made and escaped by the desk
    if (number !== asked) return;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(list.querySelector("[data-category]"));
  }

  function choose(option) {
    if (!option?.dataset.category) return;
    const {category, name} = option.dataset;
    leave();
    picked(decodeURIComponent(category), name);
  }

  async function settle() {  // what was typed last is what is chosen from
    clearTimeout(timer);
    await ask();
    choose(list.querySelector("[aria-selected=true]"));
  }

  let pending = false;
  input.addEventListener("input", () => {
    pending = true;
    clearTimeout(timer);
    timer = setTimeout(() => { pending = false; ask(); }, PAUSE_MS);
  });
  input.addEventListener("focus", ask);
  input.addEventListener("blur", () => setTimeout(close, 150));
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => choose(event.target.closest("[data-category]")));
  input.addEventListener("keydown", (event) => {
    const options = [...list.querySelectorAll("[data-category]")];
    const at = options.findIndex((each) => each.getAttribute("aria-selected") === "true");
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: options.length - 1}[event.key];
    if (event.key === "Escape") { event.preventDefault(); leave(); }
    else if (event.key === "Enter") {
      event.preventDefault();
      if (pending || list.hidden) { pending = false; settle(); } else choose(options[at]);
    } else if (to !== undefined && options.length && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      mark(options[(to + options.length) % options.length]);
    }
  });

  // opens the finder, with the first letter that was typed
  return (letter) => {
    back = document.activeElement;
    input.focus();
    if (letter) { input.value = letter; input.dispatchEvent(new Event("input")); }
  };
}
