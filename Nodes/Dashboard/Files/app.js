// Which view the address names, the theme, the token, the keys that work everywhere.

import * as api from "./api.js";
import { h, fill, note, loading } from "./dom.js";

const views = {
  cluster: () => import("./cluster.js"),
  jobs: () => import("./jobs.js"),
  job: () => import("./job.js"),
  suites: () => import("./suites.js"),
  compare: () => import("./compare.js"),
};

const main = document.getElementById("main");
let dispose = null;
let caller = null;
let turn = 0;

/** The address behind the #: a path of parts, and parameters. */
function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
}

async function show() {
  const mine = ++turn;
  const { parts, query } = address();
  const name = parts[0] === "jobs" && parts[1] ? "job" : parts[0] ?? "cluster";
  for (const link of document.querySelectorAll(".bar nav a")) {
    if (link.dataset.view === (name === "job" ? "jobs" : name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  dispose?.();
  dispose = null;
  if (!views[name]) {
    fill(main, note("bad", "There is no such page.", h("a", { href: "#/cluster" }, "Go to the cluster")));
    return;
  }
  fill(main, loading("the page"));
  try {
    caller ??= await api.get("caller");
    document.getElementById("who").textContent = `${caller.node} \u00b7 ${caller.access}`;
    document.getElementById("who").title = `Node ${caller.node}, version ${caller.version}; you may: ${caller.access}`;
    const view = await views[name]();
    if (mine !== turn) return;
    main.replaceChildren();
    const ended = await view.show(main, { parts: parts.slice(1), query, caller });
    if (mine === turn) dispose = ended;
    else ended?.();
  } catch (error) {
    if (mine === turn && error.status !== 401) explain(error);
  }
}

function explain(error) {
  const retry = h("button", { type: "button", onclick: show }, "Try again");
  if (error instanceof api.Failure) fill(main, note("bad", error.title, error.message, retry));
  else {
    console.error(error);
    fill(main, note("bad", "This page failed.", String(error.message), retry));
  }
}

function askForToken(why) {
  turn++;
  dispose?.();
  [dispose, caller] = [null, null];
  const wrong = api.hasToken();
  api.setToken(null);
  document.getElementById("who").textContent = "";
  const input = h("input", { type: "password", name: "token", id: "token", autocomplete: "off", spellcheck: "false", "aria-describedby": "token-note" });
  const form = h("form", {
    class: "signin",
    onsubmit: (event) => {
      event.preventDefault();
      api.setToken(input.value.trim());
      show();
    },
  },
  h("h1", null, "Token"),
  wrong && note("bad", why ?? "This token is not good."),
  h("p", { id: "token-note", class: "muted" }, "This node serves only who has a token. It stays in this tab until the tab is closed."),
  h("label", { for: "token" }, "Token"), input, h("button", { class: "primary", type: "submit" }, "Sign in"));
  fill(main, form);
  input.focus();
}

const keys = [
  ["?", "This list"],
  ["g then c, j, s, d", "Go to cluster, jobs, suites, comparison"],
  ["/", "Search in the jobs"],
  ["Up, Down (k, j)", "Move in a list or tree; Enter opens"],
  ["Home, End", "First, last of a list"],
  ["Arrow keys", "Timeline: previous and next call, other rows. Heat map: other cells"],
  ["+ \u2212 (w s)", "Timeline: zoom in and out; so does the wheel"],
  ["Shift+Left, Shift+Right (a d)", "Timeline: move to earlier or later; drag or Shift+wheel"],
  ["Enter", "Timeline: open a folded run, look closely at a call"],
  ["0", "Timeline: the whole job"],
  ["Esc", "Close, or give up a selection"],
];

function showHelp() {
  if (document.querySelector("dialog[open]")) return;
  const dialog = h("dialog", { "aria-labelledby": "keys-title", onclose: () => dialog.remove() },
    h("h2", { id: "keys-title" }, "Keyboard shortcuts"),
    h("table", { class: "keys" }, h("tbody", null, keys.map(([key, what]) => h("tr", null, h("td", { class: "nowrap" }, h("kbd", null, key)), h("td", null, what))))),
    h("form", { method: "dialog", class: "actions" }, h("button", { type: "submit" }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}

let went = 0;
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || document.querySelector("dialog[open]")) return;
  if (Date.now() - went < 3000) {
    went = 0;
    const target = { c: "cluster", j: "jobs", s: "suites", d: "compare" }[event.key];
    if (target) {
      event.preventDefault();
      event.stopPropagation();
      location.hash = `#/${target}`;
      return;
    }
  }
  if (event.key === "g") went = Date.now();
  else if (event.key === "?") showHelp();
  else if (event.key === "/") {
    event.preventDefault();
    const field = document.getElementById("text");
    if (field) field.focus();
    else location.hash = "#/jobs?find";
  }
}

function theme() {
  const choice = document.getElementById("theme");
  const apply = (value) => {
    if (value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
    dispatchEvent(new Event("themechange"));
  };
  choice.value = localStorage.getItem("vivarium-theme") ?? "system";
  apply(choice.value);
  choice.addEventListener("change", () => {
    localStorage.setItem("vivarium-theme", choice.value);
    apply(choice.value);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("themechange")));
}

api.watch(askForToken, (isReached) => {
  document.getElementById("link").textContent = isReached ? "" : "The node does not answer";
});
theme();
document.getElementById("help").addEventListener("click", showHelp);
addEventListener("keydown", onKey, true);
addEventListener("hashchange", () => show().then(() => main.contains(document.activeElement) || main.focus({ preventScroll: true })));
show();
