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
    pub(in super::super) type State;
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn id(this: &State) -> Id;
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn storage(this: &State) -> Storage;
    #[wasm_bindgen(method, js_name = waitUntil)]
    pub(in super::super) fn wait_until(this: &State, promise: &JsValue);
    #[wasm_bindgen(method, js_name = getWebSockets)]
    pub(in super::super) fn web_sockets(this: &State, tag: Option<&str>) -> Array;
    #[wasm_bindgen(method, catch, js_name = getTags)]
    pub(in super::super) fn tags(this: &State, socket: &WebSocket) -> Result<Vec<String>, JsValue>;
    #[wasm_bindgen(method, js_name = getWebSocketAutoResponseTimestamp)]
    pub(in super::super) fn automatic_response_timestamp(
        this: &State,
        socket: &WebSocket,
    ) -> Option<Date>;

    /// `DurableObjectId`
    pub(in super::super) type Id;
    #[wasm_bindgen(method, js_name = toString)]
    pub(in super::super) fn hex(this: &Id) -> String;
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn name(this: &Id) -> Option<String>;

    /// `DurableObjectStorage`
    #[derive(Clone)]
    pub(in super::super) type Storage;
    /// Fails for a class that is not backed by SQLite.
    #[wasm_bindgen(method, getter, catch)]
    pub(in super::super) fn kv(this: &Storage) -> Result<Kv, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn sql(this: &Storage) -> Sql;
    #[wasm_bindgen(method)]
    pub(in super::super) fn sync(this: &Storage) -> Promise;

    /// `SyncKvStorage`
    #[derive(Clone)]
    pub(in super::super) type Kv;
    #[wasm_bindgen(method, catch)]
    pub(in super::super) fn get(this: &Kv, key: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(in super::super) fn delete(this: &Kv, key: &str) -> Result<bool, JsValue>;

    /// `SqlStorage`
    #[derive(Clone)]
    pub(in super::super) type Sql;

    #[derive(Clone, PartialEq)]
    pub(in super::super) type WebSocket;
    #[wasm_bindgen(method, catch, js_name = send)]
    pub(in super::super) fn send_text(this: &WebSocket, text: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(in super::super) fn close(this: &WebSocket, code: u16, reason: &str)
    -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = close)]
    pub(in super::super) fn close_without_code(this: &WebSocket) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = deserializeAttachment)]
    pub(in super::super) fn attachment(this: &WebSocket) -> Result<Option<Vec<u8>>, JsValue>;

    /// `DurableObjectNamespace`
    #[derive(Clone)]
    pub(in super::super) type Namespace;
    #[wasm_bindgen(method, js_name = idFromName)]
    pub(in super::super) fn id_from_name(this: &Namespace, name: &str) -> Id;
    #[wasm_bindgen(method, js_name = newUniqueId)]
    pub(in super::super) fn new_unique_id(this: &Namespace) -> Id;
    /// The namespace of a jurisdiction. Throws if the platform has no jurisdictions.
    #[wasm_bindgen(method, catch)]
    pub(in super::super) fn jurisdiction(
        this: &Namespace,
        name: &str,
    ) -> Result<Namespace, JsValue>;
    #[wasm_bindgen(method, catch, js_name = idFromString)]
    pub(in super::super) fn id_from_string(this: &Namespace, hex: &str) -> Result<Id, JsValue>;

    /// `DurableObjectStub`, or any other service that answers `fetch`.
    #[derive(Clone)]
    pub(in super::super) type Fetcher;
    #[wasm_bindgen(method, catch)]
    pub(in super::super) fn fetch(this: &Fetcher, request: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = fetch)]
    pub(in super::super) fn fetch_at(
        this: &Fetcher,
        url: &str,
        request: &JsValue,
    ) -> Result<Promise, JsValue>;

    #[derive(Clone)]
    pub(in super::super) type Request;
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn headers(this: &Request) -> Headers;

    pub(in super::super) type Headers;
    #[wasm_bindgen(method, catch)]
    pub(in super::super) fn get(this: &Headers, name: &str) -> Result<Option<String>, JsValue>;

    #[derive(Clone)]
    pub(in super::super) type Response;
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn status(this: &Response) -> u16;
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    pub(in super::super) fn array_buffer(this: &Response) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    pub(in super::super) fn fill_random(bytes: &mut [u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    pub(in super::super) fn log(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = warn)]
    pub(in super::super) fn log_warning(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(in super::super) fn log_error(line: &str);
}

// The life cycle of the instance, which `life.js` describes.
#[wasm_bindgen(module = "/src/platform/worker/js/life.js")]
extern "C" {
    /// Passes to JavaScript what it needs of this instance:
    ///
    /// - the error for pending answers when the instance ends,
    /// - a function that drops what remains of ended objects,
    /// - one that drops a task,
    /// - one that does nothing, whose call replaces an instance that unwinds,
    /// - those that read and set the stack pointer.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn prepare(
        lost: &JsValue,
        forget: &JsValue,
        drop: &JsValue,
        nudge: &JsValue,
        stack: &JsValue,
        set_stack: &JsValue,
    ) -> Result<(), JsValue>;
    /// Records the object whose code runs until this entry returns. A trap resets that object.
    #[wasm_bindgen(catch, js_name = run)]
    pub(in super::super) fn runs(state: &State) -> Result<(), JsValue>;
    /// Ends this instance. Does not return if an object's code ran.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn died() -> Result<(), JsValue>;
    /// Resets the object when this entry returns.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn doom(state: &State, reason: &str) -> Result<(), JsValue>;
    /// Resets the object. This ends execution inside the call.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn abort(state: &State, reason: &str, wear: u32) -> Result<(), JsValue>;

    /// Makes the platform's class the parent, and guards the methods. From then on the exported
    /// `fetch` is called with the request, its method and address, its chain, and its body. The
    /// body is passed only if it is small enough and no route takes the request raw.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn extend(
        example: &JsValue,
        takes_raw_requests: bool,
        largest_body: u32,
    ) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    pub(in super::super) fn describe(request: &Request) -> Result<String, JsValue>;

    /// A promise that Rust settles, or JavaScript if Rust no longer can.
    pub(in super::super) type Deferred;
    #[wasm_bindgen(constructor)]
    pub(in super::super) fn new(owner: Option<&State>) -> Deferred;
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn promise(this: &Deferred) -> Promise;
    #[wasm_bindgen(method)]
    pub(in super::super) fn settle(this: &Deferred, value: &JsValue);
    #[wasm_bindgen(method)]
    pub(in super::super) fn fail(this: &Deferred, error: &JsValue);
    /// Records that the promise will not be settled. Does nothing if it is settled.
    #[wasm_bindgen(method)]
    pub(in super::super) fn abandon(this: &Deferred);

    /// The body of a response, which Rust writes. JavaScript breaks it off if Rust no longer can.
    pub(in super::super) type BodyWriter;
    #[wasm_bindgen(constructor, catch)]
    pub(in super::super) fn new(owner: Option<&State>) -> Result<BodyWriter, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn readable(this: &BodyWriter) -> JsValue;
    /// Fails when the reader is gone.
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn closed(this: &BodyWriter) -> Promise;
    #[wasm_bindgen(method)]
    pub(in super::super) fn write(this: &BodyWriter, chunk: &[u8]) -> Promise;
    #[wasm_bindgen(method)]
    pub(in super::super) fn close(this: &BodyWriter) -> Promise;
    #[wasm_bindgen(method)]
    pub(in super::super) fn abort(this: &BodyWriter, error: &JsValue);

    /// Calls `run` with the number of a task, in a separate microtask.
    #[wasm_bindgen(catch, js_name = inAMicrotask)]
    pub(in super::super) fn in_a_microtask(run: &JsValue, task: u32) -> Result<(), JsValue>;
    /// Records that the task has ended.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn silence(task: u32) -> Result<(), JsValue>;
    /// Calls `fired` with the number of the context, later and in the platform's current context.
    #[wasm_bindgen(catch, js_name = setTimer)]
    pub(in super::super) fn set_timer(
        fired: &JsValue,
        context: u32,
        delay: f64,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = clearTimer)]
    pub(in super::super) fn clear_timer(timer: &JsValue) -> Result<(), JsValue>;
    /// Drops the task when the client that sent the request disconnects.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn watch(request: &Request, task: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    pub(in super::super) fn keep(task: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    pub(in super::super) fn unwatch(task: u32) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    pub(in super::super) fn answered(promise: &Promise) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = catchWith)]
    pub(in super::super) fn catch_with(
        promise: &Promise,
        on_failure: &JsValue,
    ) -> Result<JsValue, JsValue>;
    /// Resets the object with this error. Events already on their way to the object also receive
    /// it.
    #[wasm_bindgen(catch, js_name = failStart)]
    pub(in super::super) fn fail_start(state: &State, error: &JsValue) -> Result<(), JsValue>;
}

// Every function that could pass as a direct import is marked `catch`: wasm-bindgen imports the
// module again for each such function, and bundlers report the duplicate import to the user.
#[wasm_bindgen(module = "/src/platform/worker/js/glue.js")]
extern "C" {
    /// A request to the outside world that can be cancelled.
    pub(in super::super) type Flight;
    #[wasm_bindgen(constructor, catch, js_class = "Flight")]
    pub(in super::super) fn new(request: &Request) -> Result<Flight, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(in super::super) fn answer(this: &Flight) -> Promise;
    /// The body's bytes. `None` if there are more than `limit`.
    #[wasm_bindgen(method)]
    pub(in super::super) fn body(this: &Flight, limit: u32) -> Promise;
    #[wasm_bindgen(method, catch)]
    pub(in super::super) fn abort(this: &Flight) -> Result<(), JsValue>;

    /// The body of a request or a response, which is read in chunks.
    pub(in super::super) type BodyReader;
    /// `None` if there is no body.
    #[wasm_bindgen(catch, static_method_of = BodyReader)]
    pub(in super::super) fn of(message: &JsValue) -> Result<Option<BodyReader>, JsValue>;
    /// The next chunk. `undefined` at the end.
    #[wasm_bindgen(method)]
    pub(in super::super) fn read(this: &BodyReader) -> Promise;
    #[wasm_bindgen(method, catch)]
    pub(in super::super) fn cancel(this: &BodyReader) -> Result<(), JsValue>;

    pub(in super::super) fn failure(
        code: &str,
        message: &str,
        status: u16,
        flag: Option<&str>,
        fault: Option<Uint8Array>,
    ) -> JsValue;

    /// A variable of the configuration. Text is returned unchanged, other JSON as its text.
    pub(in super::super) fn variable(env: &JsValue, name: &str) -> Option<String>;
    #[wasm_bindgen(catch, js_name = readBody)]
    pub(in super::super) fn read_body(
        request: &Request,
        limit: Option<u32>,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_name = request)]
    pub(in super::super) fn make_request(
        base: Option<&Request>,
        method: &str,
        url: &str,
        headers: Vec<String>,
        body: Option<&[u8]>,
    ) -> Result<Request, JsValue>;
    #[wasm_bindgen(catch, js_name = requestOfTurns)]
    pub(in super::super) fn make_request_of_turns(
        base: Option<&Request>,
        method: &str,
        url: &str,
        headers: Vec<String>,
        body: Option<&[u8]>,
        chain: Option<&str>,
    ) -> Result<Request, JsValue>;
    #[wasm_bindgen(catch, js_name = jsonResponse)]
    pub(in super::super) fn json_response(status: u16, body: &[u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = response)]
    pub(in super::super) fn make_response(
        status: u16,
        headers: Vec<String>,
        body: Option<&[u8]>,
        socket: Option<&WebSocket>,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = streamResponse)]
    pub(in super::super) fn stream_response(
        status: u16,
        headers: Vec<String>,
        readable: &JsValue,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = changedResponse)]
    pub(in super::super) fn changed_response(
        response: &Response,
        status: u16,
        headers: Vec<String>,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = withCrossOriginHeaders)]
    pub(in super::super) fn with_cross_origin_headers(
        answer: &Promise,
        headers: Vec<String>,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = headersOf)]
    pub(in super::super) fn headers_of(response: &Response) -> Vec<String>;

    #[wasm_bindgen(catch)]
    pub(in super::super) fn open(
        namespace: &Namespace,
        name: Option<&str>,
        id: Option<&str>,
        hint: Option<&str>,
    ) -> Result<Fetcher, JsValue>;
    #[wasm_bindgen(catch, js_name = whenAborted)]
    pub(in super::super) fn when_aborted(request: &Request, gone: &JsValue) -> Result<(), JsValue>;
    /// Wraps bytes for another object. [`super::super::seam::remote::open_parcel`] unwraps them there.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn parcel(bytes: &[u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub(in super::super) fn call(
        stub: &Fetcher,
        method: &str,
        arguments: &[u8],
        chain: &[u8],
    ) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch)]
    pub(in super::super) fn put(kv: &Kv, key: &str, value: &[u8]) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    pub(in super::super) fn list(
        kv: &Kv,
        start: Option<&str>,
        end: Option<&str>,
        prefix: Option<&str>,
        reverse: bool,
        limit: Option<u32>,
    ) -> Result<Array, JsValue>;
    /// Not marked `catch`, because a trap in `body` passes through here and must not be returned as
    /// an error.
    pub(in super::super) fn transaction(
        storage: &Storage,
        body: &mut dyn FnMut() -> bool,
    ) -> JsValue;
    #[wasm_bindgen(catch, js_name = releaseIfEmpty)]
    pub(in super::super) fn release_if_empty(storage: &Storage) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_name = ensureAlarm)]
    pub(in super::super) fn ensure_alarm(storage: &Storage, at: f64) -> Result<(), JsValue>;
    /// The pair, if one is set.
    #[wasm_bindgen(js_name = automaticResponse)]
    pub(in super::super) fn automatic_response(state: &State) -> Vec<String>;
    #[wasm_bindgen(catch, js_name = isOpen)]
    pub(in super::super) fn is_open(socket: &WebSocket) -> Result<bool, JsValue>;
    #[wasm_bindgen(catch, js_name = deleteAll)]
    pub(in super::super) fn delete_all(storage: &Storage) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_name = setAlarm)]
    pub(in super::super) fn set_alarm(storage: &Storage, at: Option<f64>) -> Result<(), JsValue>;
    /// The names of the columns, the values of all rows in one array, and the number of rows
    /// written.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn query(
        sql: &Sql,
        statement: &str,
        parameters: Array,
    ) -> Result<Array, JsValue>;
    #[wasm_bindgen(catch)]
    pub(in super::super) fn accept(
        state: &State,
        tags: Vec<String>,
        attachment: &[u8],
    ) -> Result<Array, JsValue>;
    #[wasm_bindgen(catch, js_name = setAttachment)]
    pub(in super::super) fn set_attachment(
        socket: &WebSocket,
        attachment: &[u8],
    ) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = setAutomaticResponse)]
    pub(in super::super) fn set_automatic_response(
        state: &State,
        request: Option<&str>,
        response: Option<&str>,
    );
    #[wasm_bindgen(catch, js_name = send)]
    pub(in super::super) fn send_binary(socket: &WebSocket, bytes: &[u8]) -> Result<(), JsValue>;
}

#[wasm_bindgen(module = "/src/platform/worker/js/messagepack.js")]
extern "C" {
    /// JavaScript values, encoded one after another.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn encode(values: Vec<JsValue>) -> Result<Vec<u8>, JsValue>;
    /// A stored value that another program wrote.
    #[wasm_bindgen(catch, js_name = encodeStored)]
    pub(in super::super) fn encode_stored(value: &JsValue) -> Result<Vec<u8>, JsValue>;
    /// One encoded value.
    #[wasm_bindgen(catch)]
    pub(in super::super) fn decode(bytes: &[u8]) -> Result<JsValue, JsValue>;
}
