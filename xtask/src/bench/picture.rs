//! The picture of a report: a bar for each ratio, on a logarithmic scale.

use std::fmt::Write as _;

use super::report::Ratio;

const WIDTH: f64 = 860.0;
const BAR: f64 = 22.0;
/// The place of the ratio 1, and the pixels of a factor of ten.
const ONE: f64 = 520.0;
const TEN: f64 = 150.0;

/// Draws the ratios as SVG. Text takes the colour of the page on which the picture stands.
pub(super) fn draw(ratios: &[Ratio]) -> String {
    let rows = f64::from(u32::try_from(ratios.len()).unwrap_or(u32::MAX));
    let height = (rows + 1.0) * BAR + 12.0;
    let mut picture = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">
<style>text {{ fill: #24292f }} @media (prefers-color-scheme: dark) {{ text {{ fill: #d0d7de }} }}</style>
"#
    );
    let _ = writeln!(
        picture,
        r#"<text x="{ONE}" y="14" text-anchor="middle">as fast</text>"#
    );
    let mut top = BAR;
    for ratio in ratios {
        let length = ratio.ratio.log10() * TEN;
        let (left, colour) = if length < 0.0 {
            (ONE + length, "#cf222e")
        } else {
            (ONE, "#1a7f37")
        };
        let (middle, label) = (
            top + 14.0,
            escaped(&format!("{}: {} / {}", ratio.load, ratio.of, ratio.to)),
        );
        let _ = writeln!(
            picture,
            r#"<text x="0" y="{middle}">{label}</text><rect x="{left:.1}" y="{:.1}" width="{:.1}" height="{:.1}" fill="{colour}"/><text x="{:.1}" y="{middle}">{:.2}</text>"#,
            top + 3.0,
            length.abs().max(1.0),
            BAR - 6.0,
            ONE + length.max(0.0) + 6.0,
            ratio.ratio,
        );
        top += BAR;
    }
    picture += "</svg>\n";
    picture
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
