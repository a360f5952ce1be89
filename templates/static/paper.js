// Holds the code on the paper against this page. The fragment stays in this browser: no request carries it.
// It is left in the address bar, so that reloading checks it again and the language switch takes it along.
// Whatever stands behind the # and is not this certificate's genuine code takes the word "valid" away.
import { BadCode, Unreadable, Unsupported, bytesOf, differences, verify } from "./cose.js";

const main = document.getElementById("main");
const place = document.getElementById("paper");

// Another paper with the same address opens in the same document: only a new verdict may speak of it.
addEventListener("hashchange", () => {
  main.hidden = true;
  location.reload();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the link would put "main" in the place of the code
  main.tabIndex = -1;
  main.focus();
});
if (location.href.includes("#")) {
  for (const link of document.querySelectorAll("#switch, form.inline")) takeAlong(link);
  check().then((name) => place.dataset.outcome = name);
}

// The answer of the form with the photo is checked again, with the same code.
function takeAlong(link) {
  const name = link.localName === "form" ? "action" : "href";
  link.setAttribute(name, link.getAttribute(name) + location.hash);
}

async function check() {
  const shown = JSON.parse(place.dataset.shown);
  try {
    const keys = JSON.parse(place.dataset.keys);
    const { outcome, claims } = await verify(location.hash, keys, () => trustedKeys(keys));
    if (outcome !== "good") return alarm(outcome);
    if (!shown.serial) return alone(claims);
    const wrong = differences(claims, shown);
    return wrong.length ? alarm("differs", wrong) : tell("same");
  } catch (error) {
    if (error instanceof Unsupported) return tell("uncompared");
    if (error instanceof BadCode) return alarm("forged");
    if (!(error instanceof Unreadable)) console.error(error); // a fault of ours: no accusation, and no "valid" either
    return alarm("unread");
  }
}

// The published trust list, as this site hands it out: this page trusts its own site, and does not check the roots.
async function trustedKeys(known) {
  try {
    const answer = await fetch("/trust-list.json", { referrerPolicy: "no-referrer" });
    const { payload } = await answer.json();
    return JSON.parse(new TextDecoder().decode(bytesOf(payload))).keys.filter((key) => key.role === "qr");
  } catch (error) {
    if (!known.length) throw new Unsupported("no keys to verify with", { cause: error });
    return known; // of this issuer; a code that names none of them is not confirmed
  }
}

function tell(name) {
  place.replaceChildren(copy(name));
  place.hidden = false;
  return name;
}

// The page must not go on saying "valid" above a paper that is not.
function alarm(name, wrong = []) {
  if (place.dataset.verdict !== "valid") return tell(name === "unread" ? "uncompared" : "warned");
  const isOpen = name === "unread" || name === "foreign";
  document.getElementById("verdict").replaceWith(copy(isOpen ? "unknown" : "tampered"));
  document.title = document.querySelector(".banner h1").innerText;
  for (const advice of document.querySelectorAll("[data-if-good]")) advice.hidden = true;
  place.setAttribute("role", "alert");
  place.replaceChildren(isOpen ? copy(name) : labels(wrong));
  place.hidden = !isOpen && !wrong.length;
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
