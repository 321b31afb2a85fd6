//! An object whose handlers refer to anchorhold's types by other names (`Answer<T>` is
//! `Result<T, Error>`). Its own types have the names of anchorhold's (`Request`, `Response`,
//! `Ctx`).
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::pedantic
)]
#![allow(
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "handlers take values and a receiver"
)]

use std::time::Duration;

use anchorhold::prelude::{App, Env, Error, durable_object};
use serde::{Deserialize, Serialize};

type Answer<T> = Result<T, Error>;
type Done = Answer<()>;
type Context = anchorhold::Ctx;
type Joined = Answer<anchorhold::Accept<String>>;
type Peer = anchorhold::Socket<String>;
type Ended = anchorhold::CloseEvent;
type Page = anchorhold::Response;
type Upload = anchorhold::Request;

/// The amount to withdraw.
#[derive(Serialize, Deserialize)]
pub struct Request {
    by: i64,
}

/// The remaining balance.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Response {
    balance: i64,
}

/// The state of an account.
#[derive(Serialize, Deserialize)]
pub struct Ctx {
    name: String,
    balance: i64,
    last: Option<i64>,
    reminders: Vec<String>,
    left: u64,
}

/// A balance that is never negative.
#[durable_object]
pub struct AliasedAccount {
    name: String,
    #[stored(default = 10)]
    balance: i64,
    reminders: Vec<String>,
    left: u64,
}

#[durable_object]
impl AliasedAccount {
    #[init]
    fn open(&mut self, context: &Context) -> Done {
        self.name = context.name().unwrap_or_default();
        if self.name == "refused" {
            return Err(Error::new(503, "refused", "no account has this name"));
        }
        Ok(())
    }

    #[get("/")]
    fn statement(&self, context: &Context) -> Answer<Ctx> {
        Ok(Ctx {
            name: self.name.clone(),
            balance: self.balance,
            last: context.storage().get("last")?,
            reminders: self.reminders.clone(),
            left: self.left,
        })
    }

    /// Takes `request.by` off the balance.
    #[rpc]
    #[post("/withdraw")]
    fn withdraw(&mut self, context: &Context, #[body] request: Request) -> Answer<Response> {
        self.balance -= request.by;
        context.storage().put("last", &request.by)?;
        if self.balance < 0 {
            return Err(Error::conflict("insufficient", "not that much is there"));
        }
        Ok(Response {
            balance: self.balance,
        })
    }

    #[post("/remind")]
    async fn remind(&self, context: &Context, mut upload: Upload) -> Answer<Page> {
        #[derive(Deserialize)]
        struct Reminder {
            text: String,
        }
        let Reminder { text } = upload.json().await?;
        Self::schedules(context).ring(text).after(Duration::ZERO)?;
        Ok(Page::empty(204))
    }

    #[alarm]
    fn ring(&mut self, text: String, run: anchorhold::AlarmRun) -> Done {
        self.reminders.push(format!("{text}, {}", run.retry_count));
        if text == "fails at first" && !run.is_retry() {
            return Err(Error::internal("as told"));
        }
        Ok(())
    }

    #[websocket("/ws")]
    fn connect(&self, user: String) -> Joined {
        if user.is_empty() {
            return Err(Error::bad_request("no_user", "`user` is empty"));
        }
        Ok(anchorhold::Accept::new(user))
    }

    #[message]
    fn said(&mut self, context: &Context, peer: &Peer, message: Request) -> Done {
        let left = self.withdraw(context, message)?;
        peer.send(&(peer.session()?, left))?;
        Ok(())
    }

    #[close]
    fn left(&mut self, ended: Ended) {
        self.left += u64::from(ended.clean);
    }
}

/// Adds the object to an app, with a handler that calls it.
#[must_use]
pub fn mount(app: App) -> App {
    app.mount::<AliasedAccount>("/accounts/own-names/{name}")
        .post("/withdrawals/own-names", call)
}

async fn call(mut request: Upload, env: Env) -> Answer<Page> {
    let (name, by): (String, i64) = request.json().await?;
    let account = env.objects::<AliasedAccount>().named(&name);
    Page::json(200, &account.withdraw(Request { by }).await?)
}
