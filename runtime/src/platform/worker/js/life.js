// The life of the WebAssembly instance: every way into it, and what happens when it ends.
//
// The instance is shared by all objects of the isolate and by the app. Three things end what runs
// in it:
//
// - A panic or a trap. The memory cannot be used again. Everything that only this memory could
//   have answered is rejected here, by JavaScript alone, and the next event finds a new instance.
// - `state.abort()`. The platform ends execution inside of the call: no frame returns, no
//   `finally` runs, and the isolate's queue of microtasks is emptied. The memory stays in use, less
//   what the frames held.
// - The platform ends execution by itself (a limit). Nobody knows what was half done: as a trap.

import { DurableObject } from "cloudflare:workers";

// Counts the instances: what belongs to one may not run in the next.
let instance = 0;
// The instance has ended, and `endedId` was its number in the entry's own count.
let dead = false;
let endedId;
// WebAssembly was entered and has not returned.
let inside = false;
// `DurableObjectState` of the object whose code runs: the one that a trap resets.
let running;
// Reset as soon as WebAssembly has returned: `{ state, reason }`.
let doomed;
// An object has ended since the last entry, which may have been cut off.
let wasCut = false;
// The instance should be replaced when nothing waits for it.
let isTired = false;
// What the present instance offers: see `prepare` in `bindings.rs`.
let offered;
// The stack pointer when nothing runs.
let top;

// What the entry that `worker-build` makes looks at before each event.
function entry() {
  return globalThis.__worker_init_state ?? {};
}

export function prepare(lost, forget, drop, nudge, stack, setStack) {
  offered = { lost, forget, drop, nudge, stack, setStack };
  top = undefined;
  dead = false;
}

export function run(state) {
  running = state;
}

// Ends the instance: nothing that belongs to it runs again, and everything it owed fails.
function end() {
  dead = true;
  endedId = entry().instanceId;
  entry().criticalError = true;
  instance += 1;
  inside = wasCut = isTired = false;
  doomed = undefined;
  due.clear();
  bells.clear();
  for (const task of [...watched.keys()]) unwatch(task);
  for (const deferred of [...unsettled]) deferred.fail(offered?.lost);
}

const PANICKED = "the object's handler panicked or trapped; its turn was rolled back";

// Called from the hooks for panics and traps, and by whoever sees a trap's exception.
export function died() {
  if (dead) return;
  end();
  // Drops the writes of the turn. It ends execution, so it comes last.
  const state = running;
  running = undefined;
  state?.abort(PANICKED);
}

// What a trap throws; what Rust throws on purpose is none of these.
function isTrap(error) {
  return (
    error instanceof WebAssembly.RuntimeError ||
    (error instanceof RangeError && /call stack/.test(error.message)) ||
    (error instanceof Error && TRAPS.includes(error.message))
  );
}

// By wasm-bindgen: an import threw that may not, and an entry into an instance that has trapped.
const TRAPS = ["Critical error", "Module terminated"];

// Before each entry. Throws if there is no instance to enter.
function enter() {
  if (dead) {
    if (entry().instanceId === endedId) offered?.nudge?.();
    if (entry().instanceId === endedId) throw offered.lost;
    dead = false;
  }
  if (inside) {
    running = undefined;
    died();
    throw offered.lost;
  }
  if (wasCut) tidyUp();
  top ??= offered?.stack?.();
  inside = true;
}

// After an entry that returned.
function leave() {
  inside = false;
  running = undefined;
  if (doomed) reset(doomed);
  if (isTired && !unsettled.size && !due.size) end();
}

// After an entry that threw. Returns what its caller is to get.
function failed(error) {
  if (dead || isTrap(error)) {
    died();
    return offered.lost;
  }
  leave();
  return error;
}

function tidyUp() {
  wasCut = false;
  // No frame is left of those that an abort has cut off.
  if (top) offered.setStack(top);
  // The abort emptied the queue of microtasks; what it lost of others is queued again.
  for (const [task, run] of due) {
    // Whether its context is still there is asked already: nothing may run it in this one.
    if (watched.get(task)?.looks) bells.get(task)?.ring();
    else queue(run, task);
  }
  forgetEnded();
}

// Drops what Rust keeps of objects that have ended; this runs their destructors.
function forgetEnded() {
  inside = true;
  try {
    offered.forget();
  } catch (error) {
    throw failed(error);
  }
  inside = false;
}

export function doom(state, reason) {
  doomed = { state, reason };
}

function reset({ state, reason }) {
  doomed = undefined;
  release(state);
  try {
    forgetEnded();
  } finally {
    // Whatever a destructor does: without this the writes of a doomed turn would be committed.
    wasCut = true;
    state.abort(reason);
  }
}

// How much an instance has lost to aborts: `WORN` is replaced when nothing waits for it, `SPENT` at
// once.
const WORN = 1;
const SPENT = 2;

// Ends execution inside of Rust's frames, which keep what they held.
export function abort(state, reason, wear) {
  inside = false;
  running = undefined;
  wasCut = true;
  release(state);
  if (wear >= SPENT || (wear >= WORN && !unsettled.size)) end();
  else if (wear >= WORN) isTired = true;
  state.abort(reason);
}

// The platform answers what waits for an object that is reset.
function release(state) {
  for (const deferred of unsettled) {
    if (deferred.owner === state) unsettled.delete(deferred);
  }
}

// A call into WebAssembly that nobody waits for.
function callIn(run, argument) {
  try {
    enter();
  } catch {
    return;
  }
  try {
    run(argument);
  } catch (error) {
    failed(error);
    return;
  }
  leave();
}

function entering(method) {
  return function () {
    enter();
    let answer;
    try {
      answer = method.apply(this, arguments);
    } catch (error) {
      throw failed(error);
    }
    leave();
    return answer;
  };
}

// The platform answers RPC only for classes that extend its own, and an exported Rust struct
// extends nothing.
export function extend(example, takesRawRequests, largestBody) {
  const prototype = Object.getPrototypeOf(example);
  const constructor = prototype.constructor;
  Object.setPrototypeOf(constructor, DurableObject);
  Object.setPrototypeOf(prototype, DurableObject.prototype);
  // Whatever a prototype has is open to RPC (P65): nobody may free the object from afar.
  for (const name of ["free", "__destroy_into_raw", Symbol.dispose]) {
    delete prototype[name];
  }
  // Done before if the instance is not the first: the class stays.
  if (ANSWER in prototype) return;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const { value } = Object.getOwnPropertyDescriptor(prototype, name);
    if (name !== "constructor" && typeof value === "function") prototype[name] = entering(value);
  }
  prototype.webSocketMessage = tellingOfLoss(prototype.webSocketMessage);
  prototype[ANSWER] = prototype.fetch;
  prototype.fetch = takesRawRequests ? answer : answerWithBody(largestBody);
}

// A message that was lost with the instance. Its socket lives on, and a client that waits for an
// answer would wait for ever: it is told as of any message that fails.
function tellingOfLoss(handle) {
  return function (socket, message) {
    let handled;
    try {
      handled = handle.call(this, socket, message);
    } catch (error) {
      tellOfLoss(socket, error);
      throw error;
    }
    return handled?.catch?.((error) => {
      tellOfLoss(socket, error);
      throw error;
    });
  };
}

function tellOfLoss(socket, error) {
  if (error?.code !== "reset") return;
  const { code, message } = error;
  try {
    socket.send(JSON.stringify({ type: "error", code, message }));
  } catch {
    // The socket is closed, or its object was reset and drops it.
  }
}

// What Rust exports as `fetch`. It is called as a property, never by itself: the entry's proxies
// replace the instance on the way if it has ended.
const ANSWER = Symbol("answer");

function answer(request) {
  return this[ANSWER](request, describe(request), chainOf(request));
}

// With the body at hand Rust answers without a promise of its own. A body of unknown size it reads
// itself, as much of it as it wants; so it does with a body that cannot be read, and says so.
function answerWithBody(largest) {
  return function (request) {
    const length = request.method === "GET" ? null : request.headers.get("content-length");
    if (length === null || !(length <= largest)) return answer.call(this, request);
    return request.arrayBuffer().then(
      (body) => this[ANSWER](request, describe(request), chainOf(request), new Uint8Array(body)),
      () => answer.call(this, request),
    );
  };
}

// The turns that wait for a request of a stub. They travel as `cf`, which the platform alone sets
// on what comes from outside; the header, which a client may set, only says that it is worth reading.
function chainOf(request) {
  return request.headers.has(CHAIN) ? request.cf?.[CHAIN] : undefined;
}

export const CHAIN = "anchorhold-chain";

// Method and address of a request in one string; neither holds the separator.
export function describe(request) {
  return `${request.method} ${request.url}`;
}

// Promises that only Rust settles. The list outlives the instance, which is how they are settled
// when its memory no longer can.
const unsettled = new Set();

export class Deferred {
  // `owner` is the state of the object that answers; none if it is the app.
  constructor(owner) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.owner = owner;
    unsettled.add(this);
  }

  settle(value) {
    unsettled.delete(this);
    this.resolve(value);
  }

  fail(error) {
    unsettled.delete(this);
    this.reject(error);
  }

  // Nobody will settle it. Its caller has hung up, or the platform answers for a reset object.
  abandon() {
    if (unsettled.delete(this) && !this.owner) this.reject(offered.lost);
  }
}

// Tasks that were woken and have not run yet, with what runs them.
const due = new Map();

// The bells of tasks. Who wakes a task may be in another context (another object, another request
// to the app), where nothing that belongs to the task may be used, and what would be begun there
// would end with the other one. The platform runs what waits for a promise in the context that made
// the promise, so each task is called by one that was made in its own.
const bells = new Map();

class Bell {
  constructor(task, run) {
    this.ofInstance = instance;
    this.task = task;
    this.run = run;
    this.call = () => this.called();
    this.strings = [];
    this.hang();
  }

  // Two strings. The second is for a call that an abort has lost; there is no third.
  hang() {
    while (this.strings.length < 2) {
      new Promise((resolve) => this.strings.push(resolve)).then(this.call);
    }
  }

  wake() {
    inAMicrotask(this.run, this.task);
  }

  ring() {
    const string = this.strings.pop();
    string?.();
    return string !== undefined;
  }

  called() {
    const { task, run } = this;
    if (this.ofInstance !== instance || bells.get(task) !== this || !due.delete(task)) return;
    watched.get(task)?.answered();
    this.hang();
    callIn(run, task);
  }
}

export function inAMicrotask(run, task) {
  // Its number is given again in the next instance, to a task of another context.
  if (dead) return;
  due.set(task, run);
  queue(run, task);
}

function queue(run, task) {
  if (bells.get(task)?.ring()) return;
  // New, or in need of a third string: this context is the task's own, or the best there is.
  const bell = new Bell(task, run);
  bells.set(task, bell);
  bell.ring();
}

// The task is over.
export function silence(task) {
  bells.delete(task);
  due.delete(task);
}

// A timer of the present context, which calls Rust unless its instance has ended by then.
export function setTimer(fired, context, delay) {
  const its = instance;
  return setTimeout(() => its === instance && callIn(fired, context), delay);
}

export function clearTimer(timer) {
  clearTimeout(timer);
}

// Tasks of requests to the app. When a client hangs up, the platform drops the request's context
// without a word, and what waits in it never runs again. Later requests wake the task now and then,
// and it does not run. With the flag `enable_request_signal` the request's signal tells at once, but
// not of what the platform has ended itself.
//
// While a request waits for nothing of its own context, the platform takes it for hung and ends it.
// It may wait for what another request does: a timer of its own keeps it.
const watched = new Map();

const SIGNAL_TELLS = globalThis.Cloudflare?.compatibilityFlags?.enable_request_signal === true;

// Milliseconds: when a task is woken first, how rarely at last, and how long it may take to run.
const FIRST_LOOK = 1_000;
const LONGEST_PAUSE = 16_000;
const GRACE = 1_000;
// The longest that a timer takes; the timer does nothing when it fires.
const KEEPING = 2 ** 31 - 1;

class Watch {
  constructor(now) {
    this.pause = FIRST_LOOK;
    this.due = now + this.pause;
    this.looks = 0;
  }

  keep() {
    this.timer ??= setTimeout(() => {}, KEEPING);
  }

  // It has run.
  answered() {
    if (this.looks === 0) return;
    this.looks = 0;
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
    this.due += this.pause;
  }

  // Something may have kept the isolate busy, so that every task is late: one that did not run gets
  // time to catch up.
  look(now, task) {
    if (now < this.due) return;
    this.due = now + GRACE;
    this.looks += 1;
    if (this.looks === 1) bells.get(task)?.wake();
    if (this.looks <= 2) return;
    // Not from within the entry that is on its way.
    const isOver = () => this.looks > 2 && watched.get(task) === this;
    Promise.resolve().then(whileItLives(() => isOver() && drop(task)));
  }
}

export function watch(request, task) {
  const now = performance.now();
  const its = new Watch(now);
  if (SIGNAL_TELLS) {
    const dropIt = whileItLives(() => watched.get(task) === its && drop(task));
    request.signal.addEventListener("abort", dropIt);
  }
  lookAtAll(now);
  watched.set(task, its);
}

// In the task's own context.
export function keep(task) {
  watched.get(task)?.keep();
}

export function unwatch(task) {
  const timer = watched.get(task)?.timer;
  if (timer !== undefined) clearTimeout(timer);
  watched.delete(task);
}

function drop(task) {
  unwatch(task);
  callIn(offered.drop, task);
}

let nextLook = 0;

function lookAtAll(now) {
  if (now < nextLook) return;
  nextLook = now + GRACE / 2;
  for (const [task, its] of watched) its.look(now, task);
}

// An answer of the app: what ended with the instance is answered without it. The next instance may
// be at work by then.
export function answered(promise) {
  const { lost } = offered;
  return promise.catch((error) => {
    if (error === lost) return lostResponse(error);
    throw error;
  });
}

// The answer of somebody else, whose failure Rust turns into a response, as long as it can.
export function catchWith(promise, onFailure) {
  const its = instance;
  return promise.catch((error) => {
    if (its === instance) {
      try {
        return onFailure(error);
      } catch (thrown) {
        if (!isTrap(thrown)) throw thrown;
        died();
      }
    }
    return lostResponse(error);
  });
}

function lostResponse({ status, code, message, durableObjectReset }) {
  const isOurs = typeof code === "string" && status >= 400;
  const error = isOurs
    ? { code, message }
    : { code: "reset", message: durableObjectReset ? message : "the object was reset" };
  return Response.json({ error }, { status: isOurs ? status : 503 });
}

export function failStart(state, error) {
  // What Rust keeps of the object is dropped at the next entry: waiters are still to be told.
  wasCut = true;
  state.blockConcurrencyWhile(() => Promise.reject(error)).catch(() => {});
}

// For the file beside it: which instance a callback belongs to.
export function whileItLives(call) {
  const its = instance;
  return () => {
    if (its === instance) call();
  };
}
