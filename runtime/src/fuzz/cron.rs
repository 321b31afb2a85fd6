//! Cron expressions: arbitrary text, and times compared with a search minute by minute.

use std::fmt::Write;

use bolero::TypeGenerator;
use bolero::generator::produce;
use chrono::{DateTime, Datelike, Timelike};

use super::target;
use crate::{CronSchedule, Timestamp};

const MINUTE: i64 = 60_000;
/// In minutes since 1970; it is in 2095.
const LATEST_MINUTE: u32 = 66_000_000;

#[derive(Clone, Debug, TypeGenerator)]
enum Piece {
    Space,
    Star,
    Slash,
    Dash,
    Comma,
    Number(u8),
    Large(i64),
    Name(Name),
    Text(String),
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Name {
    Feb,
    Mon,
    Last,
    Nearest,
    Hash,
    Question,
    Daily,
}

fn text_of(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Space => text.push(' '),
            Piece::Star => text.push('*'),
            Piece::Slash => text.push('/'),
            Piece::Dash => text.push('-'),
            Piece::Comma => text.push(','),
            Piece::Number(number) => text.push_str(&(number % 64).to_string()),
            Piece::Large(number) => text.push_str(&number.to_string()),
            Piece::Text(other) => text.push_str(other),
            Piece::Name(name) => text.push_str(match name {
                Name::Feb => "FEB",
                Name::Mon => "mon",
                Name::Last => "L",
                Name::Nearest => "W",
                Name::Hash => "#",
                Name::Question => "?",
                Name::Daily => "@daily",
            }),
        }
    }
    text
}

target!(
    cron_text_is_a_schedule_or_an_error,
    produce::<([Vec<Piece>; 5], i64)>(),
    |(fields, now)| {
        let text = fields.iter().map(|field| text_of(field));
        let text = text.collect::<Vec<_>>().join(" ");
        let Ok(schedule) = text.parse::<CronSchedule>() else {
            return;
        };
        let now = Timestamp::from_millis(*now);
        if let Some(next) = schedule.next_after(now) {
            assert!(next > now, "{text}: {next} after {now}");
            assert_eq!(next.as_millis() % MINUTE, 0, "{text}: {next}");
        }
    }
);

/// A field whose meaning is unambiguous.
#[derive(Clone, Debug, TypeGenerator)]
enum Field {
    Any,
    Step(u8),
    One(u8),
    Range(u8, u8),
    Either(u8, u8, u8),
    Stepped(u8, u8, u8),
}

/// A field within its bounds: its text, and its numbers.
struct Bound {
    text: String,
    takes: Vec<u32>,
    is_any: bool,
}

impl Field {
    fn within(&self, lowest: u32, highest: u32) -> Bound {
        let inside = |number: u8| lowest + u32::from(number) % (highest - lowest + 1);
        let step = |number: u8| 1 + u32::from(number) % (highest - lowest + 1);
        let ordered = |a: u8, b: u8| (inside(a).min(inside(b)), inside(a).max(inside(b)));
        let stepped = |first: u32, last: u32, step: u32| {
            (first..=last)
                .step_by(usize::try_from(step).unwrap_or(1))
                .collect()
        };
        let (text, takes): (String, Vec<u32>) = match *self {
            Self::Any => ("*".to_owned(), (lowest..=highest).collect()),
            Self::Step(by) => (
                format!("*/{}", step(by)),
                stepped(lowest, highest, step(by)),
            ),
            Self::One(number) => (inside(number).to_string(), vec![inside(number)]),
            Self::Range(a, b) => {
                let (first, last) = ordered(a, b);
                (format!("{first}-{last}"), (first..=last).collect())
            }
            Self::Either(a, b, c) => {
                let numbers = [inside(a), inside(b), inside(c)];
                let mut text = String::new();
                let _ = write!(text, "{},{},{}", numbers[0], numbers[1], numbers[2]);
                (text, numbers.to_vec())
            }
            Self::Stepped(a, b, by) => {
                let (first, last) = ordered(a, b);
                (
                    format!("{first}-{last}/{}", step(by)),
                    stepped(first, last, step(by)),
                )
            }
        };
        Bound {
            is_any: text == "*",
            text,
            takes,
        }
    }
}

target!(
    cron_times_are_those_of_a_search_day_by_day,
    produce::<([Field; 5], u32)>(),
    |(fields, minute)| {
        let bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        let fields: Vec<Bound> = fields
            .iter()
            .zip(bounds)
            .map(|(field, (lowest, highest))| field.within(lowest, highest))
            .collect();
        let [minutes, hours, days, months, weekdays] = &fields[..] else {
            unreachable!("five fields are generated")
        };
        // Implementations differ on whether a step over all days counts as a star or as a list.
        if days.text.starts_with("*/") || weekdays.text.starts_with("*/") {
            return;
        }
        let text = fields.iter().map(|field| field.text.as_str());
        let text = text.collect::<Vec<_>>().join(" ");
        let schedule: CronSchedule = text.parse().expect(&text);
        let now = i64::from(minute % LATEST_MINUTE) * MINUTE + 1;
        let matches_day = |date: DateTime<_>| {
            let by_day = days.takes.contains(&date.day());
            let by_weekday = weekdays
                .takes
                .contains(&date.weekday().num_days_from_sunday());
            let day = match (days.is_any, weekdays.is_any) {
                (false, false) => by_day || by_weekday,
                _ => by_day && by_weekday,
            };
            day && months.takes.contains(&date.month())
        };
        let date_of = |millis| DateTime::from_timestamp_millis(millis).expect("a date that exists");
        let day_length = 24 * 60 * MINUTE;
        // Every possible date occurs within eight years, except around the end of a century.
        let expected = (0..8 * 366).find_map(|day| {
            let midnight = now / day_length * day_length + day * day_length;
            if !matches_day(date_of(midnight)) {
                return None;
            }
            let times = (0..24 * 60).map(|minute| midnight + minute * MINUTE);
            times.filter(|time| *time > now).find(|time| {
                let date = date_of(*time);
                minutes.takes.contains(&date.minute()) && hours.takes.contains(&date.hour())
            })
        });
        let next = schedule.next_after(Timestamp::from_millis(now));
        if let Some(expected) = expected {
            assert_eq!(
                next.map(Timestamp::as_millis),
                Some(expected),
                "{text} after {now}"
            );
        } else {
            let later = now + 8 * 365 * day_length;
            assert!(
                next.is_none_or(|next| next.as_millis() > later),
                "{text} after {now}: {next:?}"
            );
        }
    }
);
