//! The decisions of a chat room, without a host: state and time in, decision out.
//!
//! Your own object may embed any part of it; `docs/objects/chat-room.md` has an example.

mod allowance;
mod input;
mod name;
mod retention;
mod roster;
mod settings;
mod watch;

pub use allowance::{Allowances, FRAMES};
pub use input::{MAX_CLIENT_ID, MAX_FRAME, MAX_TEXT, check_client_id, check_text, parse_frame};
pub use name::{Lookalikes, MAX_NAME, normal_name};
pub use retention::Retention;
pub use roster::{Departure, Roster};
pub use settings::Settings;
pub use watch::{Sign, Verdict, watch};
