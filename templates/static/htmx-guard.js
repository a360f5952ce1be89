// Holds htmx to our policy: nothing is ever evaluated, and no request tells the page's address.
// htmx parses answers of this site as HTML; trusted types allow that to this policy only.
const refuse = () => {
  throw new Error("scripts in attributes are not run here");
};
htmx.registerExtension("yinzheng-guard", {
  init(api) {
    const policy = trustedTypesOr().createPolicy("yinzheng-htmx", { createHTML: (text) => text });
    api.initSecurity({ createHTML: (text) => policy.createHTML(text), createScript: refuse }, refuse, refuse);
  },
});
document.addEventListener("htmx:config:request", (event) => {
  delete event.detail.ctx.request.headers["HX-Current-URL"]; // it would hold a fragment
});

// Whatever its status, an answer of this site has a part to show. One of something in between (a proxy, a portal) has
// none, and no answer at all is none either: both are said, or a person would wait for ever.
document.addEventListener("htmx:after:request", (event) => {
  if (/\sid="answer"/.test(event.detail.ctx.text)) return;
  event.preventDefault();
  tellNoAnswer();
});
document.addEventListener("htmx:error", tellNoAnswer);

function tellNoAnswer() {
  document.getElementById("answer").replaceChildren(document.getElementById("no-answer").content.cloneNode(true));
}

function trustedTypesOr() {
  return window.trustedTypes ?? { createPolicy: (_name, rules) => rules };
}
