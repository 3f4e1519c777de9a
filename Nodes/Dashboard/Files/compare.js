// Two runs side by side: what both did, and the first call that differs.

import { get } from "./api.js";
import { h, fill, table, state, count, time, note, params, loading, short } from "./dom.js";

export async function show(main, { query }) {
  const [left, right] = [query.get("left") ?? "", query.get("right") ?? ""];
  const field = (name, value) => h("label", null, name, h("input", { id: name.toLowerCase(), value, size: "34", class: "mono", spellcheck: "false", placeholder: "a job\u2019s identifier" }));
  const fields = [field("Left", left), field("Right", right)];
  const body = h("div", null);
  const choice = h("div", null);
  main.append(h("div", { class: "head" }, h("h1", null, "Compare two runs")), h("form", {
    class: "tools",
    onsubmit: (event) => {
      event.preventDefault();
      const [one, other] = fields.map((label) => label.querySelector("input").value.trim());
      location.hash = `#/compare${params({ left: one, right: other })}`;
    },
  }, fields, h("button", { type: "submit" }, "Compare"), left && right ? h("a", { href: `#/compare${params({ left: right, right: left })}` }, "Swap") : null), choice, body);
  if (!left || !right) {
    await offer(choice, left);
    return null;
  }
  fill(body, loading("both runs"));
  try {
    render(body, await get(`compare${params({ left, right, thread: query.get("thread") })}`), { left, right });
  } catch (error) {
    if (error.status === 401) throw error;
    fill(body, note("bad", error.title ?? "They cannot be compared.", error.message));
  }
  return null;
}

async function offer(place, left) {
  if (!left) {
    fill(place, h("p", { class: "muted" }, "Give two jobs\u2019 identifiers, or follow \u201cCompare\u201d from a job: two runs of one program with other seeds, engines or images, or emulated and native."));
    return;
  }
  const job = await get(`jobs/${left}`);
  const { jobs } = await get("jobs?limit=200");
  const like = jobs.filter((other) => other.id !== job.id).sort((one, other) => Number(other.command === job.command) - Number(one.command === job.command)).slice(0, 20);
  fill(place, h("p", { class: "muted" }, "With which run? Those of the same command come first."), table("Runs to compare with", [["Job"], ["State"], ["Command"]], like.map((other) =>
    h("tr", null, h("td", { class: "fit mono" }, h("a", { href: `#/compare${params({ left, right: other.id })}` }, short(other.id) + "\u2026" + other.id.slice(-4))), h("td", { class: "fit" }, state(other.state)), h("td", { class: "cut mono" }, other.command)))));
}

function render(body, seen, jobs) {
  const thread = seen.threads[seen.thread];
  const differing = seen.threads.filter((pair) => pair.differs !== undefined).length;
  fill(body,
    h("div", { class: "halves" }, run("Left", seen.left), run("Right", seen.right)),
    seen.left.missing || seen.right.missing ? null : differing === 0
      ? note("", `No call differs, in ${count(seen.threads.length)} ${seen.threads.length === 1 ? "thread" : "threads"}.`, "Calls are compared by name and result; addresses, process numbers and times are each run\u2019s own.")
      : note("warn", `${count(differing)} of ${count(seen.threads.length)} ${seen.threads.length === 1 ? "thread" : "threads"} ${differing === 1 ? "differs" : "differ"}; the first difference is marked.`),
    seen.threads.length > 1 ? threads(seen, jobs) : null,
    thread ? [h("h2", null, `Calls of ${thread.name}`), seen.before > 0 ? h("p", { class: "muted" }, `${count(seen.before)} equal calls before these`) : null, rows(seen, thread)] : null,
    h("h2", null, "By call"), totals(seen.calls));
  body.querySelector(".diff tr.first")?.scrollIntoView({ block: "center" });
}

function run(side, job) {
  return h("div", null, h("h2", null, side), h("dl", { class: "facts" },
    h("dt", null, "Job"), h("dd", { class: "mono" }, h("a", { href: `#/jobs/${job.job}` }, job.job)),
    h("dt", null, "Command"), h("dd", { class: "mono" }, job.command),
    h("dt", null, "Ended"), h("dd", null, state(job.state), job.exitCode !== undefined ? ` exit code ${job.exitCode}` : ""),
    h("dt", null, "Ran"), h("dd", null, `${job.backend}${job.node ? ` on ${job.node}` : ""}`),
    h("dt", null, "Calls"), h("dd", null, `${count(job.calls)}${job.compared < job.calls ? `, of which the first ${count(job.compared)} are compared` : ""}${job.source === "listing" ? ", from its listing: the first process" : ""}`)),
  job.missing ? note("warn", "Its calls are not known here.", job.missing) : null);
}

function threads(seen, jobs) {
  return table("Threads", [["Thread"], ["Left", "number"], ["Right", "number"], ["First difference"]], seen.threads.slice(0, 60).map((pair, i) =>
    h("tr", { "aria-current": i === seen.thread ? "true" : null },
      h("td", null, h("a", { href: `#/compare${params({ ...jobs, thread: i })}` }, pair.name), i === seen.thread ? h("span", { class: "muted" }, " (shown)") : null),
      h("td", { class: "number" }, pair.left === undefined ? "not there" : count(pair.leftCalls)), h("td", { class: "number" }, pair.right === undefined ? "not there" : count(pair.rightCalls)),
      h("td", null, pair.differs === undefined ? h("span", { class: "state succeeded" }, "none") : h("span", { class: "state failed" }, `call ${count(pair.differs + 1)}`)))));
}

function rows(seen, thread) {
  const cells = (call, side) => [h("td", { class: `place ${side}` }, call ? count(call.place + 1) : ""), h("td", { class: side }, call?.text ?? ""), h("td", { class: `time ${side}` }, call?.duration === undefined ? "" : time(call.duration))];
  let marked = false;
  const lines = seen.rows.flatMap((row) => {
    const first = !marked && row.kind !== "same" && thread.differs !== undefined;
    marked ||= first;
    const line = h("tr", { class: `${row.kind}${first ? " first" : ""}` }, cells(row.left, "left"), cells(row.right, "right"));
    return first ? [h("tr", { class: "flag" }, h("td", { colspan: "6" }, `First difference: call ${count(thread.differs + 1)}`)), line] : [line];
  });
  return h("div", { class: "scroll" }, h("table", { class: "diff", "aria-label": "Calls side by side" },
    h("thead", null, h("tr", null, ["#", "Left", "Time", "#", "Right", "Time"].map((name, i) => h("th", { scope: "col", class: i % 3 === 1 ? "" : "number" }, name)))), h("tbody", null, lines)));
}

function totals(calls) {
  const change = (call) => (call.leftTime === undefined || call.rightTime === undefined || call.leftTime === 0 ? "" : `${(call.rightTime / call.leftTime).toFixed(2)}\u00d7`);
  return table("By call", [["Call"], ["Left", "number"], ["Right", "number"], ["Failed left", "number"], ["Failed right", "number"], ["Time left", "number"], ["Time right", "number"], ["Right / left", "number"]],
    calls.map((call) => h("tr", null, h("td", { class: "mono" }, call.call), h("td", { class: "number" }, count(call.leftCount)), h("td", { class: "number" }, call.rightCount === call.leftCount ? count(call.rightCount) : h("strong", null, count(call.rightCount))),
      h("td", { class: "number" }, call.leftErrors ? count(call.leftErrors) : ""), h("td", { class: "number" }, call.rightErrors ? count(call.rightErrors) : ""),
      h("td", { class: "number" }, call.leftTime === undefined ? "" : time(call.leftTime)), h("td", { class: "number" }, call.rightTime === undefined ? "" : time(call.rightTime)), h("td", { class: "number" }, change(call)))));
}
