//! A chat room: presence, a bounded history, sockets that hibernate.
//!
//! ```
//! use anchorhold::objects::ChatRoom;
//! use anchorhold::prelude::*;
//!
//! #[anchorhold::app]
//! fn app() -> App {
//!     App::new().mount::<ChatRoom>("/rooms/{name}")
//! }
//!
//! /// The server's own code posts, and bans users.
//! async fn moderate(env: Env) -> Result<(), Error> {
//!     let room = env.objects::<ChatRoom>().named("lobby");
//!     room.post("host", "Welcome!", None).await?;
//!     room.ban("eve", Some(3_600_000), Some("be kind".to_owned())).await?;
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! A browser opens `wss://…/rooms/lobby/ws?user=ann`, receives a [`Welcome`], and sends
//! [`ClientMessage`]s. `docs/objects/chat-room.md` describes the room's guarantees and costs.

pub mod core;
mod identity;
mod log;
mod protocol;
mod room;
mod standing;

use anchorhold::prelude::*;

use self::core::{Roster, Sign, watch};
use self::room::{
    Live, MAX_PAGE, PAGE, Session, checked_reason, cost_of, deliver, open_sockets, refuse,
    standing, standings, tag_of,
};
use super::range::in_range;

pub use self::core::Settings;
pub use self::identity::identified;
pub use self::log::{Appended, CREATE_MESSAGES, Draft, MessageLog, Missed};
pub use self::protocol::{
    ClientMessage, Event, History, Message, Restriction, Role, Standing, Welcome,
};
pub use self::room::{ChatRoom, ChatRoomStub, KICKED, SILENT, TOO_FAST, TOO_SLOW};

#[durable_object]
impl ChatRoom {
    #[init]
    fn wake(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
        let users = open_sockets(ctx)
            .into_iter()
            .map(|(_, session)| session.user);
        self.live = Live {
            memory: ctx.random(),
            roster: Roster::rebuilt(users),
            sweep_is_pending: Self::schedules(ctx).next_sweep("")?.is_some(),
            watch_is_pending: Self::schedules(ctx).next_look("")?.is_some(),
            ..Live::default()
        };
        Ok(())
    }

    /// Opens a socket for `user`. A reconnecting client passes the newest identifier that it has as
    /// `since`. With `role=reader` the socket cannot post.
    #[websocket("/ws")]
    fn connect(
        &mut self,
        ctx: &Ctx,
        user: String,
        since: Option<u64>,
        role: Option<Role>,
    ) -> Result<Accept<Session>, Error> {
        let user = core::normal_name("user", &user)?;
        self.charge(ctx, &user, 1)?;
        let restriction = standings(ctx).check_not_banned(&user)?;
        self.check_room_for(ctx, &user)?;
        self.check_no_lookalike(&user)?;
        let role = role.unwrap_or_default();
        let missed = self.missed(ctx, since)?;
        self.charge(ctx, &user, cost_of(&missed.history))?;
        self.watch_later(ctx, self.silence())?;
        ctx.sockets::<Session>()
            .set_automatic_response(Some(("ping", "pong")))?;

        // Nothing may fail from here on, because the following effects cannot be rolled back.
        if self.live.roster.arrive(&user) {
            self.lookalikes().add(&user);
            let joined = Event::Joined { user: user.clone() };
            deliver(&ctx.sockets().all(), &joined)?;
        }
        let welcome = Event::Welcome(Welcome {
            user: user.clone(),
            // The session stores the requested role, because a mute may end while the socket is
            // open.
            role: restriction.map_or(role, |_| Role::Reader),
            members: self.live.roster.members(),
            history: missed.history.messages,
            more: missed.history.more,
            gap: missed.gap,
            newest: missed.newest,
        });
        let tag = tag_of(&user);
        let session = Session {
            user,
            role,
            heard: ctx.now(),
            memory: self.live.memory,
            gone: false,
        };
        Ok(Accept::new(session).tag(tag).greet(&welcome))
    }

    #[message(text)]
    fn receive(&mut self, ctx: &Ctx, socket: &Socket<Session>, frame: String) -> Result<(), Error> {
        let mut session = socket.session()?;
        if session.gone {
            return Ok(());
        }
        if self.charge(ctx, &session.user, 1).is_err() {
            // Every answer to a flood would add to it.
            let _ = socket.close(TOO_FAST, "too many messages; connect again later");
            return self.depart(ctx, socket);
        }
        if ctx.now() - session.heard >= self.silence() / 4 {
            session.heard = ctx.now();
            socket.set_session(&session)?;
        }
        let (outcome, client_id) = match core::parse_frame(&frame) {
            Err(error) => (Err(error), None),
            Ok(ClientMessage::Typing {}) => (self.typing(ctx, socket, session), None),
            Ok(ClientMessage::Post { text, client_id }) => {
                let outcome = self.post_from(ctx, socket, &session, &text, client_id.as_deref());
                (outcome, client_id)
            }
            Ok(ClientMessage::Direct {
                to,
                text,
                client_id,
            }) => {
                let outcome = self.direct(ctx, session, to, text, client_id.clone());
                (outcome, client_id)
            }
        };
        outcome.or_else(|error| refuse(socket, &error, client_id))
    }

    #[close]
    fn closed(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<Session>,
        event: CloseEvent,
    ) -> Result<(), Error> {
        // Only this answers a Close. It fails for codes that must not be sent.
        let _ = socket
            .close(event.code, &event.reason)
            .or_else(|_| socket.close(1_000, ""));
        self.depart(ctx, socket)
    }

    #[error]
    fn failed(&mut self, ctx: &Ctx, socket: &Socket<Session>) -> Result<(), Error> {
        self.depart(ctx, socket)
    }

    /// Posts a message. When this returns, the message is in the history and is being sent to every
    /// socket. A retry with a `client_id` that `user` has used before returns the stored message
    /// and does not store it again, whether or not `user` may still post.
    ///
    /// # Errors
    /// - 400: a name, text or `client_id` is out of range.
    /// - 403: the user is banned or muted.
    /// - 429, code `limited`, with the time to wait.
    #[rpc]
    #[post("/messages", status = 201)]
    fn post(
        &mut self,
        ctx: &Ctx,
        user: &str,
        text: &str,
        client_id: Option<String>,
    ) -> Result<Message, Error> {
        let user = core::normal_name("user", user)?;
        self.check_no_lookalike(&user)?;
        self.append(ctx, &user, text, client_id.as_deref())
            .map(Appended::into_message)
    }

    /// Returns the newest messages before `before`, or the newest of all, oldest first. `limit` is
    /// 1 to 1,000 and defaults to 50; a page has at most 4 MiB of text.
    ///
    /// # Errors
    /// 400: `limit` is out of range.
    #[rpc]
    #[get("/history")]
    fn history(
        &self,
        ctx: &Ctx,
        before: Option<u64>,
        limit: Option<u64>,
    ) -> Result<History, Error> {
        let limit = limit.unwrap_or(PAGE);
        in_range("limit", limit, 1..=MAX_PAGE)
            .map_err(|message| Error::bad_request("bad_request", message))?;
        Ok(self.log(ctx).before(before, limit)?)
    }

    /// Returns the users with an open socket, in the order of their names.
    #[rpc]
    #[get("/members")]
    fn members(&self) -> Vec<String> {
        self.live.roster.members()
    }

    /// Closes the sockets of a user, with code [`KICKED`]. Returns how many there were. The user
    /// may connect again.
    ///
    /// # Errors
    /// 400: the name is out of range, or the reason is over 123 bytes.
    #[rpc]
    fn kick(&mut self, ctx: &Ctx, user: &str, reason: Option<String>) -> Result<u64, Error> {
        let reason = checked_reason(reason)?;
        self.throw_out(ctx, &core::normal_name("user", user)?, &reason)
    }

    /// Bans a user for `for_ms` milliseconds (at most 100 years), or until
    /// [`pardon`](ChatRoomStub::pardon). Closes the user's sockets with code [`KICKED`]. Returns
    /// how many there were.
    ///
    /// # Errors
    /// - 400: the name or the time is out of range, or the reason is over 123 bytes.
    /// - 409: 10,000 users are restricted already.
    #[rpc]
    fn ban(
        &mut self,
        ctx: &Ctx,
        user: &str,
        for_ms: Option<u64>,
        reason: Option<String>,
    ) -> Result<u64, Error> {
        let standing = standing(ctx, user, Restriction::Banned, for_ms, reason)?;
        standings(ctx).set(&standing)?;
        self.throw_out(ctx, &standing.user, &standing.reason)
    }

    /// Mutes a user: the user can only read for `for_ms` milliseconds, or until
    /// [`pardon`](ChatRoomStub::pardon).
    ///
    /// # Errors
    /// As [`ban`](ChatRoomStub::ban).
    #[rpc]
    fn mute(
        &mut self,
        ctx: &Ctx,
        user: &str,
        for_ms: Option<u64>,
        reason: Option<String>,
    ) -> Result<(), Error> {
        let standing = standing(ctx, user, Restriction::Muted, for_ms, reason)?;
        standings(ctx).set(&standing)
    }

    /// Lifts a ban or a mute. Returns `true` if there was one.
    ///
    /// # Errors
    /// 400 if the name is out of range, or storage failed.
    #[rpc]
    fn pardon(&mut self, ctx: &Ctx, user: &str) -> Result<bool, Error> {
        Ok(standings(ctx).lift(&core::normal_name("user", user)?)?)
    }

    /// Returns the users who are banned or muted now.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn standings(&self, ctx: &Ctx) -> Result<Vec<Standing>, StorageError> {
        standings(ctx).all()
    }

    /// Returns the settings.
    #[rpc]
    fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// Replaces all the settings. An omitted one gets its default. They take effect immediately:
    /// messages that the history no longer retains are deleted before this returns. Earlier posts
    /// count against the new rate limit.
    ///
    /// # Errors
    /// 400 if a value is out of range. Nothing changes then.
    #[rpc]
    fn configure(&mut self, ctx: &Ctx, settings: Settings) -> Result<(), Error> {
        settings.check()?;
        self.settings = settings;
        self.live.allowances = None;
        self.live.frames = None;
        let next = self.log(ctx).sweep()?;
        self.sweep_at(ctx, next)?;
        if self.live.watch_is_pending {
            Self::schedules(ctx).look().after(self.silence())?;
        }
        Ok(())
    }

    #[alarm]
    fn sweep(&mut self, ctx: &Ctx) -> Result<(), Error> {
        let next = self.log(ctx).sweep()?;
        self.sweep_at(ctx, next)
    }

    #[alarm]
    fn look(&mut self, ctx: &Ctx) -> Result<(), Error> {
        self.live.watch_is_pending = false;
        let open = open_sockets(ctx);
        let signs: Vec<Sign> = open
            .iter()
            .map(|(socket, session)| Sign {
                pinged: socket.last_automatic_response(),
                heard: session.heard,
            })
            .collect();
        let verdict = watch(&signs, ctx.now(), self.silence());
        if let Some(next) = verdict.next {
            self.watch_later(ctx, next - ctx.now())?;
        }
        for position in verdict.dead {
            let (socket, _) = &open[position];
            let _ = socket.close(SILENT, "no message or ping was received in time");
            self.depart(ctx, socket)?;
        }
        Ok(())
    }
}
