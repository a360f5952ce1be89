// Holds the code on the paper against this page. The fragment stays in this browser: no request carries it.
// It is left in the address bar, so that reloading checks it again and the language switch takes it along.
import { BadCode, Unsupported, differences, verify } from "./cose.js";

const place = document.getElementById("paper");
if (/^#[0-9]/.test(location.hash)) {
  document.getElementById("switch").hash = location.hash;
  check().then((name) => place.dataset.outcome = name);
}

async function check() {
  const shown = JSON.parse(place.dataset.shown);
  try {
    const keys = JSON.parse(place.dataset.keys);
    const { outcome, claims } = await verify(location.hash, keys.length ? keys : await trustedKeys());
    if (outcome !== "good") return alarm(outcome);
    if (!shown.serial) return alone(claims);
    const wrong = differences(claims, shown);
    return wrong.length ? alarm("differs", wrong) : tell("same");
  } catch (error) {
    if (error instanceof BadCode || error instanceof Unsupported || error instanceof TypeError) return tell("unread");
    throw error;
  }
}

// The published trust list, as this site hands it out: this page trusts its own site, and does not check the roots.
async function trustedKeys() {
  const answer = await fetch("/trust-list.json", { referrerPolicy: "no-referrer" });
  if (!answer.ok) throw new Unsupported("no trust list");
  const { payload } = await answer.json();
  const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes)).keys.filter((key) => key.role === "qr");
}

function tell(name) {
  place.replaceChildren(copy(name));
  place.hidden = false;
  return name;
}

// The page must not go on saying "valid" above a paper that is not.
function alarm(name, wrong = []) {
  if (place.dataset.verdict !== "valid") return tell("warned");
  const banner = document.getElementById("verdict");
  const fresh = copy(name);
  banner.replaceWith(fresh);
  document.title = document.querySelector(".banner h1").innerText;
  for (const advice of document.querySelectorAll("[data-if-good]")) advice.hidden = true;
  place.setAttribute("role", "alert");
  place.replaceChildren(labels(wrong));
  place.hidden = !wrong.length;
  return name;
}

function alone(claims) {
  tell("alone");
  const list = place.querySelector("dl");
  for (const item of labels(Object.keys(claims)).querySelectorAll("li")) {
    const [row, term, value] = ["div", "dt", "dd"].map((name) => document.createElement(name));
    term.textContent = item.textContent;
    value.textContent = claims[item.dataset.key];
    row.append(term, value);
    list.append(row);
  }
  return "alone";
}

function copy(name) {
  return document.getElementById(`paper-${name}`).content.cloneNode(true);
}

function labels(names) {
  const list = copy("labels").firstElementChild;
  for (const item of list.querySelectorAll("li")) if (!names.includes(item.dataset.key)) item.remove();
  return list;
}
