//! The layers of the runtime, as in ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use super::source::Source;

/// Files that import only files of this layer and of lower ones.
struct Layer {
    name: &'static str,
    what: &'static str,
    /// Files without `.rs`, and folders that end in `/`. The longest match counts.
    places: &'static [&'static str],
}

/// Lowest first.
const LAYERS: &[Layer] = &[
    Layer {
        name: "words",
        what: "errors, limits, encodings; the descriptions of classes, calls and turns",
        places: &[
            "error",
            "error/",
            "time",
            "limits",
            "codec/",
            "turn",
            "turn/",
            "http/methods",
            "http/path",
            "http/origin",
            "http/token",
            "object/id",
            "object/class",
            "object/arguments",
            "schedule/cron",
            "schedule/run",
            "schedule/row",
            "storage/list",
            "storage/shared",
            "storage/sql_text",
            "storage/sql/value",
            "storage/sql/row",
            "socket/message",
            "socket/accept",
            "app/sharding",
            "macro_support/bounds",
            "macro_support/recognition/kind",
            "platform/segment",
            "platform/sql_message",
        ],
    },
    Layer {
        name: "platforms below HTTP",
        what: "the kernel, storage, sockets and requests of the native hosts; the bindings, tasks and promises of Workers",
        places: &[
            "platform/native/",
            "platform/native/seam/incoming",
            "platform/native/seam/raw_response",
            "platform/native/seam/request",
            "platform/native/seam/socket",
            "platform/native/seam/upgrade",
            "platform/native/executor/jobs",
            "platform/native/sim/carry",
            "platform/native/sim/disk_state",
            "platform/native/sim/faults",
            "platform/native/sim/limits",
            "platform/native/sim/panics",
            "platform/native/sim/pending_run",
            "platform/native/sim/pipe",
            "platform/native/sim/queue",
            "platform/native/sim/quiet",
            "platform/native/sim/socket",
            "platform/native/sim/under_way",
            "platform/worker/",
            "platform/worker/seam/incoming",
            "platform/worker/seam/raw_response",
            "platform/worker/seam/request",
            "platform/worker/seam/socket",
        ],
    },
    Layer {
        name: "HTTP",
        what: "requests and responses as handlers see them",
        places: &["http", "http/"],
    },
    Layer {
        name: "the seam",
        what: "`ObjectState`, `Env`, `Namespace`, `Remote`; they know their implementation only as a trait or a number",
        places: &[
            "platform/mod",
            "platform/native/seam/",
            "platform/native/executor/disk",
            "platform/native/executor/slot",
            "platform/native/executor/work",
            "platform/native/network/answer_body",
            "platform/native/network/answers",
            "platform/native/network/assets",
            "platform/native/network/connection",
            "platform/native/network/handshake",
            "platform/native/network/outgoing",
            "platform/native/sim/digest",
            "platform/native/sim/disk",
            "platform/native/sim/labels",
            "platform/native/sim/simulation",
            "platform/native/sim/trace",
            "platform/worker/seam/",
        ],
    },
    Layer {
        name: "handles",
        what: "the handles of a handler: storage, sockets, schedules, the context; `engine/activation` is their shared state",
        places: &[
            "object/context",
            "schedule/",
            "socket",
            "storage",
            "storage/",
            "engine/activation",
            "engine/running_turn",
            "platform/worker/raw",
        ],
    },
    Layer {
        name: "tables",
        what: "the code of a class (`engine/table`), its arguments, results and stubs",
        places: &[
            "object",
            "object/",
            "engine/input",
            "engine/table",
            "macro_support/",
        ],
    },
    Layer {
        name: "engine",
        what: "one object in memory, the same on each host",
        places: &["engine/"],
    },
    Layer {
        name: "threads",
        what: "load objects into memory, and deliver events to them",
        places: &["platform/native/executor/", "platform/worker/entry/class"],
    },
    Layer {
        name: "app",
        what: "mounts, guards, handlers",
        places: &["app", "app/"],
    },
    Layer {
        name: "hosts",
        what: "processes, tests and Workers that run an app; the items that generated code refers to",
        places: &[
            "lib",
            "macro_support/mod",
            "platform/native/mod",
            "platform/native/host",
            "platform/native/host/",
            "platform/native/network/server",
            "platform/native/sim/",
            "platform/worker/mod",
            "platform/worker/entry/",
        ],
    },
    Layer {
        name: "users",
        what: "the ready-made objects and the checkers, which use the public API only",
        places: &["objects/", "check/"],
    },
];

/// Returns the table in ARCHITECTURE.md.
pub fn markdown() -> String {
    let mut table =
        "| layer | what it is | files below `runtime/src` |\n| --- | --- | --- |\n".to_owned();
    for Layer { name, what, places } in LAYERS {
        let places: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {name} | {what} | {} |", places.join(" "));
    }
    table
}

/// Returns files without a layer, and imports of a file in a higher layer.
pub fn violations(source: &Source) -> Vec<String> {
    let mut violations: Vec<String> = source
        .files
        .iter()
        .filter(|file| layer_of(file).is_none())
        .map(|file| format!("{} is in no layer", file.display()))
        .collect();
    let imports: BTreeSet<(usize, usize)> = source.imports();
    for (from, to) in imports {
        let (from, to) = (&source.files[from], &source.files[to]);
        // Every module is declared under the crate's root, which re-exports what is public.
        if to != Path::new("lib.rs")
            && let (Some(lower), Some(upper)) = (layer_of(from), layer_of(to))
            && lower < upper
        {
            violations.push(format!(
                "{} ({}) imports {} ({})",
                from.display(),
                LAYERS[lower].name,
                to.display(),
                LAYERS[upper].name
            ));
        }
    }
    violations
}

fn layer_of(file: &Path) -> Option<usize> {
    let file = file.with_extension("");
    let file = file.to_str()?;
    let fits = |place: &&&str| match place.strip_suffix('/') {
        Some(_) => file.starts_with(**place),
        None => file == **place,
    };
    let longest = |layer: &Layer| {
        layer
            .places
            .iter()
            .filter(fits)
            .map(|place| place.len())
            .max()
    };
    LAYERS
        .iter()
        .enumerate()
        .filter_map(|(number, layer)| Some((longest(layer)?, number)))
        .max()
        .map(|(_, number)| number)
}
