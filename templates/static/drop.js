// Lets a file be dropped on the upload form; without it the form works as any other.
const form = document.querySelector("form.upload");
const place = form.querySelector("[data-drop]");
const input = form.querySelector("input[type=file]");

form.querySelector("[data-hint]").hidden = false;
// A file that misses the place must not make the browser leave the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
place.addEventListener("dragenter", () => place.classList.add("over"));
place.addEventListener("dragleave", (event) => {
  if (!place.contains(event.relatedTarget)) place.classList.remove("over");
});
place.addEventListener("drop", (event) => {
  place.classList.remove("over");
  if (event.dataTransfer.files.length !== 1) return;
  input.files = event.dataTransfer.files;
  form.requestSubmit();
});
