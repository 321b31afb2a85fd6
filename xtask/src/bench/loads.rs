//! The loads: what each requests, from which programs, and which results are compared.

use super::programs::{
    ANCHORHOLD, ANCHORHOLD_BEFORE, CHOICES, EMBEDDED, EMBEDDED_BEFORE, HAND_WRITTEN, TYPESCRIPT,
};

/// Requests that are repeated, and the number of connections that repeat them.
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) requests: Requests,
    pub(super) connections: u32,
}

/// What the requests of a load are. All of them are `POST`.
pub(super) enum Requests {
    /// One request, again and again. The body is JSON.
    Same {
        path: &'static str,
        body: &'static str,
    },
    /// One counter. Nine of ten requests change nothing.
    MostlyReads,
    /// Each request increments a counter at random, of as many.
    Counters(u32),
    /// Each request increments a counter that has never been used.
    NewNames,
    /// A page of 20 messages, which comes back.
    Page,
    /// Two texts of 50 kB, of which each fourth line differs.
    Texts,
}

const ADD: &str = r#"{"by":1}"#;
/// Changes no field, so the turn has nothing to commit.
const READ: &str = r#"{"by":0}"#;

const fn same(
    name: &'static str,
    connections: u32,
    path: &'static str,
    body: &'static str,
) -> Load {
    Load {
        name,
        requests: Requests::Same { path, body },
        connections,
    }
}

const fn counters(name: &'static str, count: u32) -> Load {
    Load {
        name,
        requests: Requests::Counters(count),
        connections: 64,
    }
}

static MEMORY: Load = same("call in memory", 16, "/memory/increment", ADD);
static PAGE: Load = Load {
    name: "call with a page of 20 messages",
    requests: Requests::Page,
    connections: 16,
};
static TEXTS: Load = Load {
    name: "diff of 100 kB",
    requests: Requests::Texts,
    connections: 16,
};
static DURABLE: Load = same("durable counter", 16, "/durable/a/increment", ADD);
static DURABLE_READ: Load = same("durable counter, reads", 16, "/durable/a/increment", READ);
static MOSTLY_READS: Load = Load {
    name: "durable counter, nine of ten reads",
    requests: Requests::MostlyReads,
    connections: 64,
};
static ONE: Load = counters("durable counters, 1 object", 1);
static TEN: Load = counters("durable counters, 10 objects", 10);
static HUNDRED: Load = counters("durable counters, 100 objects", 100);
static THOUSAND: Load = counters("durable counters, 1,000 objects", 1_000);
static TEN_THOUSAND: Load = counters("durable counters, 10,000 objects", 10_000);
static NEW: Load = Load {
    name: "first request to new names",
    requests: Requests::NewNames,
    connections: 32,
};

/// One program under one load.
pub(super) type Subject = (&'static str, &'static Load);

/// What is measured: pairs of which the first is divided by the second.
pub(super) type Pairs = Vec<[Subject; 2]>;

/// Compares anchorhold with its peers, and many objects with one.
pub(super) fn of_programs() -> Pairs {
    let on_workerd = [&MEMORY, &PAGE, &TEXTS, &DURABLE];
    let embedded = [
        &MOSTLY_READS,
        &ONE,
        &TEN,
        &HUNDRED,
        &THOUSAND,
        &TEN_THOUSAND,
        &NEW,
    ];
    let workerd_pairs = on_workerd
        .into_iter()
        .flat_map(|load| [HAND_WRITTEN, TYPESCRIPT].map(|peer| [(ANCHORHOLD, load), (peer, load)]));
    let embedded_pairs = embedded.map(|load| [(EMBEDDED, load), (TYPESCRIPT, load)]);
    workerd_pairs
        .chain(embedded_pairs)
        .chain([[(EMBEDDED, &THOUSAND), (EMBEDDED, &ONE)]])
        .collect()
}

/// Compares this checkout with an earlier one, whose programs may know only the counters.
pub(super) fn of_versions() -> Pairs {
    let on_workerd = [&MEMORY, &DURABLE_READ, &DURABLE];
    let embedded = [&MEMORY, &DURABLE_READ, &ONE, &THOUSAND, &NEW];
    on_workerd
        .map(|load| [(ANCHORHOLD, load), (ANCHORHOLD_BEFORE, load)])
        .into_iter()
        .chain(embedded.map(|load| [(EMBEDDED, load), (EMBEDDED_BEFORE, load)]))
        .collect()
}

/// Each way to do a thing on workerd, and the request for it. One program serves all of them.
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
    same(name, 16, path, ADD)
}

/// Compares every way with the last one to do the same thing.
pub(super) fn of_choices() -> Pairs {
    WAYS.iter()
        .filter_map(|(way, load)| {
            let (last, other) = WAYS.iter().rfind(|(_, other)| other.name == load.name)?;
            (way != last).then_some([(*way, load), (*last, other)])
        })
        .collect()
}

/// Returns the program that serves a subject.
pub(super) fn served_by(program: &'static str) -> &'static str {
    if WAYS.iter().any(|(way, _)| *way == program) {
        CHOICES
    } else {
        program
    }
}
