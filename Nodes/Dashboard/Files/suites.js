// Suites: their list, and the matrix of one: a row for each case, a column for each image and engine, a mark for each seed.

import { get, post } from "./api.js";
import { h, fill, table, state, count, when, span, every, note, params, platform, loading, roving } from "./dom.js";

export async function show(main, { parts, query, caller }) {
  return parts[0] ? showSuite(main, parts[0], caller) : showList(main, query);
}

async function showList(main, query) {
  const after = query.get("after") ?? "";
  const list = h("div", null, loading("suites"));
  main.append(h("div", { class: "head" }, h("h1", null, "Suites")), list);
  const refresh = async () => {
    try {
      renderList(list, await get(`suites${params({ limit: 50, after })}`), after);
    } catch (error) {
      if (error.status === 401) throw error;
      fill(list, note("bad", error.title ?? "The suites cannot be listed.", error.message));
    }
  };
  await refresh();
  return after ? null : every(3000, refresh);
}

function renderList(place, page, after) {
  if (page.suites.length === 0) {
    fill(place, h("div", { class: "empty" }, "No suite has run here yet. Submit one: ", h("span", { class: "mono" }, "viv submit suite.yaml")));
    return;
  }
  const focused = place.contains(document.activeElement) ? document.activeElement.closest("tr")?.dataset.suite : null;
  const rows = page.suites.map((suite) => h("tr", {
    tabindex: "-1", "data-suite": suite.id,
    onclick: (event) => event.target.closest("a") || (location.hash = `#/suites/${suite.id}`),
    onkeydown: (event) => event.key === "Enter" && event.target.tagName === "TR" && (location.hash = `#/suites/${suite.id}`),
  },
  h("td", null, h("a", { href: `#/suites/${suite.id}`, tabindex: "-1" }, suite.name)),
  h("td", { class: "fit" }, state(suite.state)),
  [suite.runs, suite.passed, suite.failed, suite.cancelled].map((value) => h("td", { class: "number" }, value ? count(value) : "")),
  h("td", { class: "number" }, when(suite.createdAt)),
  h("td", { class: "number" }, suite.endedAt ? span((new Date(suite.endedAt) - new Date(suite.createdAt)) / 1000) : "")));
  fill(place, table("Suites", [["Suite"], ["State"], ["Runs", "number"], ["Passed", "number"], ["Failed", "number"], ["Cancelled", "number"], ["Submitted", "number"], ["Took", "number"]], rows, { class: "rows" }),
    h("div", { class: "tools" }, after ? h("a", { href: "#/suites" }, "Newest") : null, page.next ? h("a", { href: `#/suites${params({ after: page.next })}` }, "Older") : null));
  roving(place.querySelector("tbody"), "tr");
  if (focused) place.querySelector(`tr[data-suite="${CSS.escape(focused)}"]`)?.focus();
}

async function showSuite(main, id, caller) {
  let suite;
  try {
    suite = await get(`suites/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    fill(main, note("bad", "There is no such suite.", id), h("p", null, h("a", { href: "#/suites" }, "All suites")));
    return null;
  }
  const head = h("div", null);
  const matrix = h("div", null);
  const failures = h("div", null);
  const status = h("div", { role: "status", class: "muted" });
  main.append(head, status, matrix, failures);
  let shown = "";
  const refresh = async () => {
    suite = await get(`suites/${suite.id}`);
    if (JSON.stringify(suite) === shown) return;
    shown = JSON.stringify(suite);
    showHead(head, suite, caller, status);
    showMatrix(matrix, suite);
    showFailures(failures, suite);
  };
  await refresh();
  return every(1500, () => (suite.state === "running" ? refresh().catch(() => {}) : null));
}

function showHead(place, suite, caller, status) {
  const order = (name, done) => h("button", { type: "button", onclick: async () => {
    try {
      await post(`suites/${suite.id}/${name}`);
      status.textContent = done;
    } catch (error) {
      status.textContent = `${error.title}: ${error.message}`;
    }
  } }, name === "cancel" ? "Cancel what has not ended" : "Resume");
  const may = caller.access !== "read";
  const figure = (value, name) => h("div", null, h("b", null, count(value)), h("span", null, name));
  const left = suite.runs - suite.passed - suite.failed - suite.cancelled;
  fill(place, h("div", { class: "head" }, h("h1", null, suite.name), state(suite.state), h("span", { class: "grow" }),
    may && suite.state === "running" ? order("cancel", "Asked its runs to end.") : null,
    may && (suite.state === "cancelled" || suite.matrix.some((run) => run.state === "missing")) ? order("resume", "Submitted what was missing.") : null,
    h("a", { href: `#/jobs${params({ text: suite.name })}` }, "Its jobs")),
  h("div", { class: "figures" }, figure(suite.runs, "runs"), figure(suite.passed, "passed"), figure(suite.failed, "failed"), suite.cancelled ? figure(suite.cancelled, "cancelled") : null, left ? figure(left, "to come") : null));
}

const letters = { passed: "\u2713", failed: "\u2717", running: "\u2026", queued: "\u00b7", waiting: "w", cancelled: "\u2013", missing: "?" };

function showMatrix(place, suite) {
  const column = (run) => JSON.stringify([run.image ?? null, platform(run), run.engine]);
  const columns = [...new Set(suite.matrix.map(column))];
  const cases = Map.groupBy(suite.matrix, (run) => run.case);
  const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const cell = (run) => {
    const seed = run.seed === undefined ? "" : `, seed ${run.seed}`;
    const label = `${run.case}${run.image ? `, ${run.image}` : ""}${platform(run) ? `, ${platform(run)}` : ""}, ${run.engine}${seed}: ${run.state}${run.problem ? `; ${run.problem}` : ""}${run.seconds !== undefined ? `; ${span(run.seconds)}` : ""}`;
    return h("a", { class: run.state, href: run.job ? `#/jobs/${run.job}` : "#/suites", tabindex: "-1", title: label, "aria-label": label }, letters[run.state] ?? run.state);
  };
  const rows = [...cases].map(([name, runs]) => h("tr", null, h("th", { class: "case", scope: "row" }, name), columns.map((key) =>
    h("td", null, h("span", { class: "cells" }, runs.filter((run) => column(run) === key).map(cell))))));
  const heads = columns.map((key) => {
    return [JSON.parse(key).filter(Boolean).join(" \u00b7 "), "middle"];
  });
  const found = table("Matrix of runs", [["Case"], ...heads], rows, { class: "matrix" });
  found.querySelector("table").style.width = "auto";
  fill(place, found, h("div", { class: "legend" }, Object.entries(letters).filter(([name]) => suite.matrix.some((run) => run.state === name)).map(([name, letter]) =>
    h("span", null, h("span", { class: "cells" }, h("a", { class: name, "aria-hidden": "true" }, letter)), ` ${name}`))));
  const body = place.querySelector("tbody");
  roving(body, ".cells a", () => Math.max(1, body.rows[0]?.querySelectorAll(".cells a").length ?? 1));
  if (focused) body.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function showFailures(place, suite) {
  const failed = suite.matrix.filter((run) => run.state === "failed");
  if (failed.length === 0) {
    place.replaceChildren();
    return;
  }
  // A run of the same case that passed is what a failed one is best compared with.
  const like = (run) => suite.matrix.find((other) => other.case === run.case && other.state === "passed" && other.job);
  fill(place, h("h2", null, "Failures"), table("Failures", [["Run"], ["Problem"], ["Node"], ["Took", "number"], [""]], failed.slice(0, 200).map((run) =>
    h("tr", null, h("td", { class: "nowrap" }, run.job ? h("a", { href: `#/jobs/${run.job}` }, run.name) : run.name), h("td", { class: "mono" }, run.problem ?? ""), h("td", { class: "fit" }, run.node ?? ""),
      h("td", { class: "number" }, run.seconds === undefined ? "" : span(run.seconds)), h("td", { class: "fit" }, run.job && like(run) ? h("a", { href: `#/compare${params({ left: like(run).job, right: run.job })}` }, "compare with one that passed") : "")))));
}
