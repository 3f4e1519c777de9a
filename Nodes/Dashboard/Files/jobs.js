// The list of jobs: filters, pages. Only the page that is looked at is loaded, however many jobs there are.

import { get } from "./api.js";
import { h, fill, table, state, count, when, span, every, note, params, roving, final, short, platform, loading } from "./dom.js";

const states = ["waiting", "queued", "running", "succeeded", "failed", "cancelled", "timedOut"];
const pageSize = 100;
// Where pages that were left began, so that "Newer" finds the way back.
const trail = [];

export async function show(main, { query }) {
  const filter = { state: query.getAll("state"), label: query.getAll("label"), node: query.get("node") ?? "", text: query.get("text") ?? "", after: query.get("after") ?? "" };
  if (!filter.after) trail.length = 0;
  const summary = h("span", { class: "muted", role: "status" });
  const list = h("div", null, loading("jobs"));
  const pages = h("div", { class: "tools" });
  main.append(h("div", { class: "head" }, h("h1", null, "Jobs"), summary), form(filter), list, pages);
  if (query.has("find")) document.getElementById("text").focus();

  let shown = "";
  const refresh = async () => {
    try {
      const [page, stats] = await Promise.all([get(`jobs${params({ ...filter, limit: pageSize })}`), get("stats")]);
      summary.textContent = states.filter((name) => stats.jobs[name]).map((name) => `${count(stats.jobs[name])} ${name === "timedOut" ? "timed out" : name}`).join(", ");
      const text = JSON.stringify(page);
      if (text === shown) return;
      shown = text;
      render(list, page.jobs, filter);
      turn(pages, filter, page.next);
    } catch (error) {
      if (error.status === 401) throw error;
      fill(list, note("bad", error.title ?? "The jobs cannot be listed.", error.message));
      shown = "";
    }
  };
  await refresh();
  // Later pages do not change by themselves.
  return filter.after ? null : every(2000, refresh);
}

const go = (filter) => {
  location.hash = `#/jobs${params(filter)}`;
};

function form(filter) {
  const text = h("input", { id: "text", type: "search", size: "34", value: filter.text, placeholder: "words of the command, or a job\u2019s identifier", "aria-label": "Text" });
  const node = h("input", { id: "node", type: "search", size: "10", value: filter.node, placeholder: "any", "aria-label": "Node" });
  const label = h("input", { id: "label", type: "search", size: "18", value: filter.label.join(" "), placeholder: "name=value \u2026", "aria-label": "Labels" });
  const chosen = h("div", { class: "tools", role: "group", "aria-label": "States" }, states.map((name) => h("button", {
    type: "button",
    "aria-pressed": String(filter.state.includes(name)),
    onclick: () => go({ ...filter, after: "", state: filter.state.includes(name) ? filter.state.filter((other) => other !== name) : [...filter.state, name] }),
  }, name === "timedOut" ? "timed out" : name)));
  chosen.classList.remove("tools");
  chosen.style.display = "inline-flex";
  chosen.style.gap = "4px";
  const apply = (event) => {
    event.preventDefault();
    const id = text.value.trim().replaceAll("-", "");
    if (/^[0-9a-f]{32}$/i.test(id)) location.hash = `#/jobs/${id.toLowerCase()}`;
    else go({ ...filter, after: "", text: text.value.trim(), node: node.value.trim(), label: label.value.trim().split(/\s+/).filter(Boolean) });
  };
  return h("form", { class: "tools", role: "search", onsubmit: apply },
    text, h("label", null, "Node", node), h("label", null, "Labels", label), h("button", { type: "submit" }, "Search"), chosen,
    filter.text || filter.node || filter.label.length || filter.state.length ? h("a", { href: "#/jobs" }, "Clear") : null);
}

function render(place, jobs, filter) {
  if (jobs.length === 0) {
    const filtered = filter.text || filter.node || filter.label.length || filter.state.length;
    fill(place, h("div", { class: "empty" }, filtered ? "No job is like that." : ["There are no jobs yet. Submit one: ", h("span", { class: "mono" }, "viv submit -- /bin/echo hello")]));
    return;
  }
  const focused = place.contains(document.activeElement) ? document.activeElement.closest("tr")?.dataset.job : null;
  const rows = jobs.map((job) => h("tr", {
    tabindex: "-1", "data-job": job.id,
    onclick: (event) => event.target.closest("a") || (location.hash = `#/jobs/${job.id}`),
    onkeydown: (event) => event.key === "Enter" && event.target.tagName === "TR" && (location.hash = `#/jobs/${job.id}`),
  },
  h("td", { class: "fit mono" }, h("a", { href: `#/jobs/${job.id}`, tabindex: "-1", title: job.id }, short(job.id) + "\u2026" + job.id.slice(-4))),
  h("td", { class: "fit", title: job.waitsFor }, state(job.state)),
  h("td", { class: "mono", title: job.command }, job.name ? [h("span", { class: "chip" }, job.name), " "] : null, platform(job) ? [h("span", { class: "chip" }, platform(job)), " "] : null, job.command),
  h("td", { class: "labels" }, Object.entries(job.labels ?? {}).map(([name, value]) => h("a", { class: "chip", tabindex: "-1", href: `#/jobs${params({ label: `${name}=${value}` })}`, title: `${name}=${value}` }, `${name}=${value}`))),
  h("td", { class: "fit" }, job.node ?? ""),
  h("td", { class: "number" }, job.exitCode ?? ""),
  h("td", { class: "number" }, when(job.acceptedAt)),
  h("td", { class: "number" }, wait(job)),
  h("td", { class: "number" }, ran(job))));
  fill(place, table("Jobs", [["Job"], ["State"], ["Command"], ["Labels"], ["Node"], ["Exit", "number"], ["Accepted", "number"], ["Queued", "number"], ["Ran", "number"]], rows, { class: "rows jobs" }));
  roving(place.querySelector("tbody"), "tr");
  if (focused) place.querySelector(`tr[data-job="${CSS.escape(focused)}"]`)?.focus();
}

const seconds = (from, to) => (new Date(to) - new Date(from)) / 1000;
const wait = (job) => (job.startedAt ? span(seconds(job.acceptedAt, job.startedAt)) : "");
const ran = (job) => (job.startedAt && job.endedAt ? span(seconds(job.startedAt, job.endedAt)) : job.startedAt && !final(job.state) ? span(seconds(job.startedAt, Date.now())) : "");

function turn(place, filter, next) {
  const newer = () => go({ ...filter, after: trail.pop() ?? "" });
  const older = () => {
    trail.push(filter.after);
    go({ ...filter, after: next });
  };
  fill(place, filter.after || next ? [
    h("button", { type: "button", disabled: !filter.after, onclick: newer }, "Newer"),
    h("button", { type: "button", disabled: !next, onclick: older }, "Older"),
    h("span", { class: "muted" }, `page ${filter.after ? trail.length + 1 : 1}`)] : null);
}
