// Requests to the host this page came from.

/** What the host refused, or that it could not be asked (then without a status). */
export class Refusal extends Error {
  constructor(message, { status, code, body, cause } = {}) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

/** Sends a request with a JSON body, if there is one, and returns the JSON that it is answered with. */
export async function ask(method, path, body) {
  let response, text;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await response.text();
  } catch (cause) {
    throw new Refusal("The host does not answer.", { cause });
  }
  const answer = parsed(text);
  if (response.ok) return answer;
  throw new Refusal(answer?.error?.message ?? `The host answered with status ${response.status}.`, {
    status: response.status,
    code: answer?.error?.code,
    body: answer,
  });
}

/** A path from its segments, each of which may be any text. */
export function path(...segments) {
  return segments.map((segment) => `/${encodeURIComponent(segment)}`).join("");
}

/** An identifier that nobody else chooses. Not `crypto.randomUUID`, which pages have over plain HTTP on this machine only. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parsed(text) {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
