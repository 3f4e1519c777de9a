// One job: what it is, its output as it comes, its processes; its timeline and latencies in tabs.

import { get, post, blob, Failure } from "./api.js";
import { h, fill, table, state, final, count, many, time, span, size, when, text, every, note, params, platform, loading, roving } from "./dom.js";
import { output } from "./output.js";

const tabs = [["", "Overview"], ["timeline", "Timeline"], ["latency", "Latency"]];
const signals = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT", "KILL"];

export async function show(main, { parts, query, caller }) {
  const [id, tab = ""] = parts;
  let job;
  try {
    job = await get(`jobs/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    fill(main, note("bad", "There is no such job.", id, "Its identifier has 32 hexadecimal digits. Jobs of another cluster are not known here."), h("p", null, h("a", { href: "#/jobs" }, "All jobs")));
    return null;
  }
  const head = h("div", null);
  const body = h("div", null);
  const status = h("div", { role: "status", class: "muted" });
  main.append(head, h("nav", { class: "tabs", "aria-label": "Parts of the job" }, tabs.map(([name, title]) =>
    h("a", { href: `#/jobs/${job.id}${name && `/${name}`}`, "aria-current": name === tab ? "page" : null }, title))), status, body);
  showHead(head, job, caller, status);
  if (tab === "timeline" || tab === "latency") return traced(body, tab, { ...job, attempt: query.get("attempt") ?? undefined }, query, (next) => showHead(head, next, caller, status));
  return overview(body, head, job, caller, status);
}

/** What is told of a trace needs one: there is one once the job runs. */
async function traced(body, tab, job, query, changed) {
  const among = h("div", null);
  const place = h("div", null, loading("the trace"));
  fill(body, among, place);
  try {
    const view = await import(tab === "timeline" ? "./timeline.js" : "./latency.js");
    if (job.attempts > 1) fill(among, attempts(job, tab, (await get(`jobs/${job.id}/trace/summary${params({ attempt: job.attempt })}`)).attempts));
    const stop = await view.show(place, job, query, changed);
    if (final(job.state) || tab === "timeline") return stop;
    place.prepend(note("", `This job is ${job.state}.`, "This is what it did so far; it is shown again at its end."));
  } catch (error) {
    if (!(error instanceof Failure) || error.status !== 404) throw error;
    const begins = job.state === "queued" || job.state === "waiting";
    fill(place, begins ? note("", `This job is ${job.state}.`, "Its calls can be looked at once it runs; this page waits for that.") : note("warn", "There is no trace to show.", error.message, await elsewhere(job)));
  }
  return final(job.state) ? null : every(1000, async () => {
    const { state } = await get(`jobs/${job.id}`);
    if (state !== job.state) dispatchEvent(new Event("hashchange"));
  });
}

/** A job that was begun more than once: each of its attempts, and what of it cannot be had. */
function attempts(job, tab, all) {
  const shown = Number(job.attempt ?? job.attempts);
  return h("ul", { class: "findings", "aria-label": "Attempts" }, all.map((attempt) => h("li", null,
    h("a", { href: `#/jobs/${job.id}/${tab || "timeline"}${params({ attempt: attempt.number })}`, "aria-current": tab && attempt.number === shown ? "true" : null }, `Attempt ${attempt.number}`),
    ` on node ${attempt.node}`, attempt.missing ? `: ${attempt.missing}` : attempt.end === "Lost" ? ": ended with the node" : attempt.end === "Running" ? ": runs" : `: ${attempt.end.toLowerCase()}`)));
}

async function elsewhere(job) {
  const { nodes } = await get("nodes");
  const node = nodes.find((node) => node.name === job.node);
  if (!node) return job.node ? `It ran on node ${job.node}, which this cluster does not know any more.` : null;
  if (!node.isMember) return `It ran on node ${job.node}, which has left.`;
  return node.address ? ["It ran on ", h("a", { href: `${node.address}/#/jobs/${job.id}/timeline` }, `node ${node.name}`), "."] : `It ran on node ${node.name}.`;
}

function showHead(place, job, caller, status) {
  const may = caller.access !== "read" && !final(job.state);
  const cancel = h("button", { type: "button", class: "danger", onclick: () => confirm(job, status) }, "Cancel job");
  const signal = h("select", { "aria-label": "Signal to send" }, signals.map((name) => h("option", null, name)));
  const send = h("button", { type: "button", onclick: () => order(status, `Sent ${signal.value}.`, `jobs/${job.id}/signal`, { signal: signal.value }) }, "Send signal");
  fill(place,
    h("div", { class: "head" }, h("h1", { class: "mono" }, job.name ?? job.id), state(job.state),
      job.exitCode !== undefined ? h("span", { class: "muted" }, job.result ? ending(job.result) : `exit code ${job.exitCode}`) : null,
      h("span", { class: "grow" }), may ? [signal, job.state === "running" ? send : null, cancel] : null,
      h("a", { href: `#/compare${params({ left: job.id })}` }, "Compare \u2026")),
    job.result?.message ? note("bad", job.result.message) : null,
    job.waitsFor ? note("warn", "It waits.", job.waitsFor) : null);
  if (may && job.state !== "running") signal.remove();
}

const ending = (result) => (result.end === "exited" ? `exit code ${result.code}` : result.end === "killed" ? `killed by signal ${result.code}` : result.end === "notStarted" ? "not started" : "");

async function order(status, done, path, body) {
  try {
    await post(path, body);
    status.textContent = done;
  } catch (error) {
    status.textContent = `${error.title}: ${error.message}`;
  }
}

function confirm(job, status) {
  const dialog = h("dialog", { "aria-labelledby": "cancel-title", onclose: () => dialog.remove() },
    h("h2", { id: "cancel-title" }, "Cancel this job?"),
    h("p", { class: "mono" }, job.command),
    h("div", { class: "actions" }, h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "Let it run"),
      h("button", { type: "button", class: "danger", onclick: () => {
        dialog.close();
        order(status, "Asked it to end.", `jobs/${job.id}/cancel`);
      } }, "Cancel job")));
  document.body.append(dialog);
  dialog.showModal();
}

async function overview(body, head, job, caller, status) {
  const facts = h("div", null);
  const tree = h("div", null);
  const happened = h("div", null);
  const log = output(job, blob);
  body.append(h("div", { class: "columns" },
    h("div", null, log.element, h("h2", null, "Processes"), tree),
    h("div", null, facts, h("h2", null, "What happened"), happened)));
  const refresh = async () => {
    const next = await get(`jobs/${job.id}`);
    if (next.state !== job.state || next.attempts !== job.attempts) showHead(head, next, caller, status);
    job = next;
    showFacts(facts, job);
    showEvents(happened, job);
    await showProcesses(tree, job, caller, status);
  };
  await refresh();
  if (final(job.state)) return log.stop;
  let done = false;
  const stop = every(1000, async () => {
    if (done) return;
    try {
      await refresh();
      done = final(job.state);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  });
  return () => {
    stop();
    log.stop();
  };
}

function showFacts(place, job) {
  const usage = job.result?.usage;
  const between = (from, to) => (from && to ? span((new Date(to) - new Date(from)) / 1000) : "");
  const rows = [
    ["Identifier", h("span", { class: "mono" }, job.id)],
    ["Command", h("span", { class: "mono" }, job.job.command.map((word) => quote(text(word))).join(" "))],
    ["Node", job.node ?? "none yet"],
    ["Accepted", when(job.acceptedAt)],
    ["Queued for", between(job.acceptedAt, job.startedAt)],
    ["Ran for", between(job.startedAt, job.endedAt)],
    ["Attempts", job.attempts > 1 ? count(job.attempts) : ""],
    ["Labels", Object.entries(job.labels ?? {}).map(([name, value]) => h("a", { class: "chip", href: `#/jobs${params({ label: `${name}=${value}` })}`, title: `${name}=${value}` }, `${name}=${value}`))],
    ["For", platform(job)],
    ["Waits", job.waitsFor],
    ["Backend", [job.job.backend, job.job.backend === "emulated" ? `, ${job.job.engine}, ${job.job.clock} clock` : "", job.job.seed !== undefined ? `, seed ${job.job.seed}` : ""].join("")],
    ["Image", job.job.image],
    ["Working directory", job.job.workingDirectory],
    ["Memory limit", size(job.job.memory)],
    ["Peak memory", usage?.peakMemory ? size(usage.peakMemory) : ""],
    ["Instructions", usage?.instructions ? count(usage.instructions) : ""],
    ["Processes", usage?.processes ? count(usage.processes) : ""],
  ];
  fill(place, h("dl", { class: "facts" }, rows.filter(([, value]) => value !== undefined && value !== "" && value?.length !== 0).map(([name, value]) => [h("dt", null, name), h("dd", null, value)])));
}

const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function showEvents(place, job) {
  fill(place, table("Events", [["Time"], ["Event"], [""]], job.events.map((event) =>
    h("tr", null, h("td", { class: "fit muted" }, when(event.at)), h("td", { class: "fit" }, event.event), h("td", null, event.detail ?? "")))));
}

async function showProcesses(place, job, caller, status) {
  try {
    if (job.state === "running") fill(place, live(await get(`jobs/${job.id}/inspect`), job, caller, status));
    else if (final(job.state)) fill(place, await past(job));
    else fill(place, h("div", { class: "empty" }, "It has not started."));
  } catch (error) {
    if (!(error instanceof Failure) || error.status === 401) throw error;
    // Between two looks it may have ended.
    if (error.status !== 409) fill(place, h("div", { class: "empty" }, error.message));
    else if (!place.hasChildNodes()) fill(place, h("div", { class: "empty" }, "A job of this kind has no processes to look into."));
    return;
  }
  const tree = place.querySelector("[role=tree]");
  if (tree) roving(tree, "[role=treeitem]");
}

function live(world, job, caller, status) {
  const items = ordered(world.processes, (process) => process.pid, (process) => process.parentPid).map(([process, depth]) => {
    const command = process.command?.length ? process.command.map(quote).join(" ") : process.name;
    return item(depth, process.pid, command, [process.state, process.system ? `${process.system}/${process.processor}` : "", `${span(process.ageSeconds)} old`, caller.access !== "read" && process.state !== "zombie"
      ? h("button", { type: "button", tabindex: "-1", title: `Send TERM to process ${process.pid}`, onclick: () => order(status, `Sent TERM to process ${process.pid}.`, `jobs/${job.id}/signal`, { signal: "TERM", process: process.id }) }, "End")
      : null], (process.threads ?? []).slice(0, 20).map((thread) => `thread ${thread.tid} ${thread.name}: ${thread.state}${thread.call ? ` in ${thread.call}` : ""}${thread.deadlineSeconds !== undefined ? `, ${span(thread.deadlineSeconds)} to go` : ""}`));
  });
  return [h("ul", { role: "tree", "aria-label": "Processes" }, items), h("p", { class: "muted" }, `World time ${span(world.worldSeconds)}, ${count(world.instructions)} instructions, ${size(world.memoryBytes)} of memory`)];
}

async function past(job) {
  const trace = await get(`jobs/${job.id}/trace/summary`);
  const items = ordered(trace.processes, (process) => process.id, (process) => process.parent).slice(0, 200).map(([process, depth]) =>
    item(depth, process.id, process.arguments.length ? process.arguments.map(quote).join(" ") : process.name,
      [process.signal ? `killed by ${process.signal}` : process.exitCode !== undefined ? `exit ${process.exitCode}` : "ended with the job", process.system ? `${process.system}/${process.processor}` : "", time(process.end - process.start)], []));
  const blocked = trace.calls.reduce((sum, call) => sum + call.blocked, 0);
  const all = trace.calls.reduce((sum, call) => sum + call.time, 0);
  return [
    h("ul", { role: "tree", "aria-label": "Processes" }, items),
    trace.job.otherProcesses ? h("p", { class: "muted" }, `and ${many(trace.job.otherProcesses, "process")} more`) : null,
    trace.attempts?.length > 1 ? [h("h2", null, "Attempts"), attempts(job, "", trace.attempts)] : null,
    h("h2", null, "What stands out"),
    trace.findings.length ? h("ol", { class: "findings" }, trace.findings.map((finding) => h("li", null, finding))) : h("p", { class: "muted" }, "Nothing: no call is much slower than the others."),
    h("h2", null, "Calls"),
    h("p", { class: "muted" }, `${many(trace.job.calls, "call")}: ${time(all - blocked)} in the kernel, ${time(blocked)} waiting, over all threads. `, h("a", { href: `#/jobs/${job.id}/timeline` }, "Timeline"), ", ", h("a", { href: `#/jobs/${job.id}/latency` }, "latency")),
    trace.calls.length ? table("Calls", [["Call"], ["Calls", "number"], ["Failed", "number"], ["Time", "number"], ["Waiting", "number"], ["p50", "number"], ["p99", "number"], ["Longest", "number"]],
      trace.calls.slice(0, 12).map((call) => h("tr", null, h("td", { class: "mono" }, call.name), [count(call.count), count(call.errors), time(call.time), time(call.blocked), time(call.p50), time(call.p99), time(call.longest)].map((value) => h("td", { class: "number" }, value))))) : null,
  ];
}

/** Parents before their children, each with its depth. */
function ordered(processes, idOf, parentOf) {
  const ids = new Set(processes.map(idOf));
  const below = Map.groupBy(processes, (process) => (ids.has(parentOf(process)) && parentOf(process) !== idOf(process) ? parentOf(process) : null));
  const found = [];
  const visit = (process, depth) => {
    found.push([process, depth]);
    for (const child of below.get(idOf(process)) ?? []) visit(child, depth + 1);
  };
  for (const first of below.get(null) ?? []) visit(first, 0);
  return found;
}

const item = (depth, id, command, facts, threads) => h("li", { role: "treeitem", tabindex: "-1", "aria-level": String(depth + 1), class: `indent-${Math.min(5, depth)}` },
  h("span", { class: "muted" }, `${id} `), h("span", { class: "mono what" }, command), h("span", { class: "muted" }, facts.filter(Boolean).flatMap((fact) => [" \u00b7 ", fact])),
  threads.map((line) => h("span", { class: "thread mono" }, line)));
