//! Random acts of a turn. Only acts whose outcome the plan determines are included. Nothing begins
//! automatically while the turn, or the one that called it, is running.

use conformance::differential::{Act, Ending, FAR, Recipients, Ring, SOON, Turn, Way, When};
use conformance::{Listing, Step as StorageStep};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use crate::plan::OBJECTS;
use crate::values::{integer, key, parameter, real, text, value};

/// The labels of a plan's sockets.
pub const LABELS: [&str; 4] = ["s0", "s1", "s2", "s3"];
/// Texts that the platform answers automatically when it is told to.
pub const PINGS: [&str; 2] = ["ping", "\u{e9}?"];

/// What a turn can do.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// `&mut self`
    mutable: bool,
    /// `async`
    waits: bool,
    /// Only a client waits for the turn, so it may begin background work.
    outermost: bool,
    /// How many calls or transactions may be nested.
    depth: u8,
    panics: bool,
}

impl Scope {
    pub fn of(way: Way, panics: bool) -> Self {
        Self {
            mutable: matches!(way, Way::Atomic | Way::Exclusive),
            waits: matches!(way, Way::Exclusive | Way::Shared),
            outermost: true,
            depth: 2,
            panics,
        }
    }

    fn inside(self) -> Self {
        Self {
            depth: self.depth - 1,
            ..self
        }
    }
}

pub fn acts(scope: Scope) -> BoxedStrategy<Vec<Act>> {
    prop::collection::vec(act(scope), 0..6).boxed()
}

/// Returns the other turns of a plan, complete with the objects that run them.
pub fn turn(panics: bool) -> BoxedStrategy<Turn> {
    turn_in(Scope::of(Way::Atomic, panics))
}

fn turn_in(scope: Scope) -> BoxedStrategy<Turn> {
    let ways = vec![Way::Atomic, Way::Look, Way::Exclusive, Way::Shared];
    (select(OBJECTS.as_slice()), select(ways), ending())
        .prop_flat_map(move |(to, way, ending)| {
            let scope = Scope {
                outermost: scope.outermost,
                depth: scope.depth,
                ..Scope::of(way, scope.panics)
            };
            acts(scope).prop_map(move |acts| Turn {
                to: to.to_owned(),
                way,
                acts,
                ending,
            })
        })
        .boxed()
}

pub fn ending() -> BoxedStrategy<Ending> {
    prop_oneof![3 => Just(Ending::Succeed), 1 => Just(Ending::Fail)].boxed()
}

fn act(scope: Scope) -> BoxedStrategy<Act> {
    let mut choices = vec![
        (2, Just(Act::Fields).boxed()),
        (10, storage_step().prop_map(Act::Storage).boxed()),
        (4, sql().prop_map(Act::Storage).boxed()),
        (4, sockets()),
        (3, far_runs()),
    ];
    if scope.mutable {
        choices.push((8, fields(scope)));
    }
    if scope.depth > 0 {
        let inside = Scope {
            waits: false,
            ..scope.inside()
        };
        let transaction = (acts(inside), prop::bool::weighted(0.6))
            .prop_map(|(acts, keep)| Act::Transaction { acts, keep });
        choices.push((4, transaction.boxed()));
    }
    if scope.waits {
        choices.push((2, Just(Act::Sleep).boxed()));
        choices.push((1, Just(Act::Sync).boxed()));
        if scope.depth > 0 {
            let called = Scope {
                outermost: false,
                // On workerd a panic also ends the caller, with its writes: see S8.
                panics: false,
                ..scope.inside()
            };
            choices.push((5, turn_in(called).prop_map(Act::Call).boxed()));
        }
    } else if scope.outermost && scope.depth > 0 {
        choices.push((2, soon(scope.inside())));
        choices.push((1, later(scope.inside())));
    }
    if scope.panics {
        choices.push((1, Just(Act::Panic).boxed()));
    }
    choices.push((
        1,
        prop_oneof![3 => Just(Act::Fields), 1 => Just(Act::Abort)].boxed(),
    ));
    Union::new_weighted(choices).boxed()
}

fn fields(scope: Scope) -> BoxedStrategy<Act> {
    let mut choices = vec![
        integer().prop_map(|by| Act::Add { by }).boxed(),
        text().prop_map(|text| Act::Rename { text }).boxed(),
        (map_key(), value())
            .prop_map(|(key, value)| Act::Insert { key, value })
            .boxed(),
        map_key().prop_map(|key| Act::Remove { key }).boxed(),
        (integer(), real())
            .prop_map(|(key, value)| Act::Number { key, value })
            .boxed(),
        value().prop_map(|value| Act::Push { value }).boxed(),
        prop_oneof![Just(Act::Fields), Just(Act::Clear)].boxed(),
    ];
    if !scope.panics {
        choices.push(Just(Act::Remember).boxed());
    }
    Union::new(choices).boxed()
}

fn map_key() -> BoxedStrategy<String> {
    prop_oneof![
        3 => select(["k", "l", "k/1"].as_slice()).prop_map(str::to_owned),
        1 => key(),
    ]
    .boxed()
}

fn storage_step() -> BoxedStrategy<StorageStep> {
    let keys = || prop::collection::vec(key(), 0..4);
    prop_oneof![
        4 => (key(), value()).prop_map(|(key, value)| StorageStep::Put { key, value }),
        3 => key().prop_map(|key| StorageStep::Get { key }),
        2 => key().prop_map(|key| StorageStep::Delete { key }),
        1 => keys().prop_map(|keys| StorageStep::GetMany { keys }),
        1 => keys().prop_map(|keys| StorageStep::DeleteMany { keys }),
        1 => prop::collection::vec((key(), value()), 0..4)
            .prop_map(|entries| StorageStep::PutMany { entries }),
        1 => many_keys(),
        1 => large_text(),
        3 => listing().prop_map(StorageStep::List),
        1 => prop_oneof![
            2 => key().prop_map(|key| StorageStep::Get { key }),
            1 => Just(StorageStep::DeleteAll),
        ],
    ]
    .boxed()
}

/// Returns about 128 keys.
fn many_keys() -> BoxedStrategy<StorageStep> {
    (127..130_usize, 0..3)
        .prop_map(|(count, kind)| {
            let keys: Vec<_> = (0..count).map(|number| format!("many/{number}")).collect();
            match kind {
                0 => StorageStep::GetMany { keys },
                1 => StorageStep::DeleteMany { keys },
                _ => {
                    let entries = keys.into_iter().map(|key| (key, 1.into()));
                    StorageStep::PutMany {
                        entries: entries.collect(),
                    }
                }
            }
        })
        .boxed()
}

/// Returns values near the limit: 2 MiB for key and value. A text takes five bytes more than its
/// own.
fn large_text() -> BoxedStrategy<StorageStep> {
    const LIMIT: usize = 2 << 20;
    prop_oneof![
        6 => 0..300_usize,
        2 => 65_530..65_540_usize,
        1 => LIMIT - 8..LIMIT - 2,
    ]
    .prop_map(|bytes| StorageStep::PutText {
        key: "k".to_owned(),
        bytes,
    })
    .boxed()
}

fn listing() -> BoxedStrategy<Listing> {
    let bound = || prop::option::weighted(0.3, key());
    let limit = prop::option::weighted(0.3, 0..4_usize);
    (bound(), bound(), bound(), bound(), any::<bool>(), limit)
        .prop_map(
            |(start, start_after, end, prefix, reverse, limit)| Listing {
                start,
                start_after,
                end,
                prefix,
                reverse,
                limit,
            },
        )
        .boxed()
}

/// Statements with their number of parameters.
const STATEMENTS: [(&str, usize); 39] = [
    ("INSERT INTO word (id, text, number) VALUES (?, ?, ?)", 3),
    (
        "INSERT OR REPLACE INTO word (id, text, number) VALUES (?, ?, ?) RETURNING *",
        3,
    ),
    (
        "INSERT OR IGNORE INTO word (text, number) VALUES (?1, ?2)",
        2,
    ),
    (
        "INSERT INTO word (text) VALUES (?) ON CONFLICT (text) DO UPDATE SET number = coalesce(number, 0) + 1",
        1,
    ),
    ("UPDATE word SET number = ? WHERE id < 3", 1),
    ("DELETE FROM word WHERE id = ?", 1),
    (
        "SELECT id, text, number, typeof(number) FROM word ORDER BY id",
        0,
    ),
    ("SELECT ?, ?2, typeof(?1)", 2),
    ("SELECT sum(number), count(*), max(text) FROM word", 0),
    ("SELECT last_insert_rowid()", 0),
    ("INSERT INTO mention VALUES (?)", 1),
    ("DELETE FROM mention", 0),
    ("SELECT upper(?), length(?1), hex(?1), quote(?1)", 1),
    ("SELECT ? || ?", 2),
    ("SELECT ? < ?, ?1 = ?2, ?1 IS ?2", 2),
    ("SELECT json_extract(?, '$.a'), json_valid(?1)", 1),
    ("SELECT json_group_array(text) FROM word", 0),
    (
        "SELECT CAST(? AS INTEGER), CAST(?1 AS REAL), CAST(?1 AS TEXT)",
        1,
    ),
    (
        "SELECT round(?, 2), abs(?1), sqrt(2), 7 / 2, 7 % 0, 9223372036854775807 + 1",
        1,
    ),
    (
        "SELECT 9007199254740993, -9223372036854775808, 1e400, -1e400, 0.1 + 0.2",
        0,
    ),
    ("SELECT x'00ff', zeroblob(3), '' || x'414243'", 0),
    ("SELECT text LIKE ?, text GLOB 'a*' FROM word", 1),
    (
        "SELECT strftime('%Y', 0, 'unixepoch'), date('2024-02-30'), unixepoch('2024-01-01')",
        0,
    ),
    (
        "SELECT printf('%05.2f %s %d', 3.14159, 'a', 7), substr('\u{e9}\u{10000}x', 2, 1), instr('abc', 'c')",
        0,
    ),
    ("CREATE TABLE IF NOT EXISTS extra (a, b DEFAULT 7)", 0),
    ("INSERT INTO extra (a) VALUES (?) RETURNING rowid, b", 1),
    ("DROP TABLE IF EXISTS extra", 0),
    ("CREATE INDEX IF NOT EXISTS by_number ON word (number)", 0),
    ("ALTER TABLE extra ADD COLUMN c TEXT DEFAULT 'c'", 0),
    ("SELECT * FROM nowhere", 0),
    ("SELECT nothing FROM word", 0),
    ("SELEC 1", 0),
    ("", 0),
    ("BEGIN", 0),
    ("SAVEPOINT a", 0),
    ("SELECT * FROM _cf_KV", 0),
    ("CREATE TEMP TABLE t (a)", 0),
    ("PRAGMA user_version", 0),
    ("SELECT load_extension('x'), randomblob(1)", 0),
];

fn sql() -> BoxedStrategy<StorageStep> {
    (
        select(STATEMENTS.as_slice()),
        prop::collection::vec(parameter(), 4),
        prop::bool::weighted(0.05),
    )
        .prop_map(|((statement, count), mut parameters, is_one_more)| {
            parameters.truncate(count + usize::from(is_one_more));
            StorageStep::Sql {
                statement: statement.to_owned(),
                parameters,
            }
        })
        .boxed()
}

fn sockets() -> BoxedStrategy<Act> {
    let label = || select(LABELS.as_slice()).prop_map(str::to_owned);
    let recipients = prop_oneof![
        Just(Recipients::All),
        tag().prop_map(Recipients::Tagged),
        label().prop_map(Recipients::One),
    ];
    prop_oneof![
        3 => (recipients, text()).prop_map(|(to, text)| Act::Send { to, text }),
        1 => (label(), prop_oneof![Just(0_usize), Just(100), 16_290..16_310_usize])
            .prop_map(|(of, padding)| Act::SetSession { of, padding }),
        2 => Just(Act::Sessions),
        1 => (label(), close_code(), close_reason())
            .prop_map(|(of, code, reason)| Act::Close { of, code, reason }),
        1 => prop::option::of((select(PINGS.as_slice()), 0..3_u8)).prop_map(|pair| {
            let pair = pair.map(|(ping, number)| (ping.to_owned(), format!("auto: {number}")));
            Act::AnswerPings { pair }
        }),
    ]
    .boxed()
}

pub fn tag() -> BoxedStrategy<String> {
    select(["blue", "red", "\u{e9}\u{10000}"].as_slice())
        .prop_map(str::to_owned)
        .boxed()
}

pub fn close_code() -> BoxedStrategy<u16> {
    select(
        [
            1000, 1001, 1002, 1003, 1005, 1006, 1011, 1014, 1015, 3000, 4999, 5000,
        ]
        .as_slice(),
    )
    .boxed()
}

pub fn close_reason() -> BoxedStrategy<String> {
    let longest = "r".repeat(123);
    select(vec![
        String::new(),
        "bye".to_owned(),
        "\u{e9}\u{10000}".to_owned(),
        longest.clone(),
        longest + "r",
    ])
    .boxed()
}

/// Returns runs that are due long after the plan.
fn far_runs() -> BoxedStrategy<Act> {
    const FUTURE: i64 = 4_102_444_800_000;
    let key = || select(FAR.as_slice()).prop_map(str::to_owned);
    let time = prop_oneof![
        6 => FUTURE..FUTURE + 3,
        1 => Just(0_i64),
        1 => Just(-1_i64),
        1 => Just(8_640_000_000_000_000_i64),
        1 => Just(8_640_000_000_000_001_i64),
    ];
    prop_oneof![
        2 => (key(), time).prop_map(|(key, time)| Act::Ring {
            key,
            when: When::At(time),
            ring: Ring { acts: Vec::new(), failures: 0, aborts: false },
        }),
        1 => key().prop_map(|key| Act::Cancel { key }),
        1 => key().prop_map(|key| Act::Next { key }),
    ]
    .boxed()
}

/// Returns a run that is due at once or soon. The plan waits for it.
fn soon(scope: Scope) -> BoxedStrategy<Act> {
    let inside = Scope {
        outermost: false,
        ..Scope::of(Way::Atomic, false)
    };
    let inside = Scope {
        depth: scope.depth,
        panics: scope.panics,
        ..inside
    };
    let failures = prop::bool::weighted(0.06).prop_map(u32::from);
    // A run may cancel its own retry.
    let cancel = select(SOON.as_slice()).prop_map(|key| Act::Cancel {
        key: key.to_owned(),
    });
    let acts = prop::collection::vec(prop_oneof![8 => act(inside), 1 => cancel], 0..6);
    let ring = (acts, failures, prop::bool::weighted(0.3));
    (0..SOON.len(), ring)
        .prop_map(|(number, (acts, failures, aborts))| Act::Ring {
            key: SOON[number].to_owned(),
            when: When::After(number as u64 * 20),
            ring: Ring {
                acts: acts
                    .into_iter()
                    .filter(|act| !matches!(act, Act::Abort))
                    .collect(),
                failures,
                aborts,
            },
        })
        .boxed()
}

/// Returns work that continues after the turn has succeeded.
fn later(scope: Scope) -> BoxedStrategy<Act> {
    let called = Scope {
        outermost: false,
        ..scope
    };
    (
        prop::collection::vec(storage_step(), 0..3),
        prop::option::of(turn_in(called)),
    )
        .prop_map(|(steps, call)| Act::Later { steps, call })
        .boxed()
}
