//! The kinds of faults that a simulated host has, and their frequency.

use std::collections::BTreeMap;
use std::fmt;

use super::super::random::SplitMix;

/// A fault that the simulator injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The process ends and restarts at once. Memory and sockets are lost. Commits are kept. A
    /// crash can happen:
    ///
    /// - before a turn, and at an await of a turn or of a handler of the app,
    /// - while a database is opened or closed,
    /// - between the commits of a batch, and before and after the disk has confirmed it,
    /// - before anything is sent.
    Crash,
    /// The power fails at any point where a crash can happen. Memory and sockets are lost. Each
    /// object also loses some of the last commits that the disk had not confirmed: none, some or
    /// all. The same applies to the index of alarms.
    PowerFailure,
    /// A turn panics before its first step, or at one of its awaits.
    Panic,
    /// A turn panics at a write to its storage.
    PanicAtWrite,
    /// The commit of one object fails.
    FailedCommit,
    /// The disk is full for up to 30 s. Writes, commits, opening databases, and changes of the
    /// index of alarms fail. Objects in memory can be read.
    FullDisk,
    /// The disk reports that it could not confirm the commits of one object, which are lost or
    /// kept. Or it reports that it could not write the index of alarms.
    FailedSync,
    /// The disk takes up to 20 s to confirm a commit, or to open or close a database.
    SlowDisk,
    /// The disk takes up to 3 minutes to confirm a commit, or to open or close a database. An
    /// object that waits for longer than 30 s is reset, and its callers are told that their writes
    /// may be kept or lost. Half of the operations that take so long fail.
    HangingSync,
    /// An alarm fires up to 2 minutes late.
    LateAlarm,
    /// The platform delivers an alarm again after its run has succeeded. The handler does not run
    /// again, because the run is no longer pending.
    RepeatedAlarm,
    /// A call between objects, or a request to the outside world, arrives up to 2 s late. Calls
    /// from one object to another keep their order (P68).
    SlowCall,
    /// An answer arrives up to 2 s late. Other answers can overtake it.
    SlowReply,
    /// A call between objects, or a request to the outside world, does not arrive. The caller
    /// receives a disconnected error.
    LostCall,
    /// A call or a request runs, but the caller receives a disconnected error instead of the
    /// answer. Clients of the app can be affected, too.
    LostReply,
    /// A request to the outside world arrives twice, up to 2 s apart. The sender receives the
    /// answer to the first one.
    RepeatedRequest,
    /// A connection is cut without a Close. Messages in flight are lost. Each end notices within 2
    /// minutes.
    DroppedSocket,
    /// An idle object is evicted from memory.
    Eviction,
    /// The clock is set forward or back, by up to an hour. It is never more than half an hour off
    /// the true time.
    ClockStep,
    /// The host is restarted with an app that lacks a class. Calls of its objects fail as
    /// [`CallError::Configuration`](crate::CallError::Configuration). Their alarms wait. Up to a
    /// minute later the deployment is rolled back.
    BadDeployment,
    /// From the start of the run, the host has small limits. Few events of an object can wait, and
    /// others are refused as overloaded. Few objects stay in memory. Few runs of alarms are under
    /// way.
    SmallLimits,
}

impl FaultKind {
    const ALL: [(Self, u32); 21] = [
        (Self::Crash, 400),
        (Self::PowerFailure, 400),
        (Self::Panic, 200),
        (Self::PanicAtWrite, 400),
        (Self::FailedCommit, 200),
        (Self::FullDisk, 800),
        (Self::FailedSync, 200),
        (Self::SlowDisk, 100),
        (Self::HangingSync, 400),
        (Self::LateAlarm, 20),
        (Self::RepeatedAlarm, 20),
        (Self::SlowCall, 20),
        (Self::SlowReply, 40),
        (Self::LostCall, 50),
        (Self::LostReply, 50),
        (Self::RepeatedRequest, 50),
        (Self::DroppedSocket, 100),
        (Self::Eviction, 20),
        (Self::ClockStep, 400),
        (Self::BadDeployment, 1_000),
        (Self::SmallLimits, 10),
    ];

    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().map(|(kind, _)| kind)
    }

    /// The kind's name in environment variables.
    pub(super) fn name(self) -> String {
        self.to_string().replace(' ', "-")
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Crash => "crash",
            Self::PowerFailure => "power failure",
            Self::Panic => "panic",
            Self::PanicAtWrite => "panic at a write",
            Self::FailedCommit => "failed commit",
            Self::FullDisk => "full disk",
            Self::FailedSync => "failed sync",
            Self::SlowDisk => "slow disk",
            Self::HangingSync => "hanging sync",
            Self::LateAlarm => "late alarm",
            Self::RepeatedAlarm => "repeated alarm",
            Self::SlowCall => "slow call",
            Self::SlowReply => "slow reply",
            Self::LostCall => "lost call",
            Self::LostReply => "lost reply",
            Self::RepeatedRequest => "repeated request",
            Self::DroppedSocket => "dropped socket",
            Self::Eviction => "eviction",
            Self::ClockStep => "clock step",
            Self::BadDeployment => "bad deployment",
            Self::SmallLimits => "small limits",
        })
    }
}

/// The kinds of faults that the simulator injects, and how often.
///
/// ```
/// use anchorhold::{FaultKind, Faults};
/// let faults = Faults::all().without(FaultKind::ClockStep).one_in(50, FaultKind::Crash);
/// # let _ = faults;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rates: BTreeMap<FaultKind, Rate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    /// 0 means never.
    one_in: u32,
    /// Whether each run has its own rate.
    varies: bool,
}

/// What a varying rate is multiplied by in a run. All factors are equally likely.
const FACTORS: [u32; 6] = [0, 1, 1, 1, 3, 10];

impl Faults {
    /// Injects no faults.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Injects every kind of fault, at rates suited to a test of a few hundred turns. In each run
    /// the seed omits some kinds and makes others up to ten times as frequent. Thus kinds of fault
    /// that rarely coincide meet in one run.
    #[must_use]
    pub fn all() -> Self {
        let vary = |(kind, one_in)| {
            let varies = true;
            (kind, Rate { one_in, varies })
        };
        Self {
            rates: FaultKind::ALL.map(vary).into(),
        }
    }

    /// Injects this kind at one in `n` of the points where it can happen. 0 means never.
    #[must_use]
    pub fn one_in(mut self, n: u32, kind: FaultKind) -> Self {
        let rate = Rate {
            one_in: n,
            varies: false,
        };
        self.rates.insert(kind, rate);
        self
    }

    /// Removes this kind.
    #[must_use]
    pub fn without(self, kind: FaultKind) -> Self {
        self.one_in(0, kind)
    }

    /// Returns the rates of one run, chosen by the seed.
    pub(super) fn for_run(mut self, dice: &SplitMix) -> Self {
        for rate in self.rates.values_mut().filter(|rate| rate.varies) {
            let factor = FACTORS[dice.below(FACTORS.len())];
            *rate = Rate {
                one_in: rate.one_in.checked_div(factor).unwrap_or(0),
                varies: false,
            };
        }
        self
    }

    pub(super) fn rate(&self, kind: FaultKind) -> Option<u32> {
        let rate = self.rates.get(&kind)?;
        (rate.one_in > 0).then_some(rate.one_in)
    }

    pub(super) fn are_none(&self) -> bool {
        self.rates.values().all(|rate| rate.one_in == 0)
    }
}
