// A photo that is dropped anywhere on the page is searched by.
"use strict";

const form = document.getElementById("photo");
const file = form.querySelector("input");
const preview = document.getElementById("preview");

file.addEventListener("change", () => {
  if (preview.src) URL.revokeObjectURL(preview.src);
  preview.hidden = !file.files.length;
  if (file.files.length) preview.src = URL.createObjectURL(file.files[0]);
});

for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    form.classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) {
      file.files = event.dataTransfer.files;
      file.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
}

document.addEventListener("paste", (event) => {
  if (!event.clipboardData?.files.length) return;
  file.files = event.clipboardData.files;
  file.dispatchEvent(new Event("change", { bubbles: true }));
});
