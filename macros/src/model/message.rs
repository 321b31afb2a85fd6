//! `#[message]`, `#[message(text)]`, `#[message(binary)]`.

use syn::Attribute;

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::options;
use crate::parse::RawRole;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageFormat {
    Json,
    Text,
    Binary,
}

pub struct Message<'a> {
    pub attribute: &'a Attribute,
    pub format: MessageFormat,
}

impl<'a> Message<'a> {
    pub fn from_raw(diagnostics: &Diagnostics, role: &'a RawRole) -> Option<Self> {
        let mut arguments =
            diagnostics.ok_or_report(Arguments::of(&role.attribute, "#[message(text)]"))?;
        let text = arguments.take_flag(diagnostics, "text");
        let binary = arguments.take_flag(diagnostics, "binary");
        arguments.reject_rest(diagnostics, "message", options::of_role(role.name));
        let format = match (text, binary) {
            (None, None) => MessageFormat::Json,
            (Some(_), None) => MessageFormat::Text,
            (None, Some(_)) => MessageFormat::Binary,
            (Some(_), Some(binary)) => {
                diagnostics.error(
                    binary,
                    "a message is either `text` or `binary`\nhelp: write one handler for each",
                );
                return None;
            }
        };
        Some(Self {
            attribute: &role.attribute,
            format,
        })
    }
}
