// The cluster: its nodes, what each runs and holds, who owns which shard.

import { get, post } from "./api.js";
import { h, fill, table, state, count, many, size, span, when, every, note, params, roving } from "./dom.js";

const kinds = 8;

export async function show(main, { caller }) {
  const figures = h("div", { class: "figures" });
  const nodes = h("div", null);
  const shards = h("div", null);
  const own = h("div", null);
  const trouble = h("div", null);
  main.append(h("div", { class: "head" }, h("h1", null, "Cluster")), trouble, figures, nodes, h("h2", null, "Shards"), shards, h("h2", null, "This node"), own);
  const refresh = async () => {
    try {
      const [list, map, stats] = await Promise.all([get("nodes"), get("shards"), get("stats")]);
      fill(trouble);
      showFigures(figures, list.nodes, map.shards, stats);
      showNodes(nodes, list.nodes, map.shards, caller, refresh);
      showShards(shards, list.nodes, map.shards);
      showOwn(own, stats);
    } catch (error) {
      fill(trouble, note("bad", error.title ?? "The cluster cannot be shown.", error.message, "What is below was told before."));
      if (error.status === 401) throw error;
    }
  };
  await refresh();
  return every(2000, refresh);
}

function showFigures(place, nodes, shards, stats) {
  const here = nodes.filter((node) => node.isMember);
  const running = here.reduce((sum, node) => sum + node.running, 0);
  const capacity = here.reduce((sum, node) => sum + node.capacity, 0);
  const figure = (value, name, href) => h(href ? "a" : "div", href ? { href } : null, h("b", null, value), h("span", null, name));
  const jobs = (name, word) => figure(count(stats.jobs[name]), word ?? name, `#/jobs${params({ state: name })}`);
  fill(place, figure(count(here.length), here.length === 1 ? "node" : "nodes"), figure(`${count(running)} / ${count(capacity)}`, "running / room"),
    jobs("queued"), stats.jobs.waiting ? jobs("waiting") : null, jobs("running"), jobs("succeeded"), jobs("failed"),
    stats.jobs.timedOut ? jobs("timedOut", "timed out") : null, stats.jobs.cancelled ? jobs("cancelled") : null,
    figure(`${count(shards.filter((shard) => shard.owner).length)} / ${count(shards.length)}`, "shards owned"));
}

const colour = (nodes, name) => `owner-${Math.max(0, nodes.findIndex((node) => node.name === name)) % kinds}`;

function showNodes(place, nodes, shards, caller, refresh) {
  const held = (name) => shards.filter((shard) => shard.owner === name).map((shard) => shard.shard);
  const focused = place.contains(document.activeElement) ? document.activeElement.closest("tr")?.dataset.node : null;
  const rows = nodes.map((node) => {
    const word = !node.isMember ? "left" : node.isDraining ? "draining" : "running";
    return h("tr", { tabindex: "-1", "data-node": node.name },
      h("td", { class: "fit" }, h("span", { class: `swatch ${colour(nodes, node.name)}` }), node.name),
      h("td", { class: "fit" }, h("span", { class: `state ${word === "left" ? "cancelled" : word === "running" ? "succeeded" : word}` }, word === "running" ? "member" : word)),
      h("td", { class: "nowrap" }, meter(node.running, node.capacity), `${count(node.running)} / ${count(node.capacity)}`),
      h("td", { class: "number" }, count(node.cores)),
      h("td", { class: "number" }, size(node.memory)),
      h("td", null, node.platforms.map((platform) => h("span", { class: "chip" }, `${platform.operatingSystem}/${platform.architecture}`)), node.backends.includes("native") ? h("span", { class: "chip" }, `native ${node.operatingSystem}/${node.architecture}`) : null),
      h("td", null, Object.entries(node.labels).map(([name, value]) => h("span", { class: "chip" }, `${name}=${value}`))),
      h("td", { title: ranges(held(node.name)) }, h("span", { class: "nowrap" }, many(node.shards, "shard")), h("span", { class: "muted" }, node.shards ? ` ${cut(ranges(held(node.name)))}` : "")),
      h("td", { class: "nowrap muted" }, when(node.seenAt)),
      h("td", { class: "fit" }, h("a", { href: `#/jobs${params({ node: node.name })}` }, "jobs"),
        caller.access === "admin" && node.isMember && !node.isDraining ? [" ", h("button", { type: "button", onclick: () => drain(node.name, refresh) }, "Drain")] : null));
  });
  fill(place, table("Nodes", [["Node"], ["State"], ["Load"], ["Cores", "number"], ["Memory", "number"], ["Runs"], ["Labels"], ["Shards"], ["Seen"], [""]], rows, { class: "rows" }));
  roving(place.querySelector("tbody"), "tr");
  if (focused) place.querySelector(`tr[data-node="${CSS.escape(focused)}"]`)?.focus();
}

function drain(name, refresh) {
  const dialog = h("dialog", { "aria-labelledby": "drain-title", onclose: () => dialog.remove() },
    h("h2", { id: "drain-title" }, `Drain node ${name}?`),
    h("p", null, "It starts nothing new, waits for what runs, hands its shards over and ends."),
    h("div", { class: "actions" }, h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "Keep it"),
      h("button", { type: "button", class: "danger", onclick: async () => {
        await post(`nodes/${encodeURIComponent(name)}/drain`).catch((error) => fill(dialog, note("bad", error.title, error.message)));
        dialog.close();
        refresh();
      } }, "Drain")));
  document.body.append(dialog);
  dialog.showModal();
}

function meter(value, most) {
  const bar = h("i", null);
  bar.style.width = `${most ? Math.min(100, (100 * value) / most) : 0}%`;
  return h("span", { class: "meter", role: "meter", "aria-label": "load", "aria-valuemin": "0", "aria-valuemax": most, "aria-valuenow": value }, bar);
}

const cut = (text) => (text.length > 40 ? text.slice(0, 39) + "\u2026" : text);

/** 0-3, 7, 9-12. */
function ranges(numbers) {
  const parts = [];
  for (let i = 0; i < numbers.length; ) {
    let end = i;
    while (numbers[end + 1] === numbers[end] + 1) end++;
    parts.push(end > i ? `${numbers[i]}\u2013${numbers[end]}` : `${numbers[i]}`);
    i = end + 1;
  }
  return parts.join(", ");
}

function showShards(place, nodes, shards) {
  const names = [...new Set(shards.map((shard) => shard.owner).filter(Boolean))];
  fill(place,
    h("div", { class: "shards", role: "list", "aria-label": "Shards and their owners" }, shards.map((shard) =>
      h("span", { role: "listitem", class: shard.owner ? colour(nodes, shard.owner) : "nobody", title: `shard ${shard.shard}: ${shard.owner ?? "nobody\u2019s"}, epoch ${shard.epoch}` }, shard.shard))),
    h("div", { class: "legend" }, names.map((name) => h("span", null, h("span", { class: `swatch ${colour(nodes, name)}` }), `${name} (${shards.filter((shard) => shard.owner === name).length})`)),
      shards.some((shard) => !shard.owner) ? h("span", null, h("span", { class: "swatch nobody" }), "nobody\u2019s") : null));
}

function showOwn(place, stats) {
  fill(place, h("dl", { class: "facts" },
    h("dt", null, "Name"), h("dd", null, `${stats.node}, version ${stats.version}`),
    h("dt", null, "Up"), h("dd", null, span(stats.uptimeSeconds)),
    h("dt", null, "Processor time"), h("dd", null, span(stats.processorSeconds)),
    h("dt", null, "Memory"), h("dd", null, size(stats.residentMemory)),
    h("dt", null, "Translator"), h("dd", null, `${many(stats.translator.blocks, "block")}, ${size(stats.translator.bytes)} of code, ${count(stats.translator.hits)} found again`)));
}
