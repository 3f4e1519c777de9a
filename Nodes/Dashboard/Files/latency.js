// How long calls took: a row for each call, a column for each power of two, colour by count.

import { get } from "./api.js";
import { h, fill, at, table, count, brief, time, note, params, loading, roving } from "./dom.js";

export async function show(body, job) {
  const map = await get(`jobs/${job.id}/trace/latency${params({ attempt: job.attempt })}`);
  if (map.rows.length === 0) {
    fill(body, h("div", { class: "empty" }, "No call was made."));
    return null;
  }
  const most = Math.max(1, ...map.rows.flatMap((row) => row.counts));
  const slow = h("div", { "aria-live": "polite" });
  const columns = Array.from({ length: map.columns }, (_, i) => map.first + i);
  const cells = h("tbody", null, map.rows.map((row) => h("tr", null,
    h("th", { class: "call", scope: "row" }, row.call),
    columns.map((power, i) => cell(job, row, power, i, most, slow)),
    [count(row.count), row.errors ? count(row.errors) : "", time(row.time), time(row.p50), time(row.p99), time(row.longest)].map((value) => h("td", { class: "figure" }, value)))));
  const grid = h("table", { class: "heat", role: "grid", "aria-label": "Calls by latency" },
    h("thead", null, h("tr", null, h("th", { class: "call", scope: "col" }, "Call"), columns.map((power) => h("th", { scope: "col", title: `from ${time(2 ** power)} to ${time(2 ** (power + 1))}` }, bound(power).flatMap((part, i) => (i ? [h("br"), part] : [part])))),
      ["Calls", "Failed", "Time", "p50", "p99", "Longest"].map((name) => h("th", { scope: "col", class: "number" }, name)))),
    cells);
  fill(body,
    map.lost ? note("warn", `The first ${count(map.lost)} records had to make room.`, "Counts, times and quantiles on the right are exact; the columns count what is left.") : null,
    h("p", { class: "muted" }, "Each column holds calls that took as long as its head says, and less than twice that. Click a cell, or press Enter on it, for its slowest calls."),
    h("div", { class: "scroll" }, grid), slow);
  const usable = [...cells.querySelectorAll("td.cell:not(.none)")];
  moves(cells, columns.length);
  if (usable[0]) usable[0].tabIndex = 0;
  return null;
}

function bound(power) {
  const value = 2 ** power;
  const [unit, name] = value < 1000 ? [1, "ns"] : value < 1e6 ? [1e3, "\u00b5s"] : value < 1e9 ? [1e6, "ms"] : [1e9, "s"];
  return [Math.round(value / unit), name];
}

function cell(job, row, power, column, most, slow) {
  const value = row.counts[column];
  const level = value === 0 ? 0 : Math.min(9, Math.round((9 * Math.log(value + 1)) / Math.log(most + 1)));
  const label = `${row.call}, ${time(2 ** power)} to ${time(2 ** (power + 1))}: ${count(value)}`;
  if (value === 0) return h("td", { class: "cell none", role: "gridcell", "aria-label": label });
  const open = (event) => {
    for (const other of event.target.closest("table").querySelectorAll("[aria-selected]")) other.removeAttribute("aria-selected");
    event.target.closest("td").setAttribute("aria-selected", "true");
    list(job, row.call, power, slow);
  };
  return h("td", { class: `cell h${level}`, role: "gridcell", tabindex: "-1", title: label, "aria-label": label, onclick: open, onkeydown: (event) => event.key === "Enter" && open(event) }, brief(value));
}

/** Arrow keys go to the next cell that has calls, in that direction. */
function moves(cells, width) {
  cells.addEventListener("keydown", (event) => {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const from = event.target.closest("td.cell");
    if (!step || !from) return;
    event.preventDefault();
    const rows = [...cells.rows].map((row) => [...row.querySelectorAll("td.cell")]);
    let y = rows.findIndex((row) => row.includes(from));
    let x = rows[y].indexOf(from);
    for (;;) {
      [y, x] = [y + step[0], x + step[1]];
      if (y < 0 || y >= rows.length || x < 0 || x >= width) return;
      // Up and down, a row without calls of this length leads on to its nearest one.
      const there = step[0] ? rows[y].filter((cell) => !cell.classList.contains("none")).sort((a, b) => Math.abs(rows[y].indexOf(a) - x) - Math.abs(rows[y].indexOf(b) - x))[0] : rows[y][x];
      if (!there || there.classList.contains("none")) continue;
      for (const other of cells.querySelectorAll("td.cell[tabindex='0']")) other.tabIndex = -1;
      there.tabIndex = 0;
      there.focus();
      return;
    }
  });
}

async function list(job, call, power, place) {
  fill(place, loading("its slowest calls"));
  const atLeast = power === 0 ? 0 : 2 ** power;
  const page = await get(`jobs/${job.id}/trace/calls${params({ attempt: job.attempt, call, atLeast, below: 2 ** (power + 1), slowest: true, limit: 20 })}`);
  fill(place, h("h2", null, `Slowest ${call} from ${time(2 ** power)} to ${time(2 ** (power + 1))}`), slowest(job, page.calls));
  roving(place.querySelector("tbody"), "tr");
}

/** Calls as rows that lead to their place in the timeline. */
export function slowest(job, calls) {
  if (calls.length === 0) return h("div", { class: "empty" }, "Their records had to make room.");
  return table("Calls", [["Duration", "number"], ["Waited", "number"], ["At", "number"], ["Process", "number"], ["Thread", "number"], ["Call"]], calls.map((call) =>
    h("tr", { tabindex: "-1", onkeydown: (event) => event.key === "Enter" && (location.hash = place(job, call)) },
      h("td", { class: "number" }, h("a", { href: place(job, call), tabindex: "-1" }, time(call.duration))), h("td", { class: "number" }, call.blocked ? time(call.blocked) : ""),
      h("td", { class: "number" }, at(call.start)), h("td", { class: "number" }, call.process), h("td", { class: "number" }, call.thread), h("td", { class: "mono" }, call.text))), { class: "rows" });
}

/** The timeline's address with a call in its middle. */
export const place = (job, call) => `#/jobs/${job.id}/timeline${params({ attempt: job.attempt, call: call.index })}`;
