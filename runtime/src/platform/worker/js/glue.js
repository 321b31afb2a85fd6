// Functions that WebAssembly cannot perform, or that would cost it a crossing for every step.
//
// Bytes arrive as views of WebAssembly's memory. They are copied before they are passed on. The
// platform keeps bodies by reference, and a structured clone of a view includes its whole buffer.

import { CHAIN, whileItLives } from "./life.js";

export function failure(code, message, status, flag, fault) {
  const error = new Error(message);
  Object.assign(error, { name: code, code, status });
  if (flag) error[flag] = true;
  if (fault) error.anchorholdFault = fault;
  return error;
}

// Only variables are plain data. The other bindings are objects of the platform's classes.
export function variable(env, name) {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (typeof value !== "object" || value === null) {
    return typeof value === "string" ? value : JSON.stringify(value);
  }
  const isData = [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value));
  return isData ? JSON.stringify(value) : undefined;
}

export class Flight {
  constructor(request) {
    this.controller = new AbortController();
    const signal = AbortSignal.any([request.signal, this.controller.signal]);
    this.answer = fetch(request, { signal });
  }

  async body(limit) {
    const { body } = await this.answer;
    const chunks = [];
    let size = 0;
    for await (const chunk of body ?? []) {
      size += chunk.length;
      if (size > limit) return undefined;
      chunks.push(chunk);
    }
    this.isOver = true;
    return new Uint8Array(await new Blob(chunks).arrayBuffer());
  }

  abort() {
    if (this.isOver) return;
    this.controller.abort();
    this.answer.catch(() => {});
  }
}

export class BodyReader {
  constructor(body) {
    this.reader = body.getReader();
  }

  static of({ body }) {
    return body ? new BodyReader(body) : undefined;
  }

  async read() {
    const { done, value } = await this.reader.read();
    return done ? undefined : value;
  }

  cancel() {
    this.reader.cancel().catch(() => {});
  }
}

const MOST_DISCARDED = 32 * 1024 * 1024;

// Returns `undefined` if the body is over the limit. It is still read, up to a bound, because a
// response to a peer that is still sending would be lost with the connection.
export async function readBody(request, limit) {
  const length = request.headers.get("content-length");
  if (limit === undefined || (length !== null && Number(length) <= limit)) return request.arrayBuffer();
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
    if (size > MOST_DISCARDED) break;
  }
  return size > limit ? undefined : new Blob(chunks).arrayBuffer();
}

export function request(base, method, url, headers, body) {
  const made = body === undefined ? moved(base, method, url) : withBody(base, method, url, body);
  appendAll(made.headers, headers, "set");
  return made;
}

export function requestOfTurns(base, method, url, headers, body, chain) {
  const made = request(base, method, url, headers, body);
  made.headers.delete(CHAIN);
  if (chain === undefined) return made;
  made.headers.set(CHAIN, "");
  return new Request(made, { cf: { ...made.cf, [CHAIN]: chain } });
}

function moved(base, method, url) {
  return base ? new Request(url, base) : new Request(url, { method });
}

// The base's own body may have been read to create the new one. Such a base cannot be copied.
function withBody(base, method, url, body) {
  const headers = new Headers(base?.headers);
  headers.delete("content-length");
  const { cf, signal, redirect } = base ?? {};
  return new Request(url, { method, headers, body: body.slice(), cf, signal, redirect });
}

const JSON_RESPONSES = new Map();

export function jsonResponse(status, body) {
  let init = JSON_RESPONSES.get(status);
  if (!init) JSON_RESPONSES.set(status, (init = { status, headers: { "content-type": "application/json" } }));
  return new Response(body.slice(), init);
}

export function response(status, headers, body, webSocket) {
  const made = new Response(body?.length ? body.slice() : null, { status, webSocket });
  appendAll(made.headers, headers, "append");
  return made;
}

export function streamResponse(status, headers, readable) {
  const made = new Response(readable, { status });
  appendAll(made.headers, headers, "append");
  return made;
}

export function changedResponse(response, status, headers) {
  const { body, webSocket } = response;
  const made = new Response(body, { status, webSocket, headers: response.headers });
  appendAll(made.headers, headers, "append");
  return made;
}

// As `with_cross_origin_headers` in `cross_origin.rs`, for a response that Rust does not see.
export async function withCrossOriginHeaders(answer, headers) {
  const response = await answer;
  const isFinal = response.status === 101 || response.headers.has("access-control-allow-origin");
  return isFinal ? response : changedResponse(response, response.status, headers);
}

export function headersOf(response) {
  return [...response.headers].flat();
}

function appendAll(into, headers, method) {
  for (let index = 0; index < headers.length; index += 2) {
    try {
      into[method](headers[index], headers[index + 1]);
    } catch {
      // Names and values that HTTP does not allow are omitted.
    }
  }
}

export function open(namespace, name, id, hint) {
  const options = hint === undefined ? undefined : { locationHint: hint };
  return name === undefined
    ? namespace.get(namespace.idFromString(id), options)
    : namespace.getByName(name, options);
}

export function call(stub, method, args, chain) {
  return stub.anchorholdCall(method, parcel(args), chain.length ? parcel(chain) : undefined);
}

const LARGEST_TEXT = 1024;

// Prepares bytes for a call between objects. The platform transfers a string faster than a buffer,
// so few bytes are sent as a string with one character for each byte.
export function parcel(bytes) {
  return bytes.length <= LARGEST_TEXT ? String.fromCharCode(...bytes) : bytes.slice();
}

export function put(kv, key, value) {
  kv.put(key, value.slice());
}

export function whenAborted(request, gone) {
  const tell = whileItLives(gone);
  if (request.signal.aborted) tell();
  else request.signal.addEventListener("abort", tell);
}

// Reads the whole list at once: while an iterator is live, a second one is not allowed.
export function list(kv, start, end, prefix, reverse, limit) {
  return [...kv.list({ start, end, prefix, reverse, limit })].flat();
}

const ROLL_BACK = new Error("rolled back");

// Returns the platform's error. An exception from `body` itself is a trap. It is thrown again,
// because no frame of Rust may receive it as an error.
export function transaction(storage, body) {
  let trap;
  try {
    storage.transactionSync(() => {
      let keep;
      try {
        keep = body();
      } catch (error) {
        trap = { error };
        throw error;
      }
      if (!keep) throw ROLL_BACK;
    });
  } catch (error) {
    if (trap) throw trap.error;
    return error === ROLL_BACK ? undefined : error;
  }
}

// The changes to storage are complete when the call returns. A failed commit resets the object, so
// the rejected promise adds no information.
// `storage.deleteAll()` drops the database, so it cannot be part of a turn that may be rolled back.
const FEW_KEYS = 32;

export function deleteAll(storage) {
  storage.deleteAlarm().catch(() => {});
  for (;;) {
    const keys = [...storage.kv.list({ limit: FEW_KEYS })].map(([key]) => key);
    for (const key of keys) storage.kv.delete(key);
    if (keys.length < FEW_KEYS) break;
  }
  storage.sql.exec("PRAGMA defer_foreign_keys = ON");
  // Virtual tables come first: dropping one also drops its shadow tables.
  for (;;) {
    const [next] = storage.sql.exec(
      `SELECT type, name FROM sqlite_master
       WHERE type IN ('table', 'view', 'trigger')
         AND substr(name, 1, 7) <> 'sqlite_' AND lower(substr(name, 1, 4)) <> '_cf_'
       ORDER BY upper(sql) NOT LIKE 'CREATE VIRTUAL%', type = 'table'
       LIMIT 1`,
    );
    if (!next) break;
    storage.sql.exec(`DROP ${next.type} "${next.name.replaceAll('"', '""')}"`);
  }
}

// Storage is billed, so an object without data drops its database.
export function releaseIfEmpty(storage) {
  const [key] = storage.kv.list({ limit: 1 });
  if (key) return;
  const [table] = storage.sql.exec(
    "SELECT 1 FROM sqlite_master WHERE lower(substr(name, 1, 4)) <> '_cf_' LIMIT 1",
  );
  if (!table) storage.deleteAll().catch(() => {});
}

// Counts how often the alarm of each storage was set.
const settings = new WeakMap();

// Sets the alarm if it is later than `at`, or not set.
export function ensureAlarm(storage, at) {
  const look = async () => {
    let alarm;
    let seen;
    // An earlier alarm that a turn sets meanwhile must not be replaced because of an old reading.
    do {
      seen = settings.get(storage);
      alarm = await storage.getAlarm();
    } while (settings.get(storage) !== seen);
    if (alarm === null || alarm > at) await storage.setAlarm(at);
  };
  look().catch(() => {});
}

export function automaticResponse(state) {
  const pair = state.getWebSocketAutoResponse();
  return pair ? [pair.request, pair.response] : [];
}

export function isOpen(socket) {
  return socket.readyState === WebSocket.OPEN;
}

export function setAlarm(storage, at) {
  settings.set(storage, (settings.get(storage) ?? 0) + 1);
  (at === undefined ? storage.deleteAlarm() : storage.setAlarm(at)).catch(() => {});
}

export function query(sql, statement, parameters) {
  const cursor = sql.exec(statement, ...parameters);
  const rows = [...cursor.raw()];
  return [cursor.columnNames, rows.flat(), cursor.rowsWritten];
}

export function accept(state, tags, attachment) {
  const [client, server] = Object.values(new WebSocketPair());
  state.acceptWebSocket(server, tags);
  server.serializeAttachment(attachment.slice());
  return [client, server];
}

export function setAttachment(socket, attachment) {
  socket.serializeAttachment(attachment.slice());
}

export function setAutomaticResponse(state, request, response) {
  state.setWebSocketAutoResponse(
    request === undefined ? undefined : new WebSocketRequestResponsePair(request, response),
  );
}

export function send(socket, bytes) {
  socket.send(bytes.slice());
}
