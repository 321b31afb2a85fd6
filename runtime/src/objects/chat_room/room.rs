//! The room, and the code that its handlers share.

use std::collections::BTreeMap;
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

use super::core::{self, Allowances, Departure, Lookalikes, Roster, Settings};
use super::log::{self, Appended, Draft, MessageLog, Missed};
use super::protocol::{Event, History, Restriction, Role, Standing};
use super::standing::{self, Standings, read_only};
use crate::objects::millis::millis;
use crate::objects::range::in_range;

/// The close code of a socket whose user was kicked or banned. The close reason is the
/// administrator's.
pub const KICKED: u16 = 4_003;
/// The close code of a socket that had sent pings and then became silent.
pub const SILENT: u16 = 4_008;
/// The close code of a socket that sends far more frames than the room's rate limit allows posts.
pub const TOO_FAST: u16 = 4_029;
/// The close code of a socket whose peer reads too slowly and would miss messages (RFC 6455's
/// registry: try again later).
pub const TOO_SLOW: u16 = 1_013;

/// A welcome costs as much as a frame for each of these, in bytes of text.
const WELCOME_UNIT: usize = 16 * 1024;
/// The number of messages in a welcome without `since`, and in a page without `limit`.
pub(super) const PAGE: u64 = 50;
/// The maximum number of messages in a page, and in a welcome with `since`.
pub(super) const MAX_PAGE: u64 = 1_000;

/// The maximum length of a close reason, in bytes.
const MAX_REASON: usize = 123;
/// The longest restriction with an end. SQL cannot hold every later time.
const MAX_RESTRICTION_MS: u64 = 36_525 * 24 * 60 * 60 * 1_000;
/// The number of remembered typing users from which on those who have stopped are dropped.
const MANY_TYPING: usize = 1_024;

/// The data that is stored with a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) user: String,
    pub(super) role: Role,
    /// When it connected, or was last heard from. It may be late by up to a quarter of the allowed
    /// silence.
    pub(super) heard: Timestamp,
    /// The activation that accepted it; see [`Roster`].
    pub(super) memory: u64,
    /// Its departure has been counted: the room closed it, or its end was announced.
    pub(super) gone: bool,
}

/// State that a room has only while it is in memory. All of it can be restored.
#[derive(Default)]
pub(super) struct Live {
    /// Distinguishes this activation from all others.
    pub(super) memory: u64,
    pub(super) roster: Roster,
    /// Restored from the history on first use.
    pub(super) allowances: Option<Allowances>,
    /// A room that was out of memory was quiet before, so its users start with full buckets.
    pub(super) frames: Option<Allowances>,
    /// Made on first use.
    pub(super) lookalikes: Option<Lookalikes>,
    pub(super) typing: BTreeMap<String, Timestamp>,
    pub(super) sweep_is_pending: bool,
    pub(super) watch_is_pending: bool,
}

/// A chat room.
#[durable_object(migrations = [log::CREATE_MESSAGES, standing::CREATE])]
pub struct ChatRoom {
    pub(super) settings: Settings,
    #[memory]
    pub(super) live: Live,
}

impl ChatRoom {
    pub(super) fn log(&self, ctx: &Ctx) -> MessageLog {
        MessageLog::new(ctx.storage(), self.settings.retention(), ctx.now())
    }

    pub(super) fn silence(&self) -> Duration {
        Duration::from_millis(self.settings.silence_ms)
    }

    /// Checks that another socket of `user` is within the room's limits.
    pub(super) fn check_room_for(&self, ctx: &Ctx, user: &str) -> Result<(), Error> {
        let is_over = |count: usize, limit: u64| count as u64 >= limit;
        let full = |what: &str, limit: u64| {
            let message = format!("the room has {limit} {what}, which is its limit");
            Err(Error::new(503, "overloaded", message))
        };
        let settings = &self.settings;
        let roster = &self.live.roster;
        if !roster.contains(user) && is_over(roster.len(), settings.max_members) {
            return full("members", settings.max_members);
        }
        if is_over(ctx.sockets::<Session>().len(), settings.max_sockets) {
            return full("sockets", settings.max_sockets);
        }
        if is_over(sockets_of(ctx, user).len(), settings.max_sockets_per_user) {
            return Err(Error::new(
                429,
                "too_many_sockets",
                format!(
                    "`user` has {} sockets in this room, which is the limit; close one",
                    settings.max_sockets_per_user
                ),
            )
            // By then a dead socket has been closed.
            .retry_after(self.silence()));
        }
        Ok(())
    }

    /// Checks that no other member has a name that looks the same.
    pub(super) fn check_no_lookalike(&mut self, user: &str) -> Result<(), Error> {
        match self.lookalikes().other(user) {
            None => Ok(()),
            Some(member) => Err(Error::conflict(
                "name_taken",
                format!("`user` looks like the member `{member}`; choose another name"),
            )),
        }
    }

    pub(super) fn lookalikes(&mut self) -> &mut Lookalikes {
        let roster = &self.live.roster;
        self.live
            .lookalikes
            .get_or_insert_with(|| Lookalikes::of(roster.members()))
    }

    /// Counts frames or a welcome of `user`, whatever comes of them.
    pub(super) fn charge(&mut self, ctx: &Ctx, user: &str, cost: u64) -> Result<(), Error> {
        let settings = &self.settings;
        let frames = self
            .live
            .frames
            .get_or_insert_with(|| Allowances::frames(settings));
        match frames.take_cost(user, cost, ctx.now()) {
            Ok(_) => Ok(()),
            Err(wait) => Err(Error::new(
                429,
                "limited",
                format!(
                    "`user` sends or connects too often; wait for {} ms",
                    wait.as_millis()
                ),
            )
            .retry_after(wait)),
        }
    }

    /// Returns the history for a welcome.
    pub(super) fn missed(&self, ctx: &Ctx, since: Option<u64>) -> Result<Missed, StorageError> {
        let log = self.log(ctx);
        if let Some(since) = since {
            return log.after(since, MAX_PAGE);
        }
        Ok(Missed {
            history: log.before(None, PAGE)?,
            gap: false,
            newest: log.newest()?,
        })
    }

    /// Schedules a check of the sockets, unless one is pending.
    pub(super) fn watch_later(&mut self, ctx: &Ctx, delay: Duration) -> Result<(), StorageError> {
        if !self.live.watch_is_pending {
            Self::schedules(ctx).look().after(delay)?;
            self.live.watch_is_pending = true;
        }
        Ok(())
    }

    pub(super) fn sweep_at(&mut self, ctx: &Ctx, next: Option<Timestamp>) -> Result<(), Error> {
        match next {
            Some(next) => Self::schedules(ctx).sweep().at(next)?,
            None => {
                Self::schedules(ctx).cancel_sweep("")?;
            }
        }
        self.live.sweep_is_pending = next.is_some();
        Ok(())
    }

    pub(super) fn post_from(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<Session>,
        session: &Session,
        text: &str,
        client_id: Option<&str>,
    ) -> Result<(), Error> {
        check_writes(session.role)?;
        match self.append(ctx, &session.user, text, client_id)? {
            // `append` has sent it to every socket, including the sender's.
            Appended::New(_) => Ok(()),
            Appended::Again(message) => Ok(socket.send(&Event::Message(message))?),
        }
    }

    /// Stores a message. Sends it to every socket if it is new.
    pub(super) fn append(
        &mut self,
        ctx: &Ctx,
        user: &str,
        text: &str,
        client_id: Option<&str>,
    ) -> Result<Appended, Error> {
        core::check_text(text)?;
        client_id.map_or(Ok(()), core::check_client_id)?;
        let log = self.log(ctx);
        if let Some(client_id) = client_id
            && let Some(stored) = log.posted_before(user, text, client_id)?
        {
            return Ok(Appended::Again(stored));
        }
        standings(ctx).check_may_post(user)?;
        let allowance_full_at = Some(self.allow(ctx, user)?);
        if !self.live.sweep_is_pending {
            // Scheduled before the message is stored, so that no message is stored without its
            // expiry.
            let next = self.settings.retention().next_sweep(ctx.now());
            if next.is_some() {
                self.sweep_at(ctx, next)?;
            }
        }
        let appended = log.append(&Draft {
            user,
            text,
            client_id,
            allowance_full_at,
        })?;
        if let Appended::New(message) = &appended {
            let event = Event::Message(message.clone());
            deliver(&ctx.sockets().all(), &event)?;
        }
        Ok(appended)
    }

    /// Counts a message of `user` against the rate limit. Returns when the user's allowance is full
    /// again.
    fn allow(&mut self, ctx: &Ctx, user: &str) -> Result<Timestamp, Error> {
        let now = ctx.now();
        let mut allowances = match self.live.allowances.take() {
            Some(allowances) => allowances,
            None => Allowances::restored(&self.settings, self.log(ctx).allowances()?),
        };
        let taken = allowances.take(user, now);
        self.live.allowances = Some(allowances);
        taken.map_err(|wait| {
            let message = format!(
                "you may post {} messages in {} ms; wait for {} ms",
                self.settings.rate_limit,
                self.settings.rate_window_ms,
                wait.as_millis()
            );
            Error::new(429, "limited", message).retry_after(wait)
        })
    }

    /// Announces that a user is typing. Drops it if it comes faster than the settings allow.
    pub(super) fn typing(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<Session>,
        session: Session,
    ) -> Result<(), Error> {
        check_writes(session.role)?;
        let (now, typing) = (ctx.now(), &mut self.live.typing);
        let interval = Duration::from_millis(self.settings.typing_interval_ms);
        if let Some(last) = typing.get(&session.user)
            && (*last..*last + interval).contains(&now)
        {
            return Ok(());
        }
        if typing.len() >= MANY_TYPING {
            typing.retain(|_, last| now - *last < interval);
        }
        typing.insert(session.user.clone(), now);
        standings(ctx).check_may_post(&session.user)?;
        let mut others = ctx.sockets().all();
        others.retain(|other| other != socket);
        deliver(&others, &Event::Typing { user: session.user })
    }

    pub(super) fn direct(
        &mut self,
        ctx: &Ctx,
        session: Session,
        to: String,
        text: String,
        client_id: Option<String>,
    ) -> Result<(), Error> {
        check_writes(session.role)?;
        let user = session.user;
        let to = core::normal_name("to", &to)?;
        core::check_text(&text)?;
        client_id.as_deref().map_or(Ok(()), core::check_client_id)?;
        standings(ctx).check_may_post(&user)?;
        self.allow(ctx, &user)?;
        let mut sockets = sockets_of(ctx, &to);
        if sockets.is_empty() {
            return Err(Error::new(404, "not_here", "`to` is not here"));
        }
        if user != to {
            sockets.append(&mut sockets_of(ctx, &user));
        }
        let event = Event::Direct {
            user,
            to,
            text,
            at: ctx.now(),
            client_id,
        };
        deliver(sockets.iter().map(|(socket, _)| socket), &event)
    }

    /// Counts the departure of a closed socket, once.
    pub(super) fn depart(&mut self, ctx: &Ctx, socket: &Socket<Session>) -> Result<(), Error> {
        let session = socket.session()?;
        if session.gone {
            return Ok(());
        }
        count_out(socket, &session);
        let mut others = sockets_of(ctx, &session.user);
        others.retain(|(other, _)| other != socket);
        let departure = Departure {
            still_connected: !others.is_empty(),
            from_earlier_memory: session.memory != self.live.memory,
        };
        self.announce_departure(ctx, session.user, departure)
    }

    fn announce_departure(
        &mut self,
        ctx: &Ctx,
        user: String,
        departure: Departure,
    ) -> Result<(), Error> {
        if !self.live.roster.depart(&user, departure) {
            return Ok(());
        }
        self.lookalikes().remove(&user);
        deliver(&ctx.sockets().all(), &Event::Left { user })
    }

    /// Closes the sockets of a user. Returns how many there were.
    pub(super) fn throw_out(&mut self, ctx: &Ctx, user: &str, reason: &str) -> Result<u64, Error> {
        let sockets = sockets_of(ctx, user);
        if sockets.is_empty() {
            return Ok(0);
        }
        let departure = Departure {
            still_connected: false,
            from_earlier_memory: sockets
                .iter()
                .any(|(_, session)| session.memory != self.live.memory),
        };
        for (socket, session) in &sockets {
            count_out(socket, session);
            // Fails for a socket that is closing already, which needs no other close.
            let _ = socket.close(KICKED, reason);
        }
        self.announce_departure(ctx, user.to_owned(), departure)?;
        Ok(sockets.len() as u64)
    }
}

/// Returns the sockets whose departure has not been counted, with their sessions.
pub(super) fn open_sockets(ctx: &Ctx) -> Vec<(Socket<Session>, Session)> {
    with_sessions(ctx.sockets().all())
}

fn sockets_of(ctx: &Ctx, user: &str) -> Vec<(Socket<Session>, Session)> {
    with_sessions(ctx.sockets().tagged(&tag_of(user)))
}

fn with_sessions(sockets: Vec<Socket<Session>>) -> Vec<(Socket<Session>, Session)> {
    sockets
        .into_iter()
        .filter_map(|socket| {
            // A session that cannot be read is of an older version, whose users are gone.
            let session = socket.session().ok()?;
            (!session.gone).then_some((socket, session))
        })
        .collect()
}

/// Sockets are found by their users. A name has at most 256 bytes, as a tag may have.
pub(super) fn tag_of(user: &str) -> String {
    user.to_owned()
}

/// Returns the cost of a welcome with this history, besides that of its connection.
pub(super) fn cost_of(history: &History) -> u64 {
    let bytes: usize = history
        .messages
        .iter()
        .map(|message| message.text.len())
        .sum();
    (bytes / WELCOME_UNIT) as u64
}

fn count_out(socket: &Socket<Session>, session: &Session) {
    let gone = Session {
        gone: true,
        ..session.clone()
    };
    // Fails for a connection that has ended, whose socket is not listed any more.
    let _ = socket.set_session(&gone);
}

/// Sends an event. A socket that refuses it is closed, because it would miss an event. Its client
/// then reconnects and fetches the missed messages.
pub(super) fn deliver<'a>(
    sockets: impl IntoIterator<Item = &'a Socket<Session>>,
    event: &Event,
) -> Result<(), Error> {
    let text = serde_json::to_string(event)
        .map_err(|error| Error::internal(format!("an event cannot be written: {error}")))?;
    for socket in sockets {
        if socket.send_text(&text).is_err() {
            // Fails for a socket that is closing already.
            let _ = socket.close(TOO_SLOW, "you read too slowly; connect again");
        }
    }
    Ok(())
}

/// Tells the sender why its frame was refused. The socket stays open.
pub(super) fn refuse(
    socket: &Socket<Session>,
    error: &Error,
    client_id: Option<String>,
) -> Result<(), Error> {
    let event = Event::Error {
        code: error.code().to_owned(),
        message: error.message().to_owned(),
        retry_after_ms: ObjectError::retry_after(error).map(millis),
        client_id,
    };
    Ok(socket.send(&event)?)
}

fn check_writes(role: Role) -> Result<(), Error> {
    match role {
        Role::Writer => Ok(()),
        Role::Reader => Err(read_only()),
    }
}

pub(super) fn standings(ctx: &Ctx) -> Standings {
    Standings::new(ctx.storage().sql(), ctx.now())
}

/// Checks an administrator's decision and computes its end.
pub(super) fn standing(
    ctx: &Ctx,
    user: &str,
    restriction: Restriction,
    for_ms: Option<u64>,
    reason: Option<String>,
) -> Result<Standing, Error> {
    let user = core::normal_name("user", user)?;
    if let Some(millis) = for_ms {
        in_range("for_ms", millis, 1..=MAX_RESTRICTION_MS)
            .map_err(|message| Error::bad_request("bad_request", message + " (100 years)"))?;
    }
    Ok(Standing {
        user,
        restriction,
        until: for_ms.map(|millis| ctx.now() + Duration::from_millis(millis)),
        reason: checked_reason(reason)?,
    })
}

pub(super) fn checked_reason(reason: Option<String>) -> Result<String, Error> {
    let reason = reason.unwrap_or_default();
    if reason.len() > MAX_REASON {
        return Err(Error::bad_request(
            "bad_reason",
            format!(
                "`reason` has {} bytes, and a close takes {MAX_REASON}",
                reason.len()
            ),
        ));
    }
    Ok(reason)
}
