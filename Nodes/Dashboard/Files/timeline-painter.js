// Paints a timeline: the rows' bars, and above them the overview and the scale.

import { time } from "./dom.js";

export const rowHeight = 24;
const [barTop, barHeight] = [4, 15];
const [overviewTop, overviewHeight] = [4, 20];
const bar = { start: 0, end: 1, count: 2, time: 3, blocked: 4, errors: 5, call: 7, other: 8, first: 9, last: 10 };

export class Painter {
  constructor(lanes, axis) {
    [this.lanes, this.axis] = [lanes, axis];
  }

  draw(view) {
    this.colours();
    const width = this.axis.parentElement.clientWidth;
    const inner = this.lanes.parentElement.clientWidth;
    this.drawAxis(resize(this.axis, width, 58), inner, view);
    this.drawRows(resize(this.lanes, inner, view.rows.length * rowHeight), inner, view);
  }

  /** The page's colours, so that both themes are the style sheet's matter alone. */
  colours() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const names = ["page", "raised", "sunken", "line", "line-strong", "text", "muted", "busy", "bad", "idle", "accent", "accent-soft", "warn"];
    const next = Object.fromEntries(names.map((name) => [name, colour(name)]));
    if (this.colour?.page === next.page && this.colour?.busy === next.busy) return;
    this.colour = next;
    this.hatch = hatch(next.idle);
    this.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  }

  drawAxis(context, width, { view, whole, limits }) {
    const { colour } = this;
    const [least, most] = padded(...limits);
    context.fillStyle = colour.sunken;
    context.fillRect(0, overviewTop, width, overviewHeight);
    this.drawOverview(context, width, whole, least, most);
    const x = (at) => ((at - least) / (most - least)) * width;
    const [from, to] = [x(view[0]), Math.max(x(view[0]) + 2, x(view[1]))];
    context.fillStyle = colour.page;
    context.globalAlpha = 0.55;
    context.fillRect(0, overviewTop, from, overviewHeight);
    context.fillRect(to, overviewTop, width - to, overviewHeight);
    context.globalAlpha = 1;
    context.strokeStyle = colour.accent;
    context.strokeRect(Math.round(from) + 0.5, overviewTop + 0.5, Math.max(1, Math.round(to - from) - 1), overviewHeight - 1);
    context.font = this.font;
    context.fillStyle = colour.muted;
    context.textBaseline = "middle";
    for (const [at, label] of ticks(view, width)) {
      const place = Math.round(((at - view[0]) / (view[1] - view[0])) * width);
      context.fillStyle = colour["line-strong"];
      context.fillRect(place, 50, 1, 8);
      context.fillStyle = colour.muted;
      const half = context.measureText(label).width / 2;
      context.fillText(label, Math.min(Math.max(2, place - half), width - 2 * half - 2), 40);
    }
  }

  /** How busy the job's calls were over its whole time. */
  drawOverview(context, width, whole, least, most) {
    const busy = new Float64Array(Math.max(1, Math.ceil(width / 2)));
    const step = (most - least) / busy.length;
    for (const row of whole.rows)
      for (const one of row.bars) {
        const share = (one[bar.time] - one[bar.blocked]) / Math.max(1, one[bar.end] - one[bar.start]);
        const first = Math.max(0, Math.floor((one[bar.start] - least) / step));
        const last = Math.min(busy.length - 1, Math.floor((one[bar.end] - least) / step));
        for (let i = first; i <= last; i++) {
          const part = Math.min(one[bar.end], least + (i + 1) * step) - Math.max(one[bar.start], least + i * step);
          busy[i] += (share * Math.max(0, part)) / step;
        }
      }
    context.fillStyle = this.colour.busy;
    busy.forEach((value, i) => {
      const height = value > 0 ? Math.max(1, Math.min(1, value) * (overviewHeight - 2)) : 0;
      context.fillRect(i * 2, overviewTop + overviewHeight - 1 - height, 2, height);
    });
  }

  drawRows(context, width, timeline) {
    const { rows, view } = timeline;
    const x = (at) => ((at - view[0]) / (view[1] - view[0])) * width;
    context.fillStyle = this.colour.line;
    for (const [at] of ticks(view, width)) context.fillRect(Math.round(x(at)), 0, 1, rows.length * rowHeight);
    context.font = this.font;
    context.textBaseline = "middle";
    rows.forEach((row, i) => {
      const top = i * rowHeight;
      context.fillStyle = this.colour.line;
      context.fillRect(0, top + rowHeight - 1, width, 1);
      if (row.kind === "job") this.drawPhases(context, width, timeline, x);
      else {
        if (row.about) this.drawLife(context, width, top, x(row.about.start), x(row.about.end));
        for (const one of row.bars) if (one[bar.end] >= view[0] && one[bar.start] <= view[1]) this.drawBar(context, width, top, one, x, timeline);
      }
    });
    this.drawSelection(context, width, timeline, x);
  }

  drawPhases(context, width, { whole }, x) {
    const phases = [["queue", whole.queued, whole.started], ["start", whole.started, 0], ["run", 0, whole.ended]];
    for (const [name, start, end] of phases) {
      const [from, to] = [Math.max(-1, x(start)), Math.min(width + 1, x(end))];
      if (to <= from) continue;
      context.fillStyle = this.colour.sunken;
      context.fillRect(from, barTop, to - from, barHeight);
      context.strokeStyle = this.colour["line-strong"];
      context.strokeRect(Math.round(from) + 0.5, barTop + 0.5, Math.max(1, Math.round(to - from) - 1), barHeight - 1);
      this.write(context, `${name}  ${time(end - start)}`, from, to, barTop, this.colour.muted);
    }
  }

  drawLife(context, width, top, from, to) {
    [from, to] = [Math.max(0, from), Math.min(width, to)];
    if (to < from) return;
    context.fillStyle = this.colour.sunken;
    context.fillRect(from, top + 1, Math.max(1, to - from), rowHeight - 3);
  }

  drawBar(context, width, rowTop, one, x, timeline) {
    const top = rowTop + barTop;
    const [start, end] = [x(one[bar.start]), x(one[bar.end])];
    const [from, to] = [Math.max(-2, start), Math.min(width + 2, Math.max(start + 1, end))];
    const shown = to - from;
    const lasts = Math.max(1, one[bar.end] - one[bar.start]);
    const { colour } = this;
    if (one[bar.count] === 1) {
      // When in a call it waited is not recorded; most do at its beginning.
      const split = Math.min(to, Math.max(from, start + (end - start) * (one[bar.blocked] / lasts)));
      this.drawBlocked(context, from, top, split - from, barHeight);
      context.fillStyle = one[bar.errors] ? colour.bad : colour.busy;
      if (to - split > 0.3 || split === from) context.fillRect(split, top, Math.max(1, to - split), barHeight);
    } else {
      const [busy, blocked] = [Math.min(1, (one[bar.time] - one[bar.blocked]) / lasts), Math.min(1, one[bar.blocked] / lasts)];
      context.globalAlpha = 0.28;
      context.fillStyle = colour.busy;
      context.fillRect(from, top, shown, barHeight);
      context.globalAlpha = 1;
      const solid = Math.max(2, Math.round(busy * barHeight));
      context.fillRect(from, top + barHeight - solid, shown, solid);
      const waits = Math.min(barHeight - solid, Math.round(blocked * barHeight));
      if (waits > 1) this.drawBlocked(context, from, top + barHeight - solid - waits, shown, waits);
      if (one[bar.errors]) {
        context.fillStyle = colour.bad;
        context.fillRect(from, top, shown, 2);
      }
    }
    const hatched = one[bar.blocked] / lasts > 0.5;
    const isFull = one[bar.count] === 1 ? !hatched : (one[bar.time] - one[bar.blocked]) / lasts > 0.6;
    this.write(context, timeline.name(one), from, to, top, isFull ? colour.page : colour.text, hatched ? colour.page : null);
  }

  drawBlocked(context, left, top, width, height) {
    if (width <= 0) return;
    context.fillStyle = this.hatch;
    context.fillRect(left, top, width, height);
    if (width < 3 || height < 3) return;
    context.strokeStyle = this.colour.idle;
    context.strokeRect(Math.round(left) + 0.5, top + 0.5, Math.max(1, Math.round(width) - 1), height - 1);
  }

  /** A name inside its bar, if there is room for enough of it. */
  write(context, text, from, to, top, colour, behind) {
    const room = Math.min(to, this.lanes.clientWidth) - Math.max(0, from) - 8;
    if (room < 24) return;
    let shown = text;
    if (context.measureText(shown).width > room) {
      let length = Math.floor((text.length * room) / context.measureText(text).width);
      while (length > 2 && context.measureText(text.slice(0, length) + "\u2026").width > room) length--;
      if (length < 3) return;
      shown = text.slice(0, length) + "\u2026";
    }
    const left = Math.max(0, from) + 4;
    if (behind) {
      context.fillStyle = behind;
      context.fillRect(left - 2, top + 2, context.measureText(shown).width + 4, barHeight - 4);
    }
    context.fillStyle = colour;
    context.fillText(shown, left, top + barHeight / 2 + 0.5);
  }

  drawSelection(context, width, timeline, x) {
    const at = timeline.current();
    if (!at) return;
    const top = at.row * rowHeight + barTop;
    const [from, to] = [x(at.bar[bar.start]), x(at.bar[bar.end])];
    context.strokeStyle = this.colour.text;
    context.lineWidth = 2;
    context.strokeRect(Math.max(-4, from - 1), top - 2, Math.min(width + 8, Math.max(3, to - from + 2)), barHeight + 4);
    context.lineWidth = 1;
    const { waker } = timeline;
    const row = waker ? timeline.rows.findIndex((row) => row.process === waker.process && row.thread === waker.thread) : -1;
    if (row < 0) return;
    // From the call that ended the wait to the one that waited.
    const [x1, y1, x2, y2] = [x(waker.start + waker.duration), row * rowHeight + barTop + barHeight / 2, Math.min(width, to), top + barHeight / 2];
    context.strokeStyle = this.colour.warn;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x1, y1);
    context.bezierCurveTo(x1 - 24, y1, x2 + 24, y2, x2, y2);
    context.stroke();
    context.fillStyle = this.colour.warn;
    context.beginPath();
    context.arc(x2, y2, 3, 0, 7);
    context.arc(x1, y1, 2.5, 0, 7);
    context.fill();
    context.lineWidth = 1;
  }
}

function resize(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

function hatch(colour) {
  const tile = document.createElement("canvas");
  [tile.width, tile.height] = [6, 6];
  const context = tile.getContext("2d");
  context.strokeStyle = colour;
  context.lineWidth = 1.3;
  context.beginPath();
  for (const shift of [-6, 0, 6]) {
    context.moveTo(shift, 6);
    context.lineTo(shift + 6, 0);
  }
  context.stroke();
  return context.createPattern(tile, "repeat");
}

/** Round times about a hundred points apart, with their names. */
export function ticks([from, to], width) {
  const rough = ((to - from) / Math.max(1, width)) * 110;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((part) => part * power).find((step) => step >= rough));
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push([at, label(at, step)]);
  return found;
}

/** As many digits as neighbours need to differ. */
function label(at, step) {
  const [unit, name] = Math.abs(at) >= 1e9 || step >= 1e9 ? [1e9, "s"] : Math.abs(at) >= 1e6 || step >= 1e6 ? [1e6, "ms"] : Math.abs(at) >= 1e3 || step >= 1e3 ? [1e3, "\u00b5s"] : [1, "ns"];
  const places = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
  return `${at < 0 ? "\u2212" : "+"}${(Math.abs(at) / unit).toFixed(places)} ${name}`;
}

function padded(from, to) {
  const margin = Math.max(10, Math.round((to - from) * 0.015));
  return [Math.floor(from - margin), Math.ceil(to + margin)];
}
