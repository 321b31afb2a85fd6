//! The options that each attribute accepts. `docs/attributes.md` has the same table.

use crate::parse::RoleName;

pub const NONE: &[&str] = &[];
pub const OF_STRUCT: &[&str] = &["migrations", "crate"];
pub const OF_IMPL: &[&str] = &["class", "crate"];
pub const OF_STORED: &[&str] = &["key", "default"];
pub const OF_APP: &[&str] = &["crate"];
pub const OF_TEST: &[&str] = &["seed", "seeds", "faults", "exhaustive", "crate"];

pub fn of_role(role: RoleName) -> &'static [&'static str] {
    match role {
        RoleName::Get | RoleName::Delete => &["status"],
        RoleName::Post | RoleName::Put | RoleName::Patch => &["status", "max_body"],
        RoleName::Alarm => &["every", "cron"],
        RoleName::Message => &["text", "binary"],
        RoleName::Init
        | RoleName::Rpc
        | RoleName::WebSocket
        | RoleName::Close
        | RoleName::Error => NONE,
    }
}
