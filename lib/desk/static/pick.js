// Picking photos for new categories: what is picked stays while other photos are shown.
"use strict";

const form = document.getElementById("picked");
const parts = document.getElementById("parts");
const least = Number(form.dataset.least);
const picked = new Map(); // the number of a part, by item

const active = () => Number(form.querySelector("input[name=active]:checked").value);

function show() {
  document.querySelectorAll(".photo").forEach((photo) => {
    const part = picked.get(photo.dataset.item);
    photo.setAttribute("aria-pressed", String(part !== undefined));
    photo.querySelector(".badge").textContent = part === undefined ? "" : String(part + 1);
  });
  parts.querySelectorAll(".part").forEach((row) => {
    const count = [...picked.values()].filter((part) => part === Number(row.dataset.part)).length;
    row.querySelector(".count").textContent = count < least ? `${count} of ${least}` : `${count} photos`;
  });
  document.getElementById("examples").replaceChildren(
    ...[...picked].map(([item, part]) => {
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = "example";
      field.value = `${part}:${item}`;
      return field;
    }),
  );
}

document.addEventListener("click", (event) => {
  const photo = event.target.closest(".photo");
  if (!photo) return;
  const item = photo.dataset.item;
  if (picked.get(item) === active()) picked.delete(item);
  else picked.set(item, active());
  show();
});

// 1 to 9 choose who gets the next photo, while a photo has the focus
document.addEventListener("keydown", (event) => {
  if (!document.activeElement?.closest(".photo") || event.ctrlKey || event.metaKey || event.altKey) return;
  const choice = form.querySelector(`input[name=active][value="${Number(event.key) - 1}"]`);
  if (choice) { choice.checked = true; document.activeElement.click(); event.preventDefault(); }
});

document.getElementById("more-parts")?.addEventListener("click", (event) => {
  const rows = parts.querySelectorAll(".part");
  const row = rows[0].cloneNode(true);
  const number = rows.length;
  row.dataset.part = String(number);
  const [radio, name] = row.querySelectorAll("input");
  radio.value = String(number);
  radio.checked = false;
  row.querySelector(".chosen span").textContent = String(number + 1);
  name.value = "";
  name.setAttribute("aria-label", `Name of category ${number + 1}`);
  parts.append(row);
  name.focus();
  if (number === 8) event.target.disabled = true;
  show();
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "photos") show();
});
