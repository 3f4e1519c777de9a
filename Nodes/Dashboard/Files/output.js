// A job's output as it comes: both streams in their order, told apart by colour and by the mark beside the line.

import { events } from "./api.js";
import { h, text, count } from "./dom.js";

// Lines kept on the page; all of it can be saved.
const most = 5000;
// Escape sequences move cursors and change colours; here they would only be noise (ECMA-48, 5.4 and 5.6).
const escapes = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g;
const controls = /[\x00-\x08\x0b-\x1f\x7f]/g;

export function output(job, blob) {
  const lines = h("div", { class: "output", role: "log", "aria-label": "Output", tabindex: "0" });
  const status = h("span", { class: "muted", role: "status" });
  const stop = new AbortController();
  const log = { lines, dropped: 0, current: null, follows: true, empty: true };
  const follow = toggle("Follow", true, (on) => {
    log.follows = on;
    if (on) lines.scrollTop = lines.scrollHeight;
  });
  lines.addEventListener("wheel", (event) => event.deltaY < 0 && follow.set(false), { passive: true });
  const element = h("div", null, h("div", { class: "tools" },
    h("h2", { class: "grow" }, "Output"), status, toggle("stdout", true, (on) => lines.classList.toggle("no-stdout", !on)).button, toggle(h("span", { class: "key err" }, "stderr"), true, (on) => lines.classList.toggle("no-stderr", !on)).button,
    toggle("Wrap", false, (on) => lines.classList.toggle("wrap", on)).button, follow.button,
    h("button", { type: "button", onclick: () => save(job, blob) }, "Save")), lines);
  events(`jobs/${job.id}/logs?follow=true`, stop.signal, (event, data) => take(log, event, data, status)).catch((error) => {
    status.textContent = error.message;
  });
  return { element, stop: () => stop.abort() };
}

function toggle(name, isOn, change) {
  const button = h("button", { type: "button", "aria-pressed": String(isOn), onclick: () => set(button.getAttribute("aria-pressed") !== "true") }, name);
  const set = (on) => {
    button.setAttribute("aria-pressed", String(on));
    change(on);
  };
  return { button, set };
}

function take(log, event, data, status) {
  if (event === "output") {
    write(log, data.stream, text(data.text));
    log.empty = false;
  } else if (event === "attempt") {
    mark(log, `A node was lost; attempt ${data.attempt} begins again`);
  } else if (event === "end") {
    status.textContent = log.empty ? "It wrote nothing." : "";
  }
  if (log.follows) log.lines.scrollTop = log.lines.scrollHeight;
}

function write(log, stream, written) {
  const pieces = written.replace(escapes, "").replaceAll("\r\n", "\n").split("\n");
  pieces.forEach((piece, i) => {
    if (i > 0) log.current = null;
    if (piece === "" && i === pieces.length - 1) return;
    log.current ??= line(log, stream);
    log.current.append(h("span", { class: stream }, piece.replace(controls, (control) => (control.charCodeAt(0) === 127 ? "\u2421" : String.fromCharCode(0x2400 + control.charCodeAt(0))))));
  });
}

function line(log, stream) {
  const element = h("div", { class: stream === "stderr" ? "err stderr" : "stdout" });
  log.lines.append(element);
  while (log.lines.childElementCount > most) {
    log.lines.firstElementChild.remove();
    log.dropped++;
  }
  if (log.dropped > 0) {
    log.notice ??= log.lines.parentElement.insertBefore(h("div", { class: "muted" }), log.lines);
    log.notice.textContent = `${count(log.dropped)} earlier lines are not shown; Save has all.`;
  }
  return element;
}

function mark(log, what) {
  log.current = null;
  log.lines.append(h("div", { class: "mark" }, what));
}

async function save(job, blob) {
  const link = h("a", { download: `${job.id}.log` });
  link.href = URL.createObjectURL(await blob(`jobs/${job.id}/logs`));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
