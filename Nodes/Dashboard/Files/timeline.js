// One job's timeline: a row for each thread, calls as bars. The node folds what is too short to be seen; looking closer asks again.

import { get, Failure } from "./api.js";
import { h, fill, add, at, table, count, many, time, note, params, roving, every, final } from "./dom.js";
import { slowest } from "./latency.js";
import { Painter, rowHeight } from "./timeline-painter.js";

const shortestView = 40;
const bar = { start: 0, end: 1, count: 2, time: 3, blocked: 4, errors: 5, longest: 6, call: 7, other: 8, first: 9, last: 10 };

/** @param changed Is told the job when its state is another: a timeline follows a job that runs, to its end. */
export async function show(body, job, query, changed) {
  const view = new TimelineView(body, job);
  await view.open(query);
  if (!final(job.state)) view.follow(changed);
  return () => view.close();
}

class TimelineView {
  constructor(body, job) {
    [this.body, this.job] = [body, job];
    this.selected = null;
    this.stop = new AbortController();
    this.waker = null;
  }

  async open(query) {
    const call = query.get("call") === null ? null : await get(this.part(`calls/${query.get("call")}`));
    const first = await this.survey();
    const given = ["from", "to"].map((name) => Number(query.get(name) ?? NaN));
    this.view = call ? padded(call.start - 2 * Math.max(500, call.duration), call.start + 3 * Math.max(500, call.duration)) : given.every(Number.isFinite) && given[1] > given[0] ? given : this.run;
    if (call) this.mark(call.process, call.thread, call.index, call.index);
    this.view = this.inside(this.view);
    this.build();
    this.tell();
    this.take(first);
    this.listen();
    await this.load();
  }

  /** A part of the trace, of the attempt that is looked at. */
  part(name, values) {
    return `jobs/${this.job.id}/trace/${name}${params({ attempt: this.job.attempt, ...values })}`;
  }

  /** Looks at the whole run, as far as it is. */
  async survey() {
    const whole = await get(this.part("timeline", { from: 0, width: 1200 }), this.stop.signal);
    this.whole = whole;
    this.limits = [Math.min(whole.queued, 0), Math.max(whole.ended, 1)];
    this.run = padded(0, Math.max(whole.ended, 1));
    return whole;
  }

  get isWhole() {
    return this.view[0] <= this.run[0] && this.view[1] >= this.run[1];
  }

  /** While the job runs looks again and again: the whole run grows, and a view that reaches its end goes on with it. */
  follow(changed) {
    const stop = every(1000, async () => {
      try {
        const now = await get(`jobs/${this.job.id}`, this.stop.signal);
        const [isWhole, end] = [this.isWhole, this.run[1]];
        await this.survey();
        if (isWhole) this.view = this.run;
        else if (this.view[1] >= end) this.view = this.view.map((time) => time + this.run[1] - end);
        this.tell();
        if (!this.drag) await this.load();
        if (now.state !== this.job.state) changed(now);
        // What is told after its end is the whole.
        if (final(now.state)) stop();
        this.job = { ...now, attempt: this.job.attempt };
      } catch (error) {
        // Between its end and what is told of that there may be nothing.
        if (!(error instanceof Failure) && error.name !== "AbortError") throw error;
      }
    });
    this.stop.signal.addEventListener("abort", stop, { once: true });
  }

  close() {
    this.stop.abort();
    clearTimeout(this.timer);
    this.resizes?.disconnect();
  }

  build() {
    this.lost = h("div", null);
    this.corner = h("div", { class: "corner" });
    this.labels = h("div", { class: "labels" });
    this.lanes = h("canvas", { tabindex: "0", role: "application", "aria-label": "Timeline of calls. Arrow keys move among calls and rows, plus and minus zoom, Enter opens a run.", "aria-describedby": "timeline-detail" });
    this.axis = h("canvas", { "aria-hidden": "true" });
    this.tip = h("div", { class: "tip hidden" });
    this.detail = h("div", { class: "detail", id: "timeline-detail", "aria-live": "polite" });
    this.list = h("div", null);
    this.range = h("span", { class: "muted", role: "status" });
    this.scroller = h("div", { class: "body" }, this.labels, h("div", { class: "lanes" }, this.lanes));
    const button = (name, title, work) => h("button", { type: "button", title, onclick: work }, name);
    fill(this.body,
      this.lost,
      h("div", { class: "tools" },
        button("Zoom in", "Zoom in (+)", () => this.zoom(0.5)), button("Zoom out", "Zoom out (\u2212)", () => this.zoom(2)),
        button("Earlier", "Earlier (Shift+Left)", () => this.pan(-0.5)), button("Later", "Later (Shift+Right)", () => this.pan(0.5)),
        button("Whole run", "The whole run (0)", () => this.look(this.run)), button("With queue", "From its submission", () => this.look(padded(...this.limits))),
        h("span", { class: "grow" }), this.range),
      this.frame = h("div", { class: "timeline" },
        this.corner,
        h("div", { class: "axis" }, this.axis), this.scroller, this.tip),
      h("div", { class: "legend", "aria-hidden": "true" },
        h("span", null, h("i", { class: "busy" }), "a call"), h("span", null, h("i", { class: "blocked" }), "of that, waiting"),
        h("span", null, h("i", { class: "folded" }), "calls folded into one bar, filled as far as they fill the time"), h("span", null, h("i", { class: "failed" }), "failed")),
      this.detail, this.list);
    this.painter = new Painter(this.lanes, this.axis);
    this.showDetail();
  }

  /** How much there is. */
  tell() {
    const { processes, rows, moreThreads, records, lost } = this.whole;
    fill(this.corner, many(processes.length, "process"), h("br"), `${many(rows.length, "thread")}${moreThreads ? ` of ${count(rows.length + moreThreads)}` : ""}, ${many(records, "call")}`);
    fill(this.lost, lost ? note("warn", `The first ${count(lost)} records had to make room and cannot be looked at.`) : null);
  }

  listen() {
    const canvas = this.lanes;
    const options = { signal: this.stop.signal };
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { ...options, passive: false });
    canvas.addEventListener("keydown", (event) => this.onKey(event), options);
    canvas.addEventListener("pointerdown", (event) => this.onDown(event), options);
    canvas.addEventListener("pointermove", (event) => this.onMove(event), options);
    canvas.addEventListener("pointerleave", () => this.tip.classList.add("hidden"), options);
    canvas.addEventListener("dblclick", () => this.openBar(), options);
    this.axis.addEventListener("pointerdown", (event) => this.onAxis(event), options);
    this.axis.addEventListener("pointermove", (event) => event.buttons && this.onAxis(event), options);
    addEventListener("themechange", () => this.draw(), options);
    this.resizes = new ResizeObserver(() => {
      this.draw();
      this.soon();
    });
    this.resizes.observe(this.lanes.parentElement);
  }

  /** Rows: the job's own phases, then each process's threads; a process without recorded calls has a row as well. */
  take(data) {
    this.data = data;
    const threads = Map.groupBy(data.rows, (row) => row.process);
    const known = new Set(data.processes.map((process) => process.id));
    const rows = [{ kind: "job", bars: [] }];
    const depths = new Map();
    for (const process of data.processes) {
      const depth = depths.has(process.parent) ? depths.get(process.parent) + 1 : 0;
      depths.set(process.id, depth);
      const own = threads.get(process.id) ?? [{ process: process.id, thread: process.id, bars: [] }];
      own.forEach((row, i) => rows.push({ kind: "thread", about: process, depth, isFirst: i === 0, several: own.length > 1, ...row }));
    }
    for (const row of data.rows) if (!known.has(row.process)) rows.push({ kind: "thread", about: null, depth: 0, isFirst: true, ...row });
    const same = this.rows?.length === rows.length;
    this.rows = rows;
    if (!same) this.showLabels();
    this.draw();
  }

  showLabels() {
    fill(this.labels, this.rows.map((row) => {
      if (row.kind === "job") return h("div", null, h("span", { class: "name" }, "job"), h("span", { class: "muted" }, "phases"));
      const name = row.isFirst ? row.about?.name ?? "process" : `thread ${row.thread}`;
      const label = h("div", { title: row.about ? `${row.about.command.join(" ")}\nprocess ${row.process}, thread ${row.thread}: ${many(row.calls ?? 0, "call")}` : null, class: `indent-${Math.min(4, row.depth + (row.isFirst ? 0 : 1))}` },
        h("span", { class: "name" }, name), h("span", { class: "muted" }, row.isFirst ? row.process : ""));
      if (row.depth + (row.isFirst ? 0 : 1) === 0) label.className = "";
      return label;
    }));
  }

  draw() {
    if (!this.data) return;
    this.painter.draw(this);
    this.range.textContent = `${at(this.view[0])} to ${at(this.view[1])} (${time(this.view[1] - this.view[0])})`;
    const current = this.current();
    [...this.labels.children].forEach((label, i) => label.classList.toggle("current", i === current?.row));
  }

  /** A stretch inside the job's time. */
  inside([from, to]) {
    const [least, most] = padded(...this.limits);
    const width = Math.min(Math.max(shortestView, to - from), most - least);
    from = Math.min(Math.max(least, from), most - width);
    return [Math.round(from), Math.round(from + width)];
  }

  look(stretch) {
    this.view = this.inside(stretch);
    this.draw();
    this.soon();
  }

  zoom(factor, at) {
    const [from, to] = this.view;
    const chosen = this.current()?.bar;
    const middle = chosen ? (chosen[bar.start] + chosen[bar.end]) / 2 : NaN;
    const around = at ?? (middle > from && middle < to ? middle : (from + to) / 2);
    this.look([around - (around - from) * factor, around + (to - around) * factor]);
  }

  pan(share) {
    const by = (this.view[1] - this.view[0]) * share;
    this.look([this.view[0] + by, this.view[1] + by]);
  }

  /** Until the latest look is answered, what is shown is not what is looked at. */
  begin() {
    this.frame.ariaBusy = "true";
    return (this.looks = (this.looks ?? 0) + 1);
  }

  soon() {
    this.begin();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 80);
  }

  fail(error) {
    fill(this.list, note("bad", error.title ?? "This stretch cannot be shown.", error.message));
  }

  /** Shows what is looked at; a later look makes an earlier one's answers worthless. */
  async load() {
    const look = this.begin();
    try {
      await this.ask();
    } catch (error) {
      if (error.name !== "AbortError") this.fail(error);
    }
    if (look === this.looks) this.frame.ariaBusy = "false";
  }

  /** Asks for what is looked at, and half as much again on both sides. */
  async ask() {
    this.loading?.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    // The address of a run that goes on is that of all of it, not of as much as there was.
    const stretch = this.isWhole && !final(this.job.state) ? {} : { from: this.view[0], to: this.view[1] };
    history.replaceState(null, "", `#/jobs/${this.job.id}/timeline${params({ attempt: this.job.attempt, ...stretch })}`);
    this.stop.signal.addEventListener("abort", () => this.loading.abort(), { once: true, signal });
    const [from, to] = this.view;
    const margin = Math.ceil((to - from) / 4);
    const width = Math.max(200, this.lanes.clientWidth);
    const data = await get(this.part("timeline", { from: from - margin, to: to + margin, width: Math.round(width * 1.5) }), signal);
    this.take(data);
    this.keepSelection();
    if (this.shown !== this.shownNow()) this.showDetail();
    const { calls } = await get(this.part("calls", { from, to, slowest: true, limit: 8 }), signal);
    // What somebody walks through stays as it is.
    if (this.opened || this.list.contains(document.activeElement)) return;
    fill(this.list, h("h2", null, "Slowest calls in view"), calls.length ? slowest(this.job, calls) : h("div", { class: "empty" }, "No call was under way in this time."));
    const rows = this.list.querySelector("tbody");
    if (rows) roving(rows, "tr");
  }

  /** Where the selection is among what is shown now. */
  current() {
    if (!this.selected || !this.rows) return null;
    const { process, thread, index } = this.selected;
    const row = this.rows.findIndex((row) => row.process === process && row.thread === thread);
    if (row < 0) return null;
    const found = this.rows[row].bars.find((one) => one[bar.first] <= index && index <= one[bar.last]);
    return found ? { row, bar: found } : null;
  }

  /** Selects calls by their places among all: they stay selected however they are folded. */
  mark(process, thread, first, last) {
    [this.opened, this.waker] = [false, null];
    this.selected = { process, thread, index: first, last };
  }

  /** Of a selected run that was opened, what is in the middle of the view stays selected. */
  keepSelection() {
    if (!this.selected) return;
    const { process, thread, index, last } = this.selected;
    const own = this.current()?.bar;
    if (own) {
      if (own[bar.count] === 1 && index !== last) this.mark(process, thread, index, index);
      return;
    }
    const middle = (this.view[0] + this.view[1]) / 2;
    const distance = (one) => Math.max(0, one[bar.start] - middle, middle - one[bar.end]);
    const parts = this.rows.find((row) => row.process === process && row.thread === thread)?.bars.filter((one) => one[bar.first] >= index && one[bar.last] <= last) ?? [];
    if (parts.length === 0) return;
    const next = parts.reduce((best, one) => (distance(one) < distance(best) ? one : best));
    this.mark(process, thread, next[bar.first], next[bar.last]);
    this.draw();
  }

  /** What the details must be of. */
  shownNow() {
    const one = this.current()?.bar;
    if (!one) return "";
    const { index, last } = this.selected;
    return index === last ? String(index) : `${one[bar.first]}-${one[bar.last]}`;
  }

  select(row, chosen) {
    if (chosen) this.mark(this.rows[row].process, this.rows[row].thread, chosen[bar.first], chosen[bar.last]);
    else [this.opened, this.waker, this.selected] = [false, null, null];
    if (chosen) {
      const [from, to] = this.view;
      if (chosen[bar.end] < from || chosen[bar.start] > to) {
        const middle = (chosen[bar.start] + chosen[bar.end]) / 2;
        this.look([middle - (to - from) / 2, middle + (to - from) / 2]);
      }
      const top = row * rowHeight;
      if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
      else if (top + rowHeight > this.scroller.scrollTop + this.scroller.clientHeight) this.scroller.scrollTop = top + rowHeight - this.scroller.clientHeight;
    }
    this.draw();
    this.showDetail();
  }

  name(one) {
    const call = this.data.calls[one[bar.call]];
    if (one[bar.count] === 1) return call;
    return `${call}${one[bar.other] >= 0 ? `, ${this.data.calls[one[bar.other]]} \u2026` : ""} \u00d7${count(one[bar.count])}`;
  }

  /** The selection, as text: what screen readers are told, and what cannot be seen in a bar. */
  async showDetail() {
    const current = this.current();
    this.shown = this.shownNow();
    if (!current) {
      fill(this.detail, h("p", { class: "muted" }, "Select a call or a run of calls: click it, or use the arrow keys. The wheel, + and \u2212 zoom; a closer look opens runs into single calls."));
      return;
    }
    const { bar: one, row } = current;
    const who = this.rows[row].about?.name ?? "process";
    const where = `${who} (${this.rows[row].process}${this.rows[row].thread === this.rows[row].process ? "" : `, thread ${this.rows[row].thread}`}), at ${at(one[bar.start])}`;
    const { index, last } = this.selected;
    if (index !== last) {
      fill(this.detail, h("p", { class: "call" }, this.name(one)), facts([
        ["Where", where], ["Lasts", time(one[bar.end] - one[bar.start])], ["In calls", time(one[bar.time])], ["Waiting", one[bar.blocked] ? time(one[bar.blocked]) : "none"],
        ["Longest", time(one[bar.longest])], ["Failed", one[bar.errors] ? count(one[bar.errors]) : "none"]]),
      h("div", { class: "tools" }, h("button", { type: "button", onclick: () => this.openBar() }, "Look closer"), h("button", { type: "button", onclick: () => this.listCalls(one, this.rows[row]) }, "List its calls")));
      return;
    }
    const isAlone = one[bar.count] === 1;
    if (isAlone) fill(this.detail, h("p", { class: "call" }, this.name(one)), facts([["Where", where], ["Took", time(one[bar.time])], ["Waited", one[bar.blocked] ? time(one[bar.blocked]) : "not at all"]]));
    const call = await get(this.part(`calls/${index}`), this.stop.signal).catch(() => null);
    if (!call || this.shown !== String(index)) return;
    this.waker = call.wokenBy ?? null;
    fill(this.detail, h("p", { class: "call" }, call.text), facts([
      ["Where", isAlone ? where : `${who} (${call.process}), at ${at(call.start)}, in a bar of ${many(one[bar.count], "call")}`], ["Took", time(call.duration)],
      ["Waited", call.blocked ? [`${time(call.blocked)} for ${call.waitedFor}`, call.wokenBy ? [", until ", h("button", { type: "button", onclick: () => this.goTo(call.wokenBy) }, `${call.wokenBy.name} of process ${call.wokenBy.process}`)] : null] : "not at all"],
      call.error ? ["Error", call.error] : null, call.file ? ["File", call.file] : null].filter(Boolean)));
    this.draw();
  }

  goTo(call) {
    const row = this.rows.findIndex((row) => row.process === call.process && row.thread === call.thread);
    this.mark(call.process, call.thread, call.index, call.index);
    const [from, to] = this.view;
    if (call.start < from || call.start > to) this.look([call.start - (to - from) / 2, call.start + (to - from) / 2]);
    if (row >= 0) this.scroller.scrollTop = Math.max(0, row * rowHeight - 60);
    this.draw();
    this.showDetail();
    this.lanes.focus();
  }

  async listCalls(one, row, after) {
    this.opened = true;
    const page = await get(this.part("calls", { first: one[bar.first], last: one[bar.last], process: row.process, thread: row.thread, limit: 200, after }), this.stop.signal);
    const lines = page.calls.map((call) => h("tr", { tabindex: "-1" }, h("td", { class: "number" }, at(call.start)), h("td", { class: "number" }, time(call.duration)), h("td", { class: "number" }, call.blocked ? time(call.blocked) : ""), h("td", { class: "mono" }, call.text)));
    if (after === undefined) fill(this.list, h("h2", null, this.name(one)), table("Calls of the run", [["At", "number"], ["Duration", "number"], ["Waited", "number"], ["Call"]], lines, { class: "rows" }));
    else add(this.list.querySelector("tbody"), lines);
    this.list.querySelector("button.more")?.remove();
    if (page.next !== undefined) this.list.append(h("button", { type: "button", class: "more", onclick: () => this.listCalls(one, row, page.next) }, "More"));
    if (after === undefined) roving(this.list.querySelector("tbody"), "tr");
  }

  /** Looks at the selected bar so closely that it is the most of the view. */
  openBar() {
    const one = this.current()?.bar;
    if (!one) return;
    const [from, to] = [one[bar.start], one[bar.end]];
    const room = Math.max(20, (to - from) * (one[bar.count] > 1 ? 0.02 : 1));
    this.look([from - room, to + room]);
  }

  timeAt(x) {
    return this.view[0] + (x / Math.max(1, this.lanes.clientWidth)) * (this.view[1] - this.view[0]);
  }

  barAt(event) {
    const box = this.lanes.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const row = Math.floor(y / rowHeight);
    const near = (2 * (this.view[1] - this.view[0])) / Math.max(1, box.width);
    const at = this.timeAt(x);
    const found = this.rows[row]?.bars.find((one) => one[bar.start] - near <= at && at <= one[bar.end] + near);
    return { row, bar: found ?? null, x, y };
  }

  onWheel(event) {
    event.preventDefault();
    const amount = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan((event.deltaX || amount) / 800);
    else this.zoom(Math.exp(Math.max(-300, Math.min(300, amount)) / 300), this.timeAt(event.offsetX));
  }

  onDown(event) {
    if (event.button !== 0) return;
    this.drag = { x: event.clientX, view: this.view, moved: false };
    this.lanes.setPointerCapture(event.pointerId);
    addEventListener("pointerup", (up) => {
      if (!this.drag.moved) {
        const { row, bar: found } = this.barAt(up);
        this.select(row, found);
      }
      this.drag = null;
    }, { once: true, signal: this.stop.signal });
  }

  onMove(event) {
    if (this.drag) {
      const by = ((event.clientX - this.drag.x) / this.lanes.clientWidth) * (this.drag.view[1] - this.drag.view[0]);
      this.drag.moved ||= Math.abs(event.clientX - this.drag.x) > 3;
      if (this.drag.moved) this.look([this.drag.view[0] - by, this.drag.view[1] - by]);
      return;
    }
    const { bar: one, row, x, y } = this.barAt(event);
    this.tip.classList.toggle("hidden", !one);
    if (!one) return;
    fill(this.tip, this.name(one), h("br"), one[bar.count] > 1 ? `${time(one[bar.end] - one[bar.start])}, of that ${time(one[bar.time])} in calls` : time(one[bar.time]),
      one[bar.blocked] ? `, ${time(one[bar.blocked])} waiting` : "", one[bar.errors] ? (one[bar.count] > 1 ? `, ${count(one[bar.errors])} failed` : ", failed") : "");
    const frame = this.scroller.getBoundingClientRect();
    const lanes = this.lanes.getBoundingClientRect();
    this.tip.style.left = `${Math.min(x + 222, frame.width - this.tip.offsetWidth - 4)}px`;
    const below = 58 + (row + 1) * rowHeight + (lanes.top - frame.top) + 6;
    this.tip.style.top = `${y < 0 ? 0 : below}px`;
  }

  /** In the overview at the top: looks there. */
  onAxis(event) {
    const box = this.axis.getBoundingClientRect();
    if (event.type === "pointerdown") this.axis.setPointerCapture(event.pointerId);
    const [least, most] = padded(...this.limits);
    const at = least + ((event.clientX - box.left) / box.width) * (most - least);
    const half = (this.view[1] - this.view[0]) / 2;
    this.look([at - half, at + half]);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), w: () => this.zoom(0.5), "-": () => this.zoom(2), s: () => this.zoom(2),
      a: () => this.pan(-0.25), d: () => this.pan(0.25), 0: () => this.look(this.run), Enter: () => this.openBar(), Escape: () => this.select(0, null),
      ArrowLeft: () => (event.shiftKey ? this.pan(-0.25) : this.step(-1)), ArrowRight: () => (event.shiftKey ? this.pan(0.25) : this.step(1)),
      ArrowUp: () => this.stepRow(-1), ArrowDown: () => this.stepRow(1), Home: () => this.end(0), End: () => this.end(-1),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }

  step(by) {
    const at = this.current();
    if (!at) {
      this.stepRow(1);
      return;
    }
    const bars = this.rows[at.row].bars;
    const next = bars[bars.indexOf(at.bar) + by];
    if (next) this.select(at.row, next);
  }

  stepRow(by) {
    const at = this.current();
    const [from, to] = this.view;
    const near = at ? (Math.max(from, at.bar[bar.start]) + Math.min(to, at.bar[bar.end])) / 2 : from;
    for (let row = (at?.row ?? 0) + by; row >= 0 && row < this.rows.length; row += by) {
      if (this.rows[row].bars.length === 0) continue;
      const distance = (one) => Math.max(0, one[bar.start] - near, near - one[bar.end]);
      this.select(row, this.rows[row].bars.reduce((best, one) => (distance(one) < distance(best) ? one : best)));
      return;
    }
  }

  end(place) {
    const row = this.current()?.row ?? this.rows.findIndex((row) => row.bars.length > 0);
    const found = this.rows[row]?.bars.at(place);
    if (found) this.select(row, found);
  }
}

const facts = (rows) => h("dl", { class: "facts" }, rows.map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));

function padded(from, to) {
  const margin = Math.max(10, Math.round((to - from) * 0.015));
  return [Math.floor(from - margin), Math.ceil(to + margin)];
}
