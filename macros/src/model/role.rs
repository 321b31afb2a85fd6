//! What the attributes of a method declare, and the table of attributes that can be combined.

use syn::Attribute;

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::options;
use crate::parse::{RawRole, RoleName};

use super::alarm::Alarm;
use super::message::{Message, MessageFormat};
use super::route::Route;

/// One attribute of a handler.
pub enum Role<'a> {
    Init(&'a Attribute),
    Rpc(&'a Attribute),
    Route(Route<'a>),
    Upgrade(Route<'a>),
    Alarm(Alarm<'a>),
    Message(Message<'a>),
    Close(&'a Attribute),
    Error(&'a Attribute),
}

/// How a method is invoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    Init,
    Rpc,
    Route,
    Upgrade,
    Alarm,
    Message(MessageFormat),
    Close,
    Error,
}

impl<'a> Role<'a> {
    /// Returns `None` if the attribute itself is invalid, which was reported.
    pub fn from_raw(diagnostics: &Diagnostics, raw: &'a RawRole) -> Option<Self> {
        Some(match raw.name {
            RoleName::Init => Self::Init(flag_attribute(diagnostics, raw)?),
            RoleName::Rpc => Self::Rpc(flag_attribute(diagnostics, raw)?),
            RoleName::Close => Self::Close(flag_attribute(diagnostics, raw)?),
            RoleName::Error => Self::Error(flag_attribute(diagnostics, raw)?),
            RoleName::Alarm => Self::Alarm(Alarm::from_raw(diagnostics, raw)?),
            RoleName::Message => Self::Message(Message::from_raw(diagnostics, raw)?),
            RoleName::WebSocket => Self::Upgrade(Route::from_raw(diagnostics, raw)?),
            RoleName::Get | RoleName::Post | RoleName::Put | RoleName::Patch | RoleName::Delete => {
                Self::Route(Route::from_raw(diagnostics, raw)?)
            }
        })
    }

    pub fn attribute(&self) -> &'a Attribute {
        match self {
            Self::Init(attribute)
            | Self::Rpc(attribute)
            | Self::Close(attribute)
            | Self::Error(attribute) => attribute,
            Self::Route(route) | Self::Upgrade(route) => route.attribute,
            Self::Alarm(alarm) => alarm.attribute,
            Self::Message(message) => message.attribute,
        }
    }

    /// Returns the name of the attribute: `post` for `#[post("/")]`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Rpc(_) => "rpc",
            Self::Close(_) => "close",
            Self::Error(_) => "error",
            Self::Route(route) | Self::Upgrade(route) => route.role.attribute(),
            Self::Alarm(_) => "alarm",
            Self::Message(_) => "message",
        }
    }

    pub fn event(&self) -> Event {
        match self {
            Self::Init(_) => Event::Init,
            Self::Rpc(_) => Event::Rpc,
            Self::Route(_) => Event::Route,
            Self::Upgrade(_) => Event::Upgrade,
            Self::Alarm(_) => Event::Alarm,
            Self::Message(message) => Event::Message(message.format),
            Self::Close(_) => Event::Close,
            Self::Error(_) => Event::Error,
        }
    }
}

/// How two attributes of one method fit together.
pub enum Fit {
    Together,
    /// The same attribute twice.
    Duplicate,
    /// Each needs a separate method.
    Apart,
}

impl Event {
    /// Whether an accepted socket causes this event.
    pub fn is_of_socket(self) -> bool {
        match self {
            Self::Message(_) | Self::Close | Self::Error => true,
            Self::Init | Self::Rpc | Self::Route | Self::Upgrade | Self::Alarm => false,
        }
    }

    /// The table of roles: which other roles a method with this one may have.
    pub fn fits(self, other: Self) -> Fit {
        match (self, other) {
            // A method can be called in several ways, and also run on a schedule.
            (Self::Route, Self::Rpc | Self::Route | Self::Alarm)
            | (Self::Rpc, Self::Route | Self::Alarm)
            | (Self::Alarm, Self::Rpc | Self::Route)
            // Both report the end of a socket.
            | (Self::Close, Self::Error)
            | (Self::Error, Self::Close) => Fit::Together,
            (Self::Init, Self::Init)
            | (Self::Rpc, Self::Rpc)
            | (Self::Upgrade, Self::Upgrade)
            | (Self::Alarm, Self::Alarm)
            | (Self::Message(_), Self::Message(_))
            | (Self::Close, Self::Close)
            | (Self::Error, Self::Error) => Fit::Duplicate,
            (Self::Init | Self::Upgrade | Self::Message(_) | Self::Close | Self::Error, _)
            | (_, Self::Init | Self::Upgrade | Self::Message(_) | Self::Close | Self::Error) => {
                Fit::Apart
            }
        }
    }
}

/// An attribute that takes no options.
fn flag_attribute<'a>(diagnostics: &Diagnostics, role: &'a RawRole) -> Option<&'a Attribute> {
    let name = role.name.attribute();
    let arguments =
        diagnostics.ok_or_report(Arguments::of(&role.attribute, &format!("#[{name}]")))?;
    arguments.reject_rest(diagnostics, name, options::of_role(role.name));
    Some(&role.attribute)
}
