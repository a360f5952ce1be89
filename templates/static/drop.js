// Lets a file be dropped on the upload form, and says before sending what cannot be checked.
// Without it the form works as any other: the server says the same.
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
  if (event.dataTransfer.files.length > 1) return say("several");
  input.files = event.dataTransfer.files;
  form.requestSubmit();
});

// While it is captured: before htmx, which listens on the form itself, sends anything.
document.addEventListener("submit", (event) => {
  const wrong = problemOf(input.files[0]);
  if (event.target !== form || !wrong) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  say(wrong);
}, true);

function problemOf(file) {
  if (!file) return "missing";
  if (!file.size) return "empty";
  return file.size > Number(form.dataset.maxBytes) ? "large" : "";
}

function say(name) {
  const answer = document.getElementById("answer");
  answer.replaceChildren(document.getElementById(`file-${name}`).content.cloneNode(true));
  answer.scrollIntoView({ block: "nearest" });
}
