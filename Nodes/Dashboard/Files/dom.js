// Builds elements. Text is only ever text: guests' output, names and arguments are hostile, so nothing here parses markup.

/** An element: properties first (class, on…, others as attributes), then children; text stays text, null is left out. */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "href") element.setAttribute("href", safe(value));
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

export function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

/** Links stay on this page or go to a node's http address: never to a script. */
function safe(address) {
  return /^(#|\/|https?:\/\/)/.test(address) ? address : "#";
}

export const params = (values) => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    for (const item of Array.isArray(value) ? value : [value])
      if (item !== null && item !== undefined && item !== "") query.append(name, item);
  const text = query.toString();
  return text ? "?" + text : "";
};

/** A table; columns are [title, class]. */
export function table(name, columns, rows, properties) {
  return h("div", { class: "scroll" }, h("table", { "aria-label": name, ...properties },
    h("thead", null, h("tr", null, columns.map(([title, kind]) => h("th", { class: kind, scope: "col" }, title)))),
    h("tbody", null, rows)));
}

/** Arrow keys, Home and End move among an element's items; only the current one is in the tab order. */
export function roving(container, selector, columns) {
  const items = () => [...container.querySelectorAll(selector)];
  const first = items()[0];
  if (first && !items().some((item) => item.tabIndex === 0)) first.tabIndex = 0;
  container.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(event.target.closest(selector));
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const width = columns ? columns() : 1;
    const step = { ArrowDown: width, ArrowUp: -width, ArrowRight: columns ? 1 : 0, ArrowLeft: columns ? -1 : 0, j: width, k: -width }[event.key];
    let next = step ? all[at + step] : event.key === "Home" ? all[0] : event.key === "End" ? all.at(-1) : null;
    if (!next) return;
    event.preventDefault();
    focusOn(all, next);
  });
  container.addEventListener("focusin", (event) => {
    const item = event.target.closest(selector);
    if (item && item === event.target) for (const other of items()) other.tabIndex = other === item ? 0 : -1;
  });
}

function focusOn(all, next) {
  for (const item of all) item.tabIndex = item === next ? 0 : -1;
  next.focus();
}

const number = new Intl.NumberFormat("en-US");
export const count = (value) => number.format(value ?? 0);
/** 1 call, 2 calls. */
export const many = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : noun.endsWith("s") ? "es" : "s"}`;

/** Counts in few letters: 950, 1.2k, 34M. */
export function brief(value) {
  if (value < 1000) return String(value);
  const units = ["k", "M", "G", "T"];
  let unit = -1;
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return (value < 9.95 ? value.toFixed(1) : Math.round(value)) + units[unit];
}

const digits = (value) => (value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2));

/** Nanoseconds with three digits and the unit that fits. */
export function time(nanoseconds) {
  const size = Math.abs(nanoseconds);
  const sign = nanoseconds < 0 ? "\u2212" : "";
  if (size < 1000) return `${sign}${Math.round(size)} ns`;
  if (size < 999_500) return `${sign}${digits(size / 1e3)} \u00b5s`;
  if (size < 999_500_000) return `${sign}${digits(size / 1e6)} ms`;
  if (size < 600e9) return `${sign}${digits(size / 1e9)} s`;
  return sign + span(size / 1e9);
}

/** A place in a job's time, counted from its program's first instruction. */
export function at(nanoseconds) {
  const [whole, rest] = [Math.floor(Math.abs(nanoseconds) / 1e9), Math.abs(nanoseconds) % 1e9];
  return `${nanoseconds < 0 ? "\u2212" : "+"}${count(whole)}.${String(rest).padStart(9, "0")} s`;
}

/** Seconds as people say them. */
export function span(seconds) {
  if (seconds < 0.9995) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 60) return `${digits(seconds)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) [bytes, unit] = [bytes / 1024, unit + 1];
  return `${unit === 0 ? bytes : digits(bytes)} ${units[unit]}`;
}

const clock = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
/** A time of day, with its date when that is not today's. */
export function when(text) {
  if (!text) return "";
  const parts = Object.fromEntries(clock.formatToParts(new Date(text)).map((part) => [part.type, part.value]));
  const today = Object.fromEntries(clock.formatToParts(new Date()).map((part) => [part.type, part.value]));
  const day = `${parts.year}-${parts.month}-${parts.day}`;
  const at = `${parts.hour}:${parts.minute}:${parts.second}`;
  return day === `${today.year}-${today.month}-${today.day}` ? at : `${day} ${at}`;
}

/** A text that may be bytes: { base64 }. What is no UTF-8 shows as replacement characters. */
export function text(value) {
  if (typeof value === "string") return value;
  if (value?.base64 === undefined) return "";
  return new TextDecoder().decode(Uint8Array.from(atob(value.base64), (letter) => letter.charCodeAt(0)));
}

const words = { timedOut: "timed out" };
export const state = (name) => h("span", { class: `state ${name}` }, words[name] ?? name);
export const final = (name) => name === "succeeded" || name === "failed" || name === "cancelled" || name === "timedOut";

export const note = (kind, title, ...more) => h("div", { class: `note ${kind}`, role: kind === "bad" ? "alert" : "note" }, title, more.map((line) => line && h("p", null, line)));
export const loading = (what) => h("div", { class: "loading", role: "status" }, `Loading ${what} \u2026`);
export const short = (id) => id.slice(0, 8);
/** What a job or a run is for: "freebsd/arm64", with * for what its program says; nothing when that says both. */
export const platform = (job) => (job.operatingSystem || job.architecture ? `${job.operatingSystem ?? "*"}/${job.architecture ?? "*"}` : "");

/** Calls again and again while the page is looked at; returns what ends it. */
export function every(milliseconds, work) {
  let timer = 0;
  let over = false;
  const run = async () => {
    if (!document.hidden) await work();
    if (!over) timer = setTimeout(run, milliseconds);
  };
  timer = setTimeout(run, milliseconds);
  return () => {
    over = true;
    clearTimeout(timer);
  };
}
