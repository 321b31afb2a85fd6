//! Each limit of the page, and the line of code that sets it.

/// Limits that the platform documents. The number is not in this repository's code.
pub const PLATFORM: &[&str] = &[
    "requests a second of one object",
    "memory of an isolate",
    "CPU time of an event",
];

/// Rows without a number of the code: they have no limit, or a link to where it is computed.
pub const WITHOUT_NUMBER: &[&str] = &["connections of the process", "pending runs of an object"];

const COMMON: &str = "runtime/src/limits.rs";
pub const NATIVE: &str = "runtime/src/platform/native";

/// Rows of the page, each with the lines of code that make it true. A line is a file and a part of
/// the line. A file without `src` in its path is relative to the embedded host's folder.
pub const ROWS: &[(&str, &[(&str, &str)])] = &[
    (
        "a JSON body that binds to arguments",
        &[(COMMON, "MAX_JSON_BODY: usize = 1024 * 1024;")],
    ),
    (
        "any request body",
        &[
            ("seam/request.rs", "MAX_BODY: usize = MAX_JSON_BODY;"),
            (COMMON, "MAX_JSON_BODY: usize = 1024 * 1024;"),
        ],
    ),
    (
        "`max_body`",
        &[(
            "macros/src/model/route.rs",
            "LARGEST: u64 = 2 * 1024 * 1024 * 1024;",
        )],
    ),
    (
        "a streaming response that `stub.fetch` reads",
        &[(
            "runtime/src/http.rs",
            "MAX_GATHERED: usize = 32 * 1024 * 1024;",
        )],
    ),
    (
        "silence of `Response::events`",
        &[(
            "runtime/src/http/event.rs",
            "KEEP_ALIVE: Duration = Duration::from_secs(15);",
        )],
    ),
    (
        "time for a request body to arrive",
        &[(
            "network/bodies.rs",
            "BODY_TIMEOUT: Duration = Duration::from_secs(30);",
        )],
    ),
    (
        "the head of a request",
        &[("network/connection.rs", "MAX_HEAD: usize = 64 * 1024;")],
    ),
    (
        "headers of a request",
        &[("network/connection.rs", "MAX_HEADERS: usize = 100;")],
    ),
    (
        "time for a head to arrive, and between requests",
        &[(
            "network/connection.rs",
            "HEAD_TIMEOUT: Duration = Duration::from_secs(60);",
        )],
    ),
    (
        "time in which a client takes no bytes of its response",
        &[(
            "network/peer.rs",
            "WRITE_PATIENCE: Duration = Duration::from_secs(30);",
        )],
    ),
    ("a name in a path", &[(COMMON, "MAX_NAME: usize = 1_024;")]),
    (
        "one file of assets",
        &[("network/assets.rs", "MAX_FILE: u64 = 25 * 1024 * 1024;")],
    ),
    (
        "unfinished request heads of a thread",
        &[("network/server.rs", "MAX_HEADS: usize = 64 * 1024 * 1024;")],
    ),
    (
        "unfinished request bodies of a thread",
        &[("network/bodies.rs", "MAX_BODIES: usize = 64 * 1024 * 1024;")],
    ),
    (
        "responses of a thread that clients have not read",
        &[(
            "network/answers.rs",
            "MAX_ANSWERS: usize = 128 * 1024 * 1024;",
        )],
    ),
    (
        "answers over 8 KiB on their way between threads",
        &[
            ("executor/mod.rs", "MAX_CROSSING: usize = 64 * 1024 * 1024;"),
            ("network/answers.rs", "SMALL: usize = 8 * 1024;"),
        ],
    ),
    (
        "HTTP connections for each thread, counted together",
        &[("network/admission.rs", "MAX_CONNECTIONS: usize = 16_384;")],
    ),
    (
        "arguments or result of a call",
        &[(COMMON, "MAX_CALL: usize = (32 << 20) - (64 << 10);")],
    ),
    (
        "how deep a value nests",
        &[(
            "runtime/src/codec/message_pack/nesting.rs",
            "MAX_DEPTH: usize = 128;",
        )],
    ),
    (
        "time that a turn waits for its start",
        &[(
            "runtime/src/engine/instance.rs",
            "MAX_WAIT: Duration = Duration::from_secs(30);",
        )],
    ),
    (
        "calls that wait for each other",
        &[("runtime/src/turn/chain.rs", "MAX_LINKS: usize = 64;")],
    ),
    (
        "`#[init]`",
        &[
            (
                "executor/turns.rs",
                "BLOCK_TIMEOUT: Duration = Duration::from_secs(30);",
            ),
            (
                "runtime/src/platform/worker/seam/state.rs",
                "INITIALISATION_LIMIT: Duration = Duration::from_secs(30);",
            ),
        ],
    ),
    (
        "events of one object that wait or run, without open streams",
        &[("kernel/limits.rs", "mailbox_events: 4_096,")],
    ),
    (
        "bytes of those events",
        &[("kernel/limits.rs", "mailbox_bytes: 64 * 1024 * 1024,")],
    ),
    (
        "time without an event until an object leaves memory",
        &[("kernel/limits.rs", "idle_ms: 10_000,")],
    ),
    (
        "idle objects in memory of a thread",
        &[("kernel/limits.rs", "resident_objects: 256,")],
    ),
    (
        "time until the disk confirms a write",
        &[("kernel/limits.rs", "commit_ms: 30_000,")],
    ),
    ("a key", &[(COMMON, "MAX_KEY: usize = 2_048;")]),
    (
        "key and value together; a field",
        &[(COMMON, "MAX_ENTRY: usize = 2 * 1024 * 1024;")],
    ),
    (
        "keys of one `get_many`, `put_many`, `delete_many`",
        &[(COMMON, "MAX_KEYS: usize = 128;")],
    ),
    (
        "an object",
        &[("store/place.rs", "MAX_PAGES: u32 = 2_621_440;")],
    ),
    (
        "a string, blob or row of SQL",
        &[(
            "store/authorizer.rs",
            "MAX_ROW: i32 = 2 * 1024 * 1024 + 64;",
        )],
    ),
    (
        "an SQL statement",
        &[(COMMON, "MAX_STATEMENT: usize = 100_000;")],
    ),
    (
        "parameters of a statement",
        &[(COMMON, "MAX_PARAMETERS: usize = 100;")],
    ),
    (
        "columns",
        &[("store/authorizer.rs", "SQLITE_LIMIT_COLUMN, 100)")],
    ),
    (
        "a `LIKE` or `GLOB` pattern",
        &[(
            "store/authorizer.rs",
            "SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50)",
        )],
    ),
    (
        "depth of an expression",
        &[("store/authorizer.rs", "SQLITE_LIMIT_EXPR_DEPTH, 100)")],
    ),
    (
        "terms of a compound `SELECT`",
        &[("store/authorizer.rs", "SQLITE_LIMIT_COMPOUND_SELECT, 5)")],
    ),
    (
        "integers in SQL",
        &[(
            "runtime/src/storage/sql/value.rs",
            "MAX_EXACT: i64 = 1 << 53;",
        )],
    ),
    (
        "time of one statement",
        &[(
            "store/authorizer.rs",
            "STATEMENT_LIMIT: Duration = Duration::from_secs(30);",
        )],
    ),
    (
        "sockets of one object",
        &[("seam/accept.rs", "MAX_SOCKETS: usize = 32_768;")],
    ),
    (
        "a session",
        &[(COMMON, "MAX_ATTACHMENT: usize = 16_384 - 64;")],
    ),
    (
        "tags of a socket",
        &[
            (COMMON, "MAX_TAGS: usize = 10;"),
            (COMMON, "MAX_TAG: usize = 256;"),
        ],
    ),
    (
        "each text of the automatic response",
        &[(COMMON, "MAX_AUTOMATIC_RESPONSE: usize = 2_048;")],
    ),
    (
        "the reason of a close",
        &[(COMMON, "MAX_CLOSE_REASON: usize = 123;")],
    ),
    (
        "an incoming message",
        &[(
            "network/transport.rs",
            "MAX_MESSAGE: usize = 32 * 1024 * 1024;",
        )],
    ),
    (
        "time for a message to arrive",
        &[(
            "network/transport.rs",
            "MESSAGE_TIMEOUT: Duration = Duration::from_secs(120);",
        )],
    ),
    (
        "silence of a peer",
        &[(
            "network/closing.rs",
            "SILENCE: Duration = Duration::from_secs(60);",
        )],
    ),
    (
        "messages of one socket that wait or run",
        &[("seam/socket.rs", "MAX_FLIGHTS: usize = 64;")],
    ),
    (
        "bytes that wait for one peer",
        &[("seam/socket.rs", "MAX_PENDING: usize = 16 * 1024 * 1024;")],
    ),
    (
        "bytes that wait for the peers of a thread",
        &[(
            "seam/socket.rs",
            "MAX_ALL_PENDING: usize = 128 * 1024 * 1024;",
        )],
    ),
    (
        "unfinished messages of a thread",
        &[(
            "network/transport.rs",
            "MAX_UNFINISHED: usize = 128 * 1024 * 1024;",
        )],
    ),
    (
        "tries of a run",
        &[("runtime/src/schedule/row.rs", "MAX_RETRIES: u32 = 6;")],
    ),
    (
        "time of a run",
        &[(
            "executor/alarms.rs",
            "RUN_TIMEOUT: Duration = Duration::from_secs(15 * 60);",
        )],
    ),
    (
        "runs under way in a thread",
        &[("kernel/limits.rs", "alarm_runs: 256,")],
    ),
    (
        "runs that start at the same time in a thread",
        &[("kernel/limits.rs", "alarm_starts: 32,")],
    ),
    (
        "`every`",
        &[("macros/src/model/alarm.rs", "at most `36500d`")],
    ),
    (
        "a run whose method the deployed version lacks",
        &[(
            "runtime/src/schedule/upkeep.rs",
            "KEPT_WITHOUT_METHOD_MILLIS: i64 = 30 * DAY_MILLIS;",
        )],
    ),
    (
        "time of a `ctx.fetch`",
        &[
            (
                "network/outgoing.rs",
                "TIMEOUT: Duration = Duration::from_secs(60);",
            ),
            (
                "runtime/src/platform/worker/seam/env.rs",
                "FETCH_LIMIT: Duration = Duration::from_secs(60);",
            ),
        ],
    ),
    (
        "the body of its answer",
        &[
            (
                "network/outgoing.rs",
                "MAX_RESPONSE: usize = 32 * 1024 * 1024;",
            ),
            (
                "runtime/src/platform/worker/seam/env.rs",
                "MOST_FETCHED: u32 = 32 * 1024 * 1024;",
            ),
        ],
    ),
    (
        "redirects",
        &[("network/outgoing.rs", "MAX_REDIRECTS: usize = 20;")],
    ),
    (
        "requests under way in a thread",
        &[("network/outgoing.rs", "MAX_FLIGHTS: usize = 64;")],
    ),
    (
        "answers of a thread while they arrive",
        &[(
            "network/outgoing.rs",
            "MAX_RESPONSES: usize = 128 * 1024 * 1024;",
        )],
    ),
];

/// How the page writes a number of the code.
pub const SHOWN: &[(&str, &str)] = &[
    (" = 1024 * 1024;", "1 MiB"),
    (" = 64 * 1024;", "64 KiB"),
    (" 2 * 1024 * 1024;", "2 MiB"),
    (" 16 * 1024 * 1024;", "16 MiB"),
    (" 25 * 1024 * 1024;", "25 MiB"),
    (" 32 * 1024 * 1024;", "32 MiB"),
    (" 64 * 1024 * 1024;", "64 MiB"),
    (" 128 * 1024 * 1024;", "128 MiB"),
    ("from_secs(30);", "30 s"),
    ("from_secs(60);", "60 s"),
    ("from_secs(120);", "120 s"),
];
