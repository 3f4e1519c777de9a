// The node's HTTP API. A token, when the node wants one, stays in this tab's session storage.

const prefix = "/api/v1/";
const key = "vivarium-token";

export class Failure extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    [this.status, this.title] = [status, title];
  }
}

let tokenWanted = () => {};
let reached = () => {};

/** Whom to tell that a token is needed, and whether the node answers. */
export function watch(onTokenWanted, onReached) {
  [tokenWanted, reached] = [onTokenWanted, onReached];
}

export const setToken = (token) => (token ? sessionStorage.setItem(key, token) : sessionStorage.removeItem(key));
export const hasToken = () => sessionStorage.getItem(key) !== null;

async function send(path, options = {}) {
  const headers = new Headers(options.headers);
  const token = sessionStorage.getItem(key);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  let response;
  try {
    response = await fetch(prefix + path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    reached(false);
    throw new Failure(0, "The node cannot be reached", "It may have ended, or the network between is down. This page goes on asking.");
  }
  reached(true);
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401) tokenWanted(problem.detail);
  throw new Failure(response.status, problem.title ?? `Error ${response.status}`, problem.detail);
}

export const get = async (path, signal) => (await send(path, { signal })).json();

export const post = (path, body) => send(path, { method: "POST", ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }) });

export const blob = async (path) => (await send(path)).blob();

/** Server-sent events (EventSource cannot send a token): calls back with event and data, and goes on after a broken connection. */
export async function events(path, signal, onEvent) {
  let last = "";
  for (let pause = 500; ; pause = Math.min(8000, pause * 2)) {
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const reader = (await send(path, { headers, signal })).body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        rest += value;
        for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
          const message = parse(rest.slice(0, end));
          rest = rest.slice(end + 2);
          if (message.id) last = message.id;
          if (!message.event) continue;
          pause = 500;
          onEvent(message.event, JSON.parse(message.data));
          if (message.event === "end") return;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Failure && error.status >= 400 && error.status < 500) throw error;
    }
    if (signal.aborted) return;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function parse(block) {
  const message = { data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) message[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return message;
}
