//! An object that a `macro_rules` macro generates. `#[durable_object]` receives names, types,
//! attributes and bodies as fragments, most of them in groups without delimiters. Some pass through
//! two macros, and are in groups within groups.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::pedantic
)]

use std::time::Duration;

use anchorhold::prelude::*;
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

macro_rules! object {
    (
        $framework:path, $class:literal, $migrations:expr, $itself:ty;
        $(#[$about:meta])*
        $visibility:vis struct $object:ident {
            $(
                $(#[$kind:meta])*
                $field:ident: $stored:ty $(= $default:expr)?
            ),* $(,)?
        }
        $(
            $(#[$role:meta])*
            $seen:vis fn $method:ident(
                [$($receiver:tt)+] $(, $argument:ident: $taken:ty)*
            ) -> $returned:ty $body:block
        )*
    ) => {
        $(#[$about])*
        #[durable_object(crate = $framework, migrations = $migrations)]
        $visibility struct $object {
            $(
                $(#[$kind])*
                $(#[stored(default = $default)])?
                $field: $stored,
            )*
        }

        #[durable_object(crate = $framework, class = $class)]
        impl $itself {
            $(
                $(#[$role])*
                $seen fn $method($($receiver)+ $(, $argument: $taken)*) -> $returned $body
            )*
        }
    };
}

/// Passes its arguments on to another macro, so that the fragments are in two groups.
macro_rules! account {
    (
        $framework:path, $class:literal, $object:ident, $owner:ident, $context:ty, $amount:ty,
        $answer:ty, $failure:ty, $socket:ty, $withdraw:ident at $path:expr, $start:expr
    ) => {
        object! {
            $framework, $class, ["CREATE TABLE unused (id INTEGER PRIMARY KEY)"], $object;
            /// A balance that is never negative.
            pub struct $object {
                $owner: String,
                balance: $amount = $start,
                reminders: Vec<String>,
                left: u64,
            }

            #[init]
            fn open([&mut self], ctx: $context) -> Result<(), $failure> {
                self.$owner = ctx.name().unwrap_or_default();
                if self.$owner == "refused" {
                    return Err(Error::new(503, "refused", "no account has this name"));
                }
                Ok(())
            }

            #[get("/")]
            fn statement([&self], ctx: $context) -> Result<Statement, $failure> {
                Ok(Statement {
                    name: self.$owner.clone(),
                    balance: self.balance,
                    last: ctx.storage().get("last")?,
                    reminders: self.reminders.clone(),
                    left: self.left,
                })
            }

            /// Takes `by` off the balance.
            ///
            /// # Errors
            /// The balance would be negative.
            #[rpc]
            #[post($path)]
            pub fn $withdraw([&mut self], ctx: $context, by: $amount) -> $answer {
                self.balance -= by;
                ctx.storage().put("last", &by)?;
                if self.balance < 0 {
                    return Err(Error::conflict("insufficient", "not that much is there"));
                }
                Ok(self.balance)
            }

            #[post("/remind")]
            fn remind([&self], ctx: $context, text: String) -> Result<(), $failure> {
                Self::schedules(ctx).ring(text).after(Duration::ZERO)?;
                Ok(())
            }

            #[alarm]
            fn ring([&mut self], text: String, run: AlarmRun) -> Result<(), $failure> {
                self.reminders.push(format!("{text}, {}", run.retry_count));
                if text == "fails at first" && !run.is_retry() {
                    return Err(Error::internal("as told"));
                }
                Ok(())
            }

            #[websocket("/ws")]
            fn connect([&self], user: String) -> Result<Accept<String>, $failure> {
                if user.is_empty() {
                    return Err(Error::bad_request("no_user", "`user` is empty"));
                }
                Ok(Accept::new(user))
            }

            #[message]
            fn said([&mut self], ctx: $context, socket: $socket, message: Withdrawal) -> Result<(), $failure> {
                let balance = self.$withdraw(ctx, message.by)?;
                socket.send(&(socket.session()?, balance))?;
                Ok(())
            }

            #[close]
            fn left([&mut self], event: CloseEvent) -> () {
                self.left += u64::from(event.clean);
            }
        }
    };
}

account!(
    ::anchorhold, "MacroAccount", Account, owner, &Ctx, i64,
    Result<i64, Error>, Error, &Socket<String>, withdraw at "/withdraw", 5 * 2
);

/// Adds the object to an app, with a handler that calls it.
#[must_use]
pub fn mount(app: App) -> App {
    app.mount::<Account>("/accounts/from-macro/{name}")
        .post("/withdrawals/from-macro", call)
}

async fn call(mut request: Request, env: Env) -> Result<Response, Error> {
    let (name, by): (String, i64) = request.json().await?;
    let account = env.objects::<Account>().named(&name);
    Response::json(200, &account.withdraw(by).await?)
}
