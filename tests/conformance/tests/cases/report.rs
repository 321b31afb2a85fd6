//! The report: a table of cases against hosts.

use std::fmt::Write;

use host_tests::Kind;

use crate::case::Case;
use crate::run::CaseResult;

/// A table in Markdown whose columns also line up as plain text.
pub fn table(cases: &[&Case], results: &[CaseResult], elsewhere: &[(u8, &str)]) -> String {
    let mut rows = vec![["case", "points", "embedded", "workerd", "remark"].map(str::to_owned)];
    for case in cases {
        let verdict = |kind| verdict(case, kind, results);
        rows.push([
            case.name.to_owned(),
            case.points.to_owned(),
            verdict(Kind::Embedded),
            verdict(Kind::Workerd),
            case.remark.to_owned(),
        ]);
    }
    for (point, place) in elsewhere {
        rows.push([
            "(no case)".to_owned(),
            format!("P{point}"),
            "-".to_owned(),
            "-".to_owned(),
            (*place).to_owned(),
        ]);
    }
    render(&rows)
}

fn verdict(case: &Case, kind: Kind, results: &[CaseResult]) -> String {
    let result = results
        .iter()
        .find(|result| result.name == case.name && result.kind == kind);
    match result {
        Some(result) if result.is_failure() => "FAILS".to_owned(),
        Some(result) => format!("holds {:.1} s", result.took.as_secs_f32()),
        None if case.runs_on(kind) => "not run".to_owned(),
        None => "cannot".to_owned(),
    }
}

fn render(rows: &[[String; 5]]) -> String {
    let mut widths = [0; 5];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in widths {
                let _ = write!(text, "|{:-<1$}", "", width + 2);
            }
            text.push_str("|\n");
        }
    }
    text
}
