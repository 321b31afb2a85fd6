//! Tests that the numbers on the page about limits are those of the code.

mod rows;

use std::collections::BTreeMap;

use anyhow::Result;
use rows::{NATIVE, PLATFORM, ROWS, SHOWN, WITHOUT_NUMBER};

use super::{cells, read, root};

const PAGE: &str = "docs/limits.md";

/// Whether the text contains the whole number: `2 MiB` is not part of `32 MiB`.
fn says(shown: &str, number: &str) -> bool {
    let is_digit = |character: char| character.is_ascii_digit();
    shown.match_indices(number).any(|(at, _)| {
        let (before, after) = (&shown[..at], &shown[at + number.len()..]);
        !before.ends_with(|character| is_digit(character) || character == ',')
            && !after.starts_with(is_digit)
            && !after
                .strip_prefix(',')
                .is_some_and(|rest| rest.starts_with(is_digit))
    })
}

#[test]
fn number_within_another_is_none() {
    assert!(says("60 s, then a ping and 60 s more", "60 s"));
    assert!(!says("32 MiB less 64 KiB", "2 MiB"));
    assert!(!says("1,100", "100") && !says("100,000 bytes", "100"));
}

#[test]
fn limits_are_those_of_the_code() -> Result<()> {
    let root = root()?;
    let page = read(&root, PAGE)?;
    let rows: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(cells)
        .filter(|cells| cells.len() == 4 && cells[0] != "what" && !cells[0].starts_with("---"))
        .map(|cells| (cells[0], cells[1]))
        .collect();
    let mut wrong = Vec::new();
    for (row, lines) in ROWS {
        let Some(shown) = rows.get(row) else {
            wrong.push(format!("{PAGE} has no row `{row}`"));
            continue;
        };
        for (file, part) in *lines {
            let path = if file.contains("src/") {
                (*file).to_owned()
            } else {
                format!("{NATIVE}/{file}")
            };
            if !read(&root, &path)?.contains(part) {
                wrong.push(format!(
                    "`{row}`: {path} no longer says `{part}`; the page says {shown}"
                ));
            }
            let listed = SHOWN.iter().find(|(code, _)| part.ends_with(code));
            let expected = listed.map(|(_, shown)| (*shown).to_owned());
            if let Some(expected) = expected.or_else(|| literal(part))
                && !says(shown, &expected)
            {
                wrong.push(format!(
                    "`{row}`: the page says {shown}, the code {expected}"
                ));
            }
        }
    }
    for row in rows.keys() {
        let is_known = ROWS.iter().any(|(known, _)| known == row)
            || PLATFORM.contains(row)
            || WITHOUT_NUMBER.contains(row);
        if !is_known {
            wrong.push(format!("no line of the code is named for the row `{row}`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The page about operating has the numbers that follow from the file descriptors.
#[test]
fn connections_are_computed_as_the_host_does() -> Result<()> {
    let root = root()?;
    let page = read(&root, "docs/operating.md")?;
    let admission = read(&root, "runtime/src/platform/native/network/admission.rs")?;
    let descriptors = read(&root, "runtime/src/platform/native/store/descriptors.rs")?;
    for part in ["OF_EACH: usize = 16;", "NOT_FOR_SOCKETS: usize = 16;"] {
        assert!(admission.contains(part), "{part}");
    }
    for part in ["EACH: u64 = 3;", "RESERVED: u64 = 128;"] {
        assert!(descriptors.contains(part), "{part}");
    }
    for limit in [1_024_u64, 20_000, 65_536] {
        let half = (limit - 128) / 2;
        let connections = half - half.div_ceil(16);
        let sockets = connections - connections.div_ceil(16);
        let row = [limit, connections, sockets, half / 3].map(thousands);
        let row = format!("| {} |", row.join(" | "));
        assert!(page.contains(&row), "docs/operating.md lacks {row}");
    }
    Ok(())
}

/// Returns the number at the end of a line of code such as `MAX_KEY: usize = 2_048;`, as the page
/// writes it.
fn literal(part: &str) -> Option<String> {
    let (before, number) = part.rsplit_once(' ')?;
    let number: u64 = number
        .trim_end_matches([';', ',', ')'])
        .replace('_', "")
        .parse()
        .ok()?;
    // Pages of 4 KiB make 10 GB, and the last factor of a product is not the number.
    if before.ends_with(['*', '+', '-', '<']) || before.contains("MAX_PAGES") {
        return None;
    }
    Some(if before.ends_with("_ms:") {
        format!("{} s", number / 1_000)
    } else {
        thousands(number)
    })
}

fn thousands(number: u64) -> String {
    match (number / 1_000, number % 1_000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands},{rest:03}"),
    }
}

/// A supervisor that kills the host earlier would interrupt its shutdown.
#[test]
fn supervisors_wait_longer_than_the_host() -> Result<()> {
    let root = root()?;
    let host = read(&root, "runtime/src/platform/native/host.rs")?;
    for part in [
        "DRAIN_TIMEOUT: Duration = Duration::from_secs(10);",
        "CLOSE_TIMEOUT: Duration = Duration::from_secs(5);",
        "CLOSE_TIMEOUT + Duration::from_secs(1);",
    ] {
        assert!(
            host.contains(part),
            "{part}: change the files below examples/hosting, too"
        );
    }
    let hosting = |file: &str| read(&root, &format!("examples/hosting/{file}"));
    assert!(hosting("starter.service")?.contains("\nTimeoutStopSec=20\n"));
    assert!(hosting("container.sh")?.contains("--stop-timeout 20 "));
    Ok(())
}
