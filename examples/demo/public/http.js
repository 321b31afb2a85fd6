// Requests to the host that served this page.

/** A failed request. It has no `status` if the host could not be reached. */
export class Refusal extends Error {
  constructor(message, { status, code, body, cause } = {}) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

/** Sends a request with an optional JSON body. Returns the JSON of the response. */
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

/** Returns a path made of these segments, which are percent-encoded. */
export function path(...segments) {
  return segments.map((segment) => `/${encodeURIComponent(segment)}`).join("");
}

/** Returns a unique identifier. `crypto.randomUUID` is not available over plain HTTP, except on localhost. */
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
