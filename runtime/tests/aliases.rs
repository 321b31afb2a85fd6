//! Handlers whose types have other names: what they answer and what a failed turn leaves behind.

use anchorhold::prelude::*;

type Answer<T> = Result<T, Error>;
type Done = Result<(), Error>;
type Upload = Request;
type Page = Response;
type Context = Ctx;
type Joined = Accept<String>;
type Peer = Socket<String>;

#[durable_object]
struct Account {
    #[stored(default = Self::OPENING)]
    balance: i64,
    said: u32,
}

#[durable_object(class = "Tally")]
impl Account {
    const OPENING: i64 = 5;

    #[rpc]
    #[post("/withdraw")]
    fn withdraw(&mut self, amount: i64) -> Answer<i64> {
        self.balance -= amount;
        if self.balance < 0 {
            return Err(Error::conflict("insufficient", "not that much there"));
        }
        Ok(self.balance)
    }

    #[rpc]
    #[post("/close")]
    fn close(&mut self, context: &Context) -> Done {
        context.storage().put("closed", &true)?;
        self.balance = 0;
        Ok(())
    }

    #[rpc]
    fn balance(&self) -> i64 {
        self.balance
    }

    #[put("/names/{r#type}")]
    async fn upload(&self, r#type: String, mut upload: Upload) -> Answer<Page> {
        let bytes = upload.bytes().await?;
        Ok(Response::text(
            202,
            format!("{}: {} bytes", r#type, bytes.len()),
        ))
    }

    #[websocket("/live/{user}")]
    fn join(&self, user: String) -> Joined {
        Accept::new(user)
    }

    #[message(text)]
    fn say(&mut self, peer: &Peer, text: &str) -> Done {
        self.said += 1;
        if text == "fail" {
            return Err(Error::conflict("as_told", "as told"));
        }
        peer.send(&format!("{} {}", peer.session()?, self.said))?;
        Ok(())
    }
}

fn serve(sim: &Sim) {
    sim.app(App::new().mount::<Account>("/accounts/{name}"));
}

#[anchorhold::test]
async fn failed_turn_behind_an_alias_is_rolled_back(sim: Sim) {
    let account = sim.objects::<Account>().named("ann");
    let refused = account.withdraw(9).await.unwrap_err();
    assert!(
        matches!(&refused, CallError::Application(error) if error.status() == 409),
        "{refused}"
    );
    assert_eq!(account.balance().await.unwrap(), 5);
    assert_eq!(account.withdraw(2).await.unwrap(), 3);
}

#[anchorhold::test]
async fn failed_turn_behind_an_alias_is_answered_with_its_status(sim: Sim) {
    serve(&sim);
    let withdraw = |amount: i64| {
        Request::new("POST", "/accounts/ann/withdraw")
            .with_json(&serde_json::json!({ "amount": amount }))
            .unwrap()
    };
    assert_eq!(sim.fetch(withdraw(9)).await.status(), 409);
    let answer = sim.fetch(withdraw(2)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.read_json::<i64>().unwrap(), 3);
}

#[anchorhold::test]
async fn success_without_a_value_behind_an_alias_is_204(sim: Sim) {
    serve(&sim);
    let answer = sim.fetch(Request::new("POST", "/accounts/ann/close")).await;
    assert_eq!(answer.status(), 204);
}

#[anchorhold::test]
async fn alias_of_the_request_takes_the_body(sim: Sim) {
    serve(&sim);
    let request = Request::new("PUT", "/accounts/ann/names/long").with_body("four");
    let answer = sim.fetch(request).await;
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.body(), Some(&b"long: 4 bytes"[..]));
}

#[anchorhold::test]
async fn alias_of_a_socket_has_the_session_of_the_upgrade(sim: Sim) {
    let account = sim.objects::<Account>().named("ann");
    let mut socket = sim.connect(&account, "/live/bob").await.unwrap();
    socket.send_text("fail");
    let refused: serde_json::Value = socket.receive_json().await;
    assert_eq!(refused["code"], "as_told");
    socket.send_text("hello");
    assert_eq!(socket.receive_json::<String>().await, "bob 1");
}

#[test]
fn class_option_names_the_class() {
    assert_eq!(Account::CLASS, "Tally");
}

/// As a crate would that declares objects and their tests with a macro of its own.
mod framework {
    pub use ::anchorhold;
}

macro_rules! test_of {
    ($object:ident, $name:ident, $sim:ident => $body:block) => {
        #[anchorhold::test(crate = $crate::framework::anchorhold)]
        async fn $name($sim: $crate::framework::anchorhold::Sim) $body
    };
}

test_of!(Account, test_may_come_from_a_macro_that_names_its_crate, sim => {
    let account = sim.objects::<Account>().named("ann");
    assert_eq!(account.balance().await.unwrap(), 5);
});
