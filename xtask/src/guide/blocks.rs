//! Fenced code blocks, and the comment before a block that names its file.

use super::Page;

/// A code block of a page.
pub struct Block<'a> {
    pub page: &'a str,
    /// The line of its fence, counted from 1.
    pub line: usize,
    pub language: &'a str,
    pub source: Source<'a>,
    pub text: String,
}

/// What the comment before a block says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source<'a> {
    /// There is no comment.
    Unsaid,
    /// `<!-- part of FILE -->`: the block consists of lines of the file.
    PartOf(&'a str),
    /// `<!-- requests of FILE -->`: a test in the file sends the same requests.
    RequestsOf(&'a str),
}

impl<'a> Source<'a> {
    fn of(line: &'a str) -> Self {
        let Some(comment) = line
            .trim()
            .strip_prefix("<!-- ")
            .and_then(|rest| rest.strip_suffix(" -->"))
        else {
            return Self::Unsaid;
        };
        if let Some(file) = comment.strip_prefix("part of ") {
            Self::PartOf(file)
        } else if let Some(file) = comment.strip_prefix("requests of ") {
            Self::RequestsOf(file)
        } else {
            Self::Unsaid
        }
    }
}

/// Returns the blocks of a page. A block without a language has an empty one.
pub fn blocks(page: &Page) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let mut before = "";
    for (index, line) in page.text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block {
                    page: &page.path,
                    line: index + 1,
                    // Options of rustdoc follow a comma.
                    language: language.split(',').next().unwrap_or_default().trim(),
                    source: Source::of(before),
                    text: String::new(),
                });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
        before = line;
    }
    blocks.extend(open);
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_language_line_and_source() {
        let page = Page {
            path: "docs/a.md".to_owned(),
            text: "# A\n\n<!-- part of x.rs -->\n```rust\nlet a;\n```\n\n```\nb\n```\n".to_owned(),
        };
        let found: Vec<_> = blocks(&page)
            .into_iter()
            .map(|block| (block.line, block.language, block.source, block.text))
            .collect();
        assert_eq!(
            found,
            [
                (4, "rust", Source::PartOf("x.rs"), "let a;\n".to_owned()),
                (8, "", Source::Unsaid, "b\n".to_owned()),
            ]
        );
    }
}
