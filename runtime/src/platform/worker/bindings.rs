//! Bindings to JavaScript: the platform's own objects, and the two small modules that save
//! crossings (`glue.js`, `messagepack.js`).
//!
//! The types of the `worker` crate are not used here. They are passed to users as escape hatches,
//! but lack the synchronous key-value store, savepoints, `abort` and RPC.

use js_sys::{Array, Date, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// `DurableObjectState`
    #[derive(Clone)]
    pub(super) type State;
    #[wasm_bindgen(method, getter)]
    pub(super) fn id(this: &State) -> Id;
    #[wasm_bindgen(method, getter)]
    pub(super) fn storage(this: &State) -> Storage;
    #[wasm_bindgen(method, js_name = waitUntil)]
    pub(super) fn wait_until(this: &State, promise: &JsValue);
    #[wasm_bindgen(method, js_name = getWebSockets)]
    pub(super) fn web_sockets(this: &State, tag: Option<&str>) -> Array;
    #[wasm_bindgen(method, catch, js_name = getTags)]
    pub(super) fn tags(this: &State, socket: &WebSocket) -> Result<Vec<String>, JsValue>;
    #[wasm_bindgen(method, js_name = getWebSocketAutoResponseTimestamp)]
    pub(super) fn automatic_response_timestamp(this: &State, socket: &WebSocket) -> Option<Date>;

    /// `DurableObjectId`
    pub(super) type Id;
    #[wasm_bindgen(method, js_name = toString)]
    pub(super) fn hex(this: &Id) -> String;
    #[wasm_bindgen(method, getter)]
    pub(super) fn name(this: &Id) -> Option<String>;

    /// `DurableObjectStorage`
    #[derive(Clone)]
    pub(super) type Storage;
    /// Fails for a class that is not backed by SQLite.
    #[wasm_bindgen(method, getter, catch)]
    pub(super) fn kv(this: &Storage) -> Result<Kv, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn sql(this: &Storage) -> Sql;
    #[wasm_bindgen(method)]
    pub(super) fn sync(this: &Storage) -> Promise;

    /// `SyncKvStorage`
    #[derive(Clone)]
    pub(super) type Kv;
    #[wasm_bindgen(method, catch)]
    pub(super) fn get(this: &Kv, key: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn delete(this: &Kv, key: &str) -> Result<bool, JsValue>;

    /// `SqlStorage`
    #[derive(Clone)]
    pub(super) type Sql;

    #[derive(Clone, PartialEq)]
    pub(super) type WebSocket;
    #[wasm_bindgen(method, catch, js_name = send)]
    pub(super) fn send_text(this: &WebSocket, text: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn close(this: &WebSocket, code: u16, reason: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = close)]
    pub(super) fn close_without_code(this: &WebSocket) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = deserializeAttachment)]
    pub(super) fn attachment(this: &WebSocket) -> Result<Option<Vec<u8>>, JsValue>;

    /// `DurableObjectNamespace`
    #[derive(Clone)]
    pub(super) type Namespace;
    #[wasm_bindgen(method, js_name = idFromName)]
    pub(super) fn id_from_name(this: &Namespace, name: &str) -> Id;
    #[wasm_bindgen(method, js_name = newUniqueId)]
    pub(super) fn new_unique_id(this: &Namespace) -> Id;
    /// The namespace of a jurisdiction. Throws if the platform has no jurisdictions.
    #[wasm_bindgen(method, catch)]
    pub(super) fn jurisdiction(this: &Namespace, name: &str) -> Result<Namespace, JsValue>;
    #[wasm_bindgen(method, catch, js_name = idFromString)]
    pub(super) fn id_from_string(this: &Namespace, hex: &str) -> Result<Id, JsValue>;

    /// `DurableObjectStub`, or any other service that answers `fetch`.
    #[derive(Clone)]
    pub(super) type Fetcher;
    #[wasm_bindgen(method, catch)]
    pub(super) fn fetch(this: &Fetcher, request: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = fetch)]
    pub(super) fn fetch_at(
        this: &Fetcher,
        url: &str,
        request: &JsValue,
    ) -> Result<Promise, JsValue>;

    #[derive(Clone)]
    pub(super) type Request;
    #[wasm_bindgen(method, getter)]
    pub(super) fn headers(this: &Request) -> Headers;

    pub(super) type Headers;
    #[wasm_bindgen(method, catch)]
    pub(super) fn get(this: &Headers, name: &str) -> Result<Option<String>, JsValue>;

    #[derive(Clone)]
    pub(super) type Response;
    #[wasm_bindgen(method, getter)]
    pub(super) fn status(this: &Response) -> u16;
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    pub(super) fn array_buffer(this: &Response) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    pub(super) fn fill_random(bytes: &mut [u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    pub(super) fn log(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = warn)]
    pub(super) fn log_warning(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(super) fn log_error(line: &str);
}

// The life cycle of the instance, which `life.js` describes.
#[wasm_bindgen(module = "/src/platform/worker/life.js")]
extern "C" {
    /// Passes to JavaScript what it needs of this instance:
    ///
    /// - the error for pending answers when the instance ends,
    /// - a function that drops what remains of ended objects,
    /// - one that drops a task,
    /// - one that does nothing, whose call replaces an instance that unwinds,
    /// - those that read and set the stack pointer.
    #[wasm_bindgen(catch)]
    pub(super) fn prepare(
        lost: &JsValue,
        forget: &JsValue,
        drop: &JsValue,
        nudge: &JsValue,
        stack: &JsValue,
        set_stack: &JsValue,
    ) -> Result<(), JsValue>;
    /// Records the object whose code runs until this entry returns. A trap resets that object.
    #[wasm_bindgen(catch, js_name = run)]
    pub(super) fn runs(state: &State) -> Result<(), JsValue>;
    /// Ends this instance. Does not return if an object's code ran.
    #[wasm_bindgen(catch)]
    pub(super) fn died() -> Result<(), JsValue>;
    /// Resets the object when this entry returns.
    #[wasm_bindgen(catch)]
    pub(super) fn doom(state: &State, reason: &str) -> Result<(), JsValue>;
    /// Resets the object. This ends execution inside the call.
    #[wasm_bindgen(catch)]
    pub(super) fn abort(state: &State, reason: &str, wear: u32) -> Result<(), JsValue>;

    /// Makes the platform's class the parent, and guards the methods. From then on the exported
    /// `fetch` is called with the request, its method and address, its chain, and its body. The
    /// body is passed only if it is small enough and no route takes the request raw.
    #[wasm_bindgen(catch)]
    pub(super) fn extend(
        example: &JsValue,
        takes_raw_requests: bool,
        largest_body: u32,
    ) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) fn describe(request: &Request) -> Result<String, JsValue>;

    /// A promise that Rust settles, or JavaScript if Rust no longer can.
    pub(super) type Deferred;
    #[wasm_bindgen(constructor)]
    pub(super) fn new(owner: Option<&State>) -> Deferred;
    #[wasm_bindgen(method, getter)]
    pub(super) fn promise(this: &Deferred) -> Promise;
    #[wasm_bindgen(method)]
    pub(super) fn settle(this: &Deferred, value: &JsValue);
    #[wasm_bindgen(method)]
    pub(super) fn fail(this: &Deferred, error: &JsValue);
    /// Records that the promise will not be settled. Does nothing if it is settled.
    #[wasm_bindgen(method)]
    pub(super) fn abandon(this: &Deferred);

    /// Calls `run` with the number of a task, in a separate microtask.
    #[wasm_bindgen(catch, js_name = inAMicrotask)]
    pub(super) fn in_a_microtask(run: &JsValue, task: u32) -> Result<(), JsValue>;
    /// Records that the task has ended.
    #[wasm_bindgen(catch)]
    pub(super) fn silence(task: u32) -> Result<(), JsValue>;
    /// Calls `fired` with the number of the context, later and in the platform's current context.
    #[wasm_bindgen(catch, js_name = setTimer)]
    pub(super) fn set_timer(fired: &JsValue, context: u32, delay: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = clearTimer)]
    pub(super) fn clear_timer(timer: &JsValue) -> Result<(), JsValue>;
    /// Drops the task when the client that sent the request disconnects.
    #[wasm_bindgen(catch)]
    pub(super) fn watch(request: &Request, task: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) fn keep(task: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) fn unwatch(task: u32) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    pub(super) fn answered(promise: &Promise) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = catchWith)]
    pub(super) fn catch_with(promise: &Promise, on_failure: &JsValue) -> Result<JsValue, JsValue>;
    /// Resets the object with this error. Events already on their way to the object also receive
    /// it.
    #[wasm_bindgen(catch, js_name = failStart)]
    pub(super) fn fail_start(state: &State, error: &JsValue) -> Result<(), JsValue>;
}

// Every function that could pass as a direct import is marked `catch`: wasm-bindgen imports the
// module again for each such function, and bundlers report the duplicate import to the user.
#[wasm_bindgen(module = "/src/platform/worker/glue.js")]
extern "C" {
    /// A request to the outside world that can be cancelled.
    pub(super) type Flight;
    #[wasm_bindgen(constructor, catch, js_class = "Flight")]
    pub(super) fn new(request: &Request) -> Result<Flight, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn answer(this: &Flight) -> Promise;
    /// The body's bytes. `None` if there are more than `limit`.
    #[wasm_bindgen(method)]
    pub(super) fn body(this: &Flight, limit: u32) -> Promise;
    #[wasm_bindgen(method, catch)]
    pub(super) fn abort(this: &Flight) -> Result<(), JsValue>;

    pub(super) fn failure(
        code: &str,
        message: &str,
        status: u16,
        flag: Option<&str>,
        fault: Option<Uint8Array>,
    ) -> JsValue;

    /// A variable of the configuration. Text is returned unchanged, other JSON as its text.
    pub(super) fn variable(env: &JsValue, name: &str) -> Option<String>;
    #[wasm_bindgen(catch, js_name = readBody)]
    pub(super) fn read_body(request: &Request, limit: Option<u32>) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_name = request)]
    pub(super) fn make_request(
        base: Option<&Request>,
        method: &str,
        url: &str,
        headers: Vec<String>,
        body: Option<&[u8]>,
    ) -> Result<Request, JsValue>;
    #[wasm_bindgen(catch, js_name = requestOfTurns)]
    pub(super) fn make_request_of_turns(
        base: Option<&Request>,
        method: &str,
        url: &str,
        headers: Vec<String>,
        body: Option<&[u8]>,
        chain: Option<&str>,
    ) -> Result<Request, JsValue>;
    #[wasm_bindgen(catch, js_name = jsonResponse)]
    pub(super) fn json_response(status: u16, body: &[u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = response)]
    pub(super) fn make_response(
        status: u16,
        headers: Vec<String>,
        body: Option<&[u8]>,
        socket: Option<&WebSocket>,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = changedResponse)]
    pub(super) fn changed_response(
        response: &Response,
        status: u16,
        headers: Vec<String>,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = headersOf)]
    pub(super) fn headers_of(response: &Response) -> Vec<String>;

    #[wasm_bindgen(catch)]
    pub(super) fn open(
        namespace: &Namespace,
        name: Option<&str>,
        id: Option<&str>,
        hint: Option<&str>,
    ) -> Result<Fetcher, JsValue>;
    #[wasm_bindgen(catch, js_name = whenAborted)]
    pub(super) fn when_aborted(request: &Request, gone: &JsValue) -> Result<(), JsValue>;
    /// Wraps bytes for another object. [`super::remote::open_parcel`] unwraps them there.
    #[wasm_bindgen(catch)]
    pub(super) fn parcel(bytes: &[u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) fn call(
        stub: &Fetcher,
        method: &str,
        arguments: &[u8],
        chain: &[u8],
    ) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch)]
    pub(super) fn put(kv: &Kv, key: &str, value: &[u8]) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) fn list(
        kv: &Kv,
        start: Option<&str>,
        end: Option<&str>,
        prefix: Option<&str>,
        reverse: bool,
        limit: Option<u32>,
    ) -> Result<Array, JsValue>;
    /// Not marked `catch`, because a trap in `body` passes through here and must not be returned as
    /// an error.
    pub(super) fn transaction(storage: &Storage, body: &mut dyn FnMut() -> bool) -> JsValue;
    #[wasm_bindgen(catch, js_name = releaseIfEmpty)]
    pub(super) fn release_if_empty(storage: &Storage) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_name = ensureAlarm)]
    pub(super) fn ensure_alarm(storage: &Storage, at: f64) -> Result<(), JsValue>;
    /// The pair, if one is set.
    #[wasm_bindgen(js_name = automaticResponse)]
    pub(super) fn automatic_response(state: &State) -> Vec<String>;
    #[wasm_bindgen(catch, js_name = isOpen)]
    pub(super) fn is_open(socket: &WebSocket) -> Result<bool, JsValue>;
    #[wasm_bindgen(catch, js_name = deleteAll)]
    pub(super) fn delete_all(storage: &Storage) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_name = setAlarm)]
    pub(super) fn set_alarm(storage: &Storage, at: Option<f64>) -> Result<(), JsValue>;
    /// The names of the columns, the values of all rows in one array, and the number of rows
    /// written.
    #[wasm_bindgen(catch)]
    pub(super) fn query(sql: &Sql, statement: &str, parameters: Array) -> Result<Array, JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) fn accept(
        state: &State,
        tags: Vec<String>,
        attachment: &[u8],
    ) -> Result<Array, JsValue>;
    #[wasm_bindgen(catch, js_name = setAttachment)]
    pub(super) fn set_attachment(socket: &WebSocket, attachment: &[u8]) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = setAutomaticResponse)]
    pub(super) fn set_automatic_response(
        state: &State,
        request: Option<&str>,
        response: Option<&str>,
    );
    #[wasm_bindgen(catch, js_name = send)]
    pub(super) fn send_binary(socket: &WebSocket, bytes: &[u8]) -> Result<(), JsValue>;
}

#[wasm_bindgen(module = "/src/platform/worker/messagepack.js")]
extern "C" {
    /// JavaScript values, encoded one after another.
    #[wasm_bindgen(catch)]
    pub(super) fn encode(values: Vec<JsValue>) -> Result<Vec<u8>, JsValue>;
    /// A stored value that another program wrote.
    #[wasm_bindgen(catch, js_name = encodeStored)]
    pub(super) fn encode_stored(value: &JsValue) -> Result<Vec<u8>, JsValue>;
    /// One encoded value.
    #[wasm_bindgen(catch)]
    pub(super) fn decode(bytes: &[u8]) -> Result<JsValue, JsValue>;
}
