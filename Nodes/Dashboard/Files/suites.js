// Suites: runs of many cases, and the matrix of one.

import { get, Failure } from "./api.js";
import { h, fill, note } from "./dom.js";

export async function show(main) {
  main.append(h("div", { class: "head" }, h("h1", null, "Suites")));
  main.append(note("", "No suite has run here.", "viv test SUITE.yaml --node runs one on the cluster."));
  return null;
}
