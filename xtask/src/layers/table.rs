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
            "id",
            "time",
            "origin",
            "limits",
            "class",
            "bounds",
            "arguments",
            "wire",
            "wire/",
            "text",
            "text/",
            "route",
            "cron",
            "sql_text",
            "sql/value",
            "sql/row",
            "storage/list",
            "storage/shared",
            "socket/message",
            "socket/accept",
            "schedule/run",
            "schedule/row",
            "fault",
            "turn",
            "user_code",
            "chain",
            "awaited_calls",
            "caller",
            "effects",
            "shard",
            "platform/segment",
            "platform/sql_message",
            "recognition/kind",
        ],
    },
    Layer {
        name: "platforms below HTTP",
        what: "the kernel, storage, sockets and requests of the native hosts; the bindings, tasks and promises of Workers",
        places: &[
            "platform/native/",
            "platform/native/kernel/",
            "platform/native/store/",
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
            "platform/native/accept",
            "platform/native/answers",
            "platform/native/assets",
            "platform/native/disk",
            "platform/native/handshake",
            "platform/native/outgoing",
            "platform/native/remote",
            "platform/native/sim/digest",
            "platform/native/sim/disk",
            "platform/native/sim/labels",
            "platform/native/sim/simulation",
            "platform/native/sim/trace",
            "platform/native/slot",
            "platform/native/state",
            "platform/native/work",
            "platform/worker/env",
            "platform/worker/namespace",
            "platform/worker/remote",
            "platform/worker/response",
            "platform/worker/state",
        ],
    },
    Layer {
        name: "handles",
        what: "the handles of a handler: storage, sockets, schedules, the context; `activation` is their shared state",
        places: &[
            "activation",
            "collections",
            "context",
            "fields",
            "migrations",
            "running_turn",
            "schedule/",
            "socket",
            "sql",
            "storage",
            "platform/worker/raw",
        ],
    },
    Layer {
        name: "tables",
        what: "the code of a class (`description`), its arguments, results and stubs",
        places: &[
            "call",
            "description",
            "descriptor",
            "recognition/",
            "stub",
            "object",
            "namespace",
        ],
    },
    Layer {
        name: "engine",
        what: "one object in memory, the same on each host",
        places: &["occupant", "running", "routing"],
    },
    Layer {
        name: "threads",
        what: "load objects into memory, and deliver events to them",
        places: &["platform/native/shard/", "platform/worker/class"],
    },
    Layer {
        name: "app",
        what: "mounts, guards, handlers",
        places: &["app"],
    },
    Layer {
        name: "hosts",
        what: "processes, tests and Workers that run an app; the items that generated code refers to",
        places: &[
            "lib",
            "private",
            "platform/native/mod",
            "platform/native/host",
            "platform/native/server",
            "platform/native/sim/",
            "platform/worker/entry",
            "platform/worker/mod",
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
