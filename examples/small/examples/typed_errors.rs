//! An error type of your own. A caller in Rust gets it back as it was, over HTTP it is a status and a
//! code, and what the method had changed is taken back.
//!
//! ```sh
//! cargo run -p examples --example typed_errors
//! curl -d '{"amount": 100}' localhost:8787/accounts/ann/deposit
//! curl -i -d '{"amount": 500}' localhost:8787/accounts/ann/withdraw
//! ```
#![cfg_attr(target_arch = "wasm32", no_main)]

use std::borrow::Cow;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// Why an account refuses. The text is for people; fields are for programs.
#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum Refusal {
    #[error("the balance is {balance}, less than {asked}")]
    Insufficient { balance: u64, asked: u64 },
    #[error("the account is closed")]
    Closed,
}

impl ObjectError for Refusal {
    fn status(&self) -> u16 {
        match self {
            Self::Insufficient { .. } => 409,
            Self::Closed => 410,
        }
    }

    fn code(&self) -> Cow<'_, str> {
        match self {
            Self::Insufficient { .. } => "insufficient".into(),
            Self::Closed => "closed".into(),
        }
    }
}

#[durable_object]
struct Account {
    balance: u64,
    withdrawals: u64,
    closed: bool,
}

#[durable_object]
impl Account {
    #[rpc]
    #[post("/deposit")]
    fn deposit(&mut self, amount: u64) -> Result<u64, Refusal> {
        self.check_open()?;
        self.balance = self.balance.saturating_add(amount);
        Ok(self.balance)
    }

    #[rpc]
    #[post("/withdraw")]
    fn withdraw(&mut self, amount: u64) -> Result<u64, Refusal> {
        self.check_open()?;
        // Counted too early, to show that an error takes it back.
        self.withdrawals += 1;
        self.balance = self
            .balance
            .checked_sub(amount)
            .ok_or(Refusal::Insufficient {
                balance: self.balance,
                asked: amount,
            })?;
        Ok(self.balance)
    }

    #[rpc]
    #[post("/close")]
    fn close(&mut self) {
        self.closed = true;
    }

    #[rpc]
    fn withdrawals(&self) -> u64 {
        self.withdrawals
    }

    fn check_open(&self) -> Result<(), Refusal> {
        if self.closed {
            return Err(Refusal::Closed);
        }
        Ok(())
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<Account>("/accounts/{name}")
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    anchorhold::serve(app)
}

#[anchorhold::test]
async fn a_caller_gets_the_error_itself(sim: Sim) {
    let account = sim.objects::<Account>().named("ann");
    account.deposit(100).await.unwrap();
    // `CallError` tells the method's own error from a call that did not get through.
    match account.withdraw(500).await {
        Err(CallError::Application(Refusal::Insufficient { balance, asked })) => {
            assert_eq!((balance, asked), (100, 500));
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
    account.close().await.unwrap();
    let error = account.deposit(1).await.unwrap_err();
    assert_eq!(error, CallError::Application(Refusal::Closed));
}

#[anchorhold::test]
async fn an_error_takes_back_what_the_method_changed(sim: Sim) {
    let account = sim.objects::<Account>().named("ann");
    account.deposit(100).await.unwrap();
    assert!(account.withdraw(500).await.is_err());
    assert_eq!(account.withdrawals().await.unwrap(), 0);
    assert_eq!(account.withdraw(30).await.unwrap(), 70);
    assert_eq!(account.withdrawals().await.unwrap(), 1);
}

#[anchorhold::test]
async fn over_http_it_is_a_status_and_a_code(sim: Sim) {
    sim.app(app());
    let request = Request::new("POST", "/accounts/ann/withdraw").with_body(r#"{"amount": 5}"#);
    let response = sim.fetch(request).await;
    assert_eq!(response.status(), 409);
    assert_eq!(
        response.body(),
        Some(
            &br#"{"error":{"code":"insufficient","message":"the balance is 0, less than 5"}}"#[..]
        )
    );
}
