//! Defines cases.

use host_tests::{Client, Host, Kind};

/// One behaviour that both hosts must show.
pub struct Case {
    pub name: &'static str,
    /// The numbers in `docs/platform.md`, as `"P26 P31"`. Empty for promises of anchorhold's own.
    pub points: &'static str,
    pub test: Test,
    /// A note for the reader of the report.
    pub remark: &'static str,
    /// The only host that can show it.
    pub only: Option<Kind>,
    /// Started first, because it waits for long.
    pub slow: bool,
}

/// How a case is run.
#[derive(Clone, Copy)]
pub enum Test {
    /// On a host that serves other cases at the same time. The case uses only its own objects.
    Together(fn(&Client)),
    /// On a separate host, which the case may kill or make panic. On workerd a panic deletes the
    /// memory of every object.
    Alone(fn(&mut Host)),
}

impl Case {
    pub const fn together(name: &'static str, points: &'static str, test: fn(&Client)) -> Self {
        Self {
            name,
            points,
            test: Test::Together(test),
            remark: "",
            only: None,
            slow: false,
        }
    }

    pub const fn alone(name: &'static str, points: &'static str, test: fn(&mut Host)) -> Self {
        Self {
            name,
            points,
            test: Test::Alone(test),
            remark: "",
            only: None,
            slow: false,
        }
    }

    pub const fn remark(mut self, remark: &'static str) -> Self {
        self.remark = remark;
        self
    }

    /// Limits the case to one host. It cannot hold on the other host, for this reason.
    pub const fn only_on(mut self, kind: Kind, why: &'static str) -> Self {
        self.only = Some(kind);
        self.remark = why;
        self
    }

    pub const fn slow(mut self) -> Self {
        self.slow = true;
        self
    }

    pub fn runs_on(&self, kind: Kind) -> bool {
        self.only.is_none_or(|only| only == kind)
    }

    pub fn cites(&self, point: u8) -> bool {
        self.points
            .split(' ')
            .any(|cited| cited.strip_prefix('P') == Some(&point.to_string()))
    }
}
