//! What was measured, as a table, as JSON and as a picture.

use serde::Serialize;

use super::loads::{Pairs, Subject};

/// The rates of one program under one load, a figure for each round.
#[derive(Serialize)]
pub(super) struct Row {
    load: &'static str,
    program: &'static str,
    requests_per_second: Vec<f64>,
    median: f64,
    slowest: f64,
    fastest: f64,
}

#[derive(Serialize)]
pub(super) struct Ratio {
    pub(super) load: &'static str,
    pub(super) of: &'static str,
    pub(super) to: String,
    /// The median of the ratios of each round. Drift of the machine affects both rates of a round
    /// alike.
    pub(super) ratio: f64,
    lowest: f64,
    highest: f64,
}

/// A figure that is not a rate of requests.
#[derive(Serialize)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) program: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
}

#[derive(Serialize)]
pub(super) struct Report {
    rounds: usize,
    seconds: u32,
    rows: Vec<Row>,
    pub(super) ratios: Vec<Ratio>,
    figures: Vec<Figure>,
}

impl Report {
    pub(super) fn new(
        (rounds, seconds): (usize, u32),
        rates: &[(Subject, Vec<f64>)],
        pairs: &Pairs,
        figures: Vec<Figure>,
    ) -> Self {
        Self {
            rounds,
            seconds,
            rows: rates.iter().map(row).collect(),
            ratios: pairs.iter().map(|pair| ratio(rates, pair)).collect(),
            figures,
        }
    }

    pub(super) fn print(&self) {
        if !self.rows.is_empty() {
            println!(
                "\n{:<36} {:<26} {:>9}  slowest to fastest",
                "load", "program", "median/s"
            );
        }
        for row in &self.rows {
            println!(
                "{:<36} {:<26} {:>9.0}  {:.0} to {:.0}",
                row.load, row.program, row.median, row.slowest, row.fastest
            );
        }
        if !self.ratios.is_empty() {
            println!("\n{:<36} {:<54} {:>6}", "load", "ratio", "median");
        }
        for ratio in &self.ratios {
            println!(
                "{:<36} {:<54} {:>6.2}  {:.2} to {:.2}",
                ratio.load,
                format!("{} / {}", ratio.of, ratio.to),
                ratio.ratio,
                ratio.lowest,
                ratio.highest
            );
        }
        if !self.figures.is_empty() {
            println!();
        }
        for figure in &self.figures {
            println!(
                "{:<36} {:<26} {:>9.1} {}",
                figure.name, figure.program, figure.value, figure.unit
            );
        }
    }
}

fn row(((program, load), rates): &(Subject, Vec<f64>)) -> Row {
    let [slowest, median, fastest] = spread(rates);
    Row {
        load: load.name,
        program,
        median,
        slowest,
        fastest,
        requests_per_second: rates.clone(),
    }
}

fn ratio(rates: &[(Subject, Vec<f64>)], [of, to]: &[Subject; 2]) -> Ratio {
    let of_subject = |(program, load): &Subject| {
        rates
            .iter()
            .find(|((other, other_load), _)| other == program && other_load.name == load.name)
            .map_or(&[][..], |(_, rates)| rates)
    };
    let ratios: Vec<f64> = of_subject(of)
        .iter()
        .zip(of_subject(to))
        .map(|(of, to)| of / to)
        .collect();
    let [lowest, ratio, highest] = spread(&ratios);
    Ratio {
        load: of.1.name,
        of: of.0,
        to: if of.1.name == to.1.name {
            to.0.to_owned()
        } else {
            format!("{}, {}", to.0, to.1.name)
        },
        ratio,
        lowest,
        highest,
    }
}

/// Returns the lowest, the median and the highest.
fn spread(figures: &[f64]) -> [f64; 3] {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.as_slice() {
        [] => [f64::NAN; 3],
        [lowest, ..] => [*lowest, sorted[sorted.len() / 2], sorted[sorted.len() - 1]],
    }
}
