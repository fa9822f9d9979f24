// Everything the page says to the lab: Web API methods as a person, the lab's own doors, and the two streams.

/** Calls a Web API method as the owner of `token`; never throws, an unreachable lab is an error like another. */
export async function call(method, token, args = {}) {
  return post(`/api/${method}`, args, { Authorization: `Bearer ${token}` });
}

/** Posts to one of the lab's own doors: "datacentre", "slack", "bot" or "speed". */
export async function order(door, request) {
  return post(`/lab/${door}`, request, {});
}

async function post(path, body, headers) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json; charset=utf-8", ...headers },
      body: JSON.stringify(body),
    });
    return await response.json();
  } catch {
    return { ok: false, error: "lab_unreachable" };
  }
}

/** Who is here: { team, people, channels, command, bot }. */
export async function loadPeople() {
  const response = await fetch("/lab/people");
  return response.json();
}

/** The bot's commands: [{ word, usage, help, example }]. */
export async function loadCommands() {
  return (await get("/lab/commands")).commands ?? [];
}

/** The XAPI calls and struck faults numbered above `since`. */
export async function loadCalls(since) {
  return (await get(`/lab/calls?since=${since}`)).entries ?? [];
}

/** What each door of the lab understands, as JSON Schema: { datacentre: { schema, methods }, slack: { … } }. */
export async function loadControls() {
  return (await get("/lab/controls")).doors ?? {};
}

/** What is armed and switched on Slack's side, and what can be; null where the lab does not tell. */
export async function loadWorkplace() {
  const answer = await get("/lab/slack");
  return answer.ok ? answer : null;
}

async function get(path) {
  try {
    const response = await fetch(path);
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
}

/** Follows a stream of server-sent events until the returned function is called. */
export function follow(path, handlers, onState) {
  const source = new EventSource(path);
  source.onopen = () => onState?.(true);
  source.onerror = () => onState?.(false);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handle(event.data));
  }
  return () => source.close();
}
