//! Named schedules: `#[alarm]`, `#[alarm(every = "60s")]`, `#[alarm(cron = "…")]`.

use std::str::FromStr;

use croner::Cron;
use croner::time::Weekday;
use syn::{Attribute, LitStr};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::options;
use crate::parse::RawRole;

const EXAMPLE_EVERY: &str = "every = \"60s\"";
const EXAMPLE_CRON: &str = "cron = \"0 3 * * *\"";

/// A hundred years. Dates thus stay within what the platforms can express.
const LONGEST_INTERVAL_MILLIS: u64 = 36_500 * 24 * 60 * 60 * 1_000;

pub enum Recurrence {
    OnDemand,
    EveryMillis(u64),
    Cron(LitStr),
}

pub struct Alarm<'a> {
    pub attribute: &'a Attribute,
    pub recurrence: Recurrence,
}

impl<'a> Alarm<'a> {
    pub fn from_raw(diagnostics: &Diagnostics, role: &'a RawRole) -> Option<Self> {
        let mut arguments = diagnostics
            .ok_or_report(Arguments::of(&role.attribute, "#[alarm(every = \"60s\")]"))?;
        let every = arguments.take("every");
        let cron = arguments.take("cron");
        arguments.reject_rest(diagnostics, "alarm", options::of_role(role.name));
        let recurrence = match (every, cron) {
            (None, None) => Recurrence::OnDemand,
            (Some(_), Some(cron)) => {
                diagnostics.error(
                    &cron.key,
                    "`every` and `cron` cannot be combined\nhelp: write two alarms",
                );
                return None;
            }
            (Some(every), None) => {
                let literal = diagnostics.ok_or_report(every.string(EXAMPLE_EVERY))?;
                diagnostics
                    .ok_or_report(parse_interval(&literal))
                    .map(Recurrence::EveryMillis)?
            }
            (None, Some(cron)) => {
                let literal = diagnostics.ok_or_report(cron.string(EXAMPLE_CRON))?;
                diagnostics
                    .ok_or_report(check_cron(&literal))
                    .map(|()| Recurrence::Cron(literal))?
            }
        };
        Some(Self {
            attribute: &role.attribute,
            recurrence,
        })
    }

    pub fn recurs(&self) -> bool {
        !matches!(self.recurrence, Recurrence::OnDemand)
    }
}

fn parse_interval(literal: &LitStr) -> syn::Result<u64> {
    let text = literal.value();
    let wrong = |message: &str| {
        syn::Error::new_spanned(
            literal,
            format!("{message}\nhelp: write for example `{EXAMPLE_EVERY}`"),
        )
    };
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    // A sign is not a digit, but `parse` accepts one.
    if !digits.chars().all(|character| character.is_ascii_digit()) {
        return Err(wrong("an interval must begin with a whole number"));
    }
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60 * 1_000,
        "h" => 60 * 60 * 1_000,
        "d" => 24 * 60 * 60 * 1_000,
        _ => {
            return Err(wrong(
                "an interval must be a whole number followed by `ms`, `s`, `m`, `h` or `d`",
            ));
        }
    };
    let count: u64 = digits
        .parse()
        .map_err(|_| wrong("an interval must begin with a whole number"))?;
    match count.checked_mul(unit) {
        Some(0) => Err(wrong("the interval must be greater than zero")),
        Some(millis) if millis <= LONGEST_INTERVAL_MILLIS => Ok(millis),
        _ => Err(wrong("the interval must be at most `36500d`")),
    }
}

fn check_cron(literal: &LitStr) -> syn::Result<()> {
    let text = literal.value();
    let wrong = |message: String| {
        syn::Error::new_spanned(
            literal,
            format!(
                "{message}\nhelp: write minute, hour, day, month and weekday (UTC), for example `{EXAMPLE_CRON}`"
            ),
        )
    };
    let fields = text.split_whitespace().count();
    if fields != 5 {
        return Err(wrong(format!(
            "a cron expression must have five fields, found {fields}"
        )));
    }
    let cron = Cron::from_str(&text)
        .map_err(|error| wrong(format!("invalid cron expression ({error})")))?;
    if !occurs(&cron) {
        return Err(wrong(String::from(
            "no day matches this cron expression, so the alarm would never run",
        )));
    }
    Ok(())
}

/// Whether any day matches. In the calendar of these years each date falls on each weekday. The
/// calendar repeats afterwards.
fn occurs(cron: &Cron) -> bool {
    const YEARS: std::ops::Range<i32> = 2000..2041;
    // 1 January 2000 was a Saturday.
    let weekdays = [
        Weekday::Saturday,
        Weekday::Sunday,
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
    ];
    let days = YEARS.flat_map(|year| {
        (1..=12)
            .flat_map(move |month| (1..=days_of(year, month)).map(move |day| (year, month, day)))
    });
    days.zip(weekdays.into_iter().cycle())
        .any(|((year, month, day), weekday)| {
            let pattern = &cron.pattern;
            let in_month = pattern.month_match(month).is_ok_and(|matches| matches);
            in_month
                && pattern
                    .day_match(year, month, day, weekday)
                    .is_ok_and(|matches| matches)
        })
}

fn days_of(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(text: &str) -> Option<u64> {
        parse_interval(&LitStr::new(text, proc_macro2::Span::call_site())).ok()
    }

    #[test]
    fn intervals_are_counted_in_milliseconds() {
        assert_eq!(interval("250ms"), Some(250));
        assert_eq!(interval("60s"), Some(60_000));
        assert_eq!(interval("2h"), Some(7_200_000));
        for text in [
            "0s",
            "",
            "s",
            "60",
            "1.5s",
            "60 s",
            "60sec",
            "-1s",
            "18446744073709551615d",
        ] {
            assert_eq!(interval(text), None, "{text}");
        }
    }

    #[test]
    fn cron_expressions_have_five_fields() {
        let cron =
            |text: &str| check_cron(&LitStr::new(text, proc_macro2::Span::call_site())).is_ok();
        assert!(cron("*/5 * * * *"));
        assert!(cron("0 3 * * MON"));
        assert!(!cron("0 * * * * *"));
        assert!(!cron("61 * * * *"));
        assert!(!cron("@daily"));
    }

    #[test]
    fn cron_expressions_that_no_day_matches_are_refused() {
        let cron =
            |text: &str| check_cron(&LitStr::new(text, proc_macro2::Span::call_site())).is_ok();
        for text in [
            "0 0 29 2 *",
            "0 0 29 2 +MON",
            "*/7 3-5 L * *",
            "0 12 * * FRI#5",
        ] {
            assert!(cron(text), "{text}");
        }
        for text in [
            "0 0 30 2 *",
            "0 0 31 2,4,6,9,11 *",
            "0 0 1-7 * +1#5",
            "* * L * +1#1",
        ] {
            assert!(!cron(text), "{text}");
        }
    }
}
