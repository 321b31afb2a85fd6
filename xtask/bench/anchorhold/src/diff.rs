//! Work for a processor: the longest common subsequence of the lines of two texts.

use std::collections::HashMap;

pub fn common_lines(before: &str, after: &str) -> usize {
    let mut numbers = HashMap::new();
    let mut number = |line| {
        let next = numbers.len();
        *numbers.entry(line).or_insert(next)
    };
    let before: Vec<usize> = before.lines().map(&mut number).collect();
    let after: Vec<usize> = after.lines().map(&mut number).collect();
    let mut row = vec![0; after.len() + 1];
    for line in &before {
        let mut diagonal = 0;
        for (column, other) in after.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = if line == other {
                diagonal + 1
            } else {
                above.max(row[column])
            };
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}
