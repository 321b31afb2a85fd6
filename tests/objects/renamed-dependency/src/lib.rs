//! An object in a crate that names the dependency `dh`.
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

use dh::prelude::*;
use serde::{Deserialize, Serialize};

/// The state of an account.
#[derive(Serialize)]
struct Statement {
    name: String,
    balance: i64,
    last: Option<i64>,
    reminders: Vec<String>,
    left: u64,
}

/// A request of a socket's client.
#[derive(Serialize, Deserialize)]
struct Withdrawal {
    by: i64,
}

/// A balance that is never negative.
#[durable_object(crate = dh)]
pub struct RenamedAccount {
    name: String,
    #[stored(default = 10)]
    balance: i64,
    reminders: Vec<String>,
    left: u64,
}

#[durable_object(crate = dh)]
impl RenamedAccount {
    #[init]
    fn open(&mut self, ctx: &Ctx) -> Result<(), Error> {
        self.name = ctx.name().unwrap_or_default();
        if self.name == "refused" {
            return Err(Error::new(503, "refused", "no account has this name"));
        }
        Ok(())
    }

    #[get("/")]
    fn statement(&self, ctx: &Ctx) -> Result<Statement, Error> {
        Ok(Statement {
            name: self.name.clone(),
            balance: self.balance,
            last: ctx.storage().get("last")?,
            reminders: self.reminders.clone(),
            left: self.left,
        })
    }

    /// Takes `by` off the balance.
    #[rpc]
    #[post("/withdraw")]
    fn withdraw(&mut self, ctx: &Ctx, by: i64) -> Result<i64, Error> {
        self.balance -= by;
        ctx.storage().put("last", &by)?;
        if self.balance < 0 {
            return Err(Error::conflict("insufficient", "not that much is there"));
        }
        Ok(self.balance)
    }

    #[post("/remind")]
    fn remind(&self, ctx: &Ctx, text: String) -> Result<(), Error> {
        Self::schedules(ctx).ring(text).after(Duration::ZERO)?;
        Ok(())
    }

    #[alarm]
    fn ring(&mut self, text: String, run: AlarmRun) -> Result<(), Error> {
        self.reminders.push(format!("{text}, {}", run.retry_count));
        if text == "fails at first" && !run.is_retry() {
            return Err(Error::internal("as told"));
        }
        Ok(())
    }

    #[websocket("/ws")]
    fn connect(&self, user: String) -> Result<Accept<String>, Error> {
        if user.is_empty() {
            return Err(Error::bad_request("no_user", "`user` is empty"));
        }
        Ok(Accept::new(user))
    }

    #[message]
    fn said(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<String>,
        message: Withdrawal,
    ) -> Result<(), Error> {
        let balance = self.withdraw(ctx, message.by)?;
        socket.send(&(socket.session()?, balance))?;
        Ok(())
    }

    #[close]
    fn left(&mut self, event: CloseEvent) {
        self.left += u64::from(event.clean);
    }
}

/// Adds the object to an app, with a handler that calls it.
#[must_use]
pub fn mount(app: App) -> App {
    app.mount::<RenamedAccount>("/accounts/renamed-dependency/{name}")
        .post("/withdrawals/renamed-dependency", call)
}

async fn call(mut request: Request, env: Env) -> Result<Response, Error> {
    let (name, by): (String, i64) = request.json().await?;
    let account = env.objects::<RenamedAccount>().named(&name);
    Response::json(200, &account.withdraw(by).await?)
}
