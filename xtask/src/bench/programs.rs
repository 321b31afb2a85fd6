//! The programs that are compared, and their loads.

/// A request that is repeated, and the number of connections that repeat it.
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// JSON.
    pub(super) body: &'static str,
    pub(super) connections: u32,
}

const ADD: &str = r#"{"by":1}"#;
/// Changes no field, so the turn has nothing to commit.
const READ: &str = r#"{"by":0}"#;

static MEMORY: Load = Load {
    name: "RPC, in memory",
    path: "/memory/increment",
    body: ADD,
    connections: 16,
};
static DURABLE: Load = Load {
    name: "durable counter",
    path: "/durable/a/increment",
    body: ADD,
    connections: 16,
};
static DURABLE_READ: Load = Load {
    name: "durable counter, read",
    path: "/durable/a/increment",
    body: READ,
    connections: 16,
};
static DURABLE_64: Load = Load {
    name: "durable counter, 64 connections",
    path: "/durable/b/increment",
    body: ADD,
    connections: 64,
};

pub(super) const ANCHORHOLD: &str = "anchorhold";
pub(super) const EMBEDDED: &str = "anchorhold, embedded host";
pub(super) const HAND_WRITTEN: &str = "workers-rs by hand";
pub(super) const TYPESCRIPT: &str = "TypeScript";
/// The program of the checkout that `--before` names.
pub(super) const ANCHORHOLD_BEFORE: &str = "anchorhold before";
pub(super) const EMBEDDED_BEFORE: &str = "embedded host before";
/// The program that serves all the [ways](WAYS).
pub(super) const CHOICES: &str = "choices";

/// Each way to do a thing, and the request for it.
static WAYS: [(&str, Load); 7] = [
    (
        "request handed on",
        way("to the object and back", "/hand-on"),
    ),
    (
        "body read, then a call",
        way("to the object and back", "/call"),
    ),
    ("bytes", way("arguments and result of a call", "/bytes")),
    ("text", way("arguments and result of a call", "/text")),
    ("a number", way("arguments and result of a call", "/number")),
    ("shared", way("commits", "/shared-commit")),
    ("each event's own", way("commits", "/own-commit")),
];

const fn way(name: &'static str, path: &'static str) -> Load {
    Load {
        name,
        path,
        body: ADD,
        connections: 16,
    }
}

/// What is measured, and which results are compared.
pub(super) struct Compared {
    pub(super) subjects: Vec<(&'static str, &'static Load)>,
    /// The load, and the two programs whose rates are divided.
    pub(super) ratios: Vec<(&'static str, &'static str, &'static str)>,
}

pub(super) fn programs() -> Compared {
    let subjects = [
        (ANCHORHOLD, &MEMORY),
        (HAND_WRITTEN, &MEMORY),
        (TYPESCRIPT, &MEMORY),
        (ANCHORHOLD, &DURABLE),
        (HAND_WRITTEN, &DURABLE),
        (TYPESCRIPT, &DURABLE),
        (EMBEDDED, &DURABLE_64),
        (TYPESCRIPT, &DURABLE_64),
    ];
    let ratios = [
        (MEMORY.name, ANCHORHOLD, HAND_WRITTEN),
        (MEMORY.name, ANCHORHOLD, TYPESCRIPT),
        (DURABLE.name, ANCHORHOLD, HAND_WRITTEN),
        (DURABLE.name, ANCHORHOLD, TYPESCRIPT),
        (DURABLE_64.name, EMBEDDED, TYPESCRIPT),
    ];
    Compared {
        subjects: subjects.into(),
        ratios: ratios.into(),
    }
}

/// Compares this checkout with an earlier one.
pub(super) fn versions() -> Compared {
    let pairs = [
        (&MEMORY, ANCHORHOLD, ANCHORHOLD_BEFORE),
        (&DURABLE_READ, ANCHORHOLD, ANCHORHOLD_BEFORE),
        (&DURABLE, ANCHORHOLD, ANCHORHOLD_BEFORE),
        (&MEMORY, EMBEDDED, EMBEDDED_BEFORE),
        (&DURABLE_READ, EMBEDDED, EMBEDDED_BEFORE),
        (&DURABLE_64, EMBEDDED, EMBEDDED_BEFORE),
    ];
    let subjects = pairs
        .iter()
        .flat_map(|(load, now, before)| [(*now, *load), (*before, *load)])
        .collect();
    let ratios = pairs.map(|(load, now, before)| (load.name, now, before));
    Compared {
        subjects,
        ratios: ratios.into(),
    }
}

/// Compares every way with the last one to do the same thing.
pub(super) fn choices() -> Compared {
    let ratios = WAYS.iter().filter_map(|(way, load)| {
        let (last, _) = WAYS.iter().rfind(|(_, other)| other.name == load.name)?;
        (way != last).then_some((load.name, *way, *last))
    });
    Compared {
        subjects: WAYS.iter().map(|(way, load)| (*way, load)).collect(),
        ratios: ratios.collect(),
    }
}
